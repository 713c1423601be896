"""RF-CLIP (Li et al., AAAI 2026, arXiv 2511.16170): distracting tokens are damped in every block."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovseg_ros.clipseg.attention import coherence_map
from ovseg_ros.clipseg.backbone import AnyBlock, Backbone, Blocks
from ovseg_ros.clipseg.baselines.outliers import average_alike, overactive, repair

AllTokens = Float[Tensor, "b 1+n c"]


@dataclass(frozen=True)
class Refocusing:
    """Settings of RF-CLIP.

    Attributes:
        activation: a token is distracting where a channel has this many times its usual share (`overactive`).
        repair: share of a distracting token that its neighbours' mean replaces.
        sink: a patch that gets more than this mean attention of a head gives some of it away.
        kept: share of that attention that it keeps.
        cutoff: cosines below this have no part in an average.
    """

    activation: float = 5.0
    repair: float = 0.4
    sink: float = 0.1
    kept: float = 0.6
    cutoff: float = 0.4
    rewrites_all_blocks = True

    def kept_blocks(self, depth: int) -> set[int]:
        """What enters the first block is all that the rule needs."""
        del depth
        return {0}

    def patch_tokens(self, backbone: Backbone, blocks: Blocks) -> Float[Tensor, "b n c"]:
        """``Y`` by an own pass through all blocks, from the tokens that enter the first.

        Each block's q-k attention is redistributed and its distracting patches repaired. The last block's
        value is weighed with the mean k-k attention of all blocks, for its input and for the mean of all
        blocks' tokens, each averaged by the cosines of that mean; ``Y`` is the mean of the two.
        """
        tokens, depth = blocks.tokens[0], backbone.depth
        last = backbone.block(depth)
        token_sum: Tensor | float = 0.0
        map_sum: Tensor | float = 0.0
        for number in range(1, depth):
            tokens, own_map = self._refocused(backbone.block(number), tokens)
            tokens = self._repaired(tokens, blocks.grid)
            token_sum, map_sum = token_sum + tokens, map_sum + own_map
        mean = (token_sum + self._repaired(last(tokens), blocks.grid)) / depth
        cosines = coherence_map([mean[:, 1:]])

        def decode(entering: AllTokens) -> Float[Tensor, "b n c"]:
            alike = average_alike(entering[:, 1:], cosines, self.cutoff)
            _, k, v = last.qkv(last.norm(torch.cat([entering[:, :1], alike], dim=1)))
            attention = (map_sum + attention_map(k, k)) / depth
            return last.attention_output(attention[..., 1:, 1:] @ v[:, :, 1:])

        return (decode(tokens) + decode(mean)) / 2

    def _refocused(
        self, block: AnyBlock, tokens: AllTokens
    ) -> tuple[AllTokens, Float[Tensor, "b h 1+n 1+n"]]:
        """Tokens after the block, and its k-k attention."""
        q, k, v = block.qkv(block.norm(tokens))
        attention = redistribute(attention_map(q, k), self.sink, self.kept)
        tokens = tokens + block.attention_output(attention @ v)
        return tokens + block.mlp(tokens), attention_map(k, k)

    def _repaired(self, tokens: AllTokens, grid: tuple[int, int]) -> AllTokens:
        patches = tokens[:, 1:]
        distracting = overactive(patches, self.activation)
        mended = torch.lerp(patches, repair(patches, distracting, grid), self.repair)
        return torch.cat([tokens[:, :1], mended], dim=1)


def attention_map(q: Float[Tensor, "b h n d"], k: Float[Tensor, "b h n d"]) -> Float[Tensor, "b h n n"]:
    """``sm(q k^T / sqrt d)``."""
    logits: Tensor = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)
    return logits.softmax(dim=-1)


def redistribute(
    attention: Float[Tensor, "b h 1+n 1+n"], sink: float, kept: float
) -> Float[Tensor, "b h 1+n 1+n"]:
    """Attention taken from the patches that draw too much of it and given to the others.

    A patch draws too much in a head where its mean attention by the patches is above `sink`. It keeps the
    share `kept`; in each row the rest goes to the other patches in proportion to what they have. The class
    token's row and column stay.
    """
    patches = attention[..., 1:, 1:]
    drawing = patches.mean(dim=-2, keepdim=True) > sink
    others = patches.masked_fill(drawing, 0)
    freed = (1 - kept) * patches.masked_fill(~drawing, 0).sum(dim=-1, keepdim=True)
    left = others.sum(dim=-1, keepdim=True)
    spread = others * (1 + freed / left.clamp_min(torch.finfo(patches.dtype).tiny))
    result = attention.clone()
    result[..., 1:, 1:] = torch.where(drawing, kept * patches, spread)
    return result
