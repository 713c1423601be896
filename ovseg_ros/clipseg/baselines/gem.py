"""GEM (Bousselham et al., CVPR 2024): a path of self-self attentions along the model's last blocks."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.backbone import Backbone, Blocks


@dataclass(frozen=True)
class ParallelPath:
    """Settings of GEM.

    Attributes:
        blocks: how many of the last blocks the path runs along.
        rounds: how often q, k and v are grouped by their own attention before they weigh the value.
    """

    blocks: int = 6
    rounds: int = 1
    rewrites_all_blocks = False

    def first(self, depth: int) -> int:
        """The first block that the path runs along."""
        return max(1, depth - self.blocks + 1)

    def kept_blocks(self, depth: int) -> set[int]:
        """The blocks that feed those of the path."""
        return set(range(self.first(depth) - 1, depth))

    def patch_tokens(self, backbone: Backbone, blocks: Blocks) -> Float[Tensor, "b n c"]:
        """``Y`` at the end of the path.

        It starts with the tokens that enter the first of its blocks, and each block adds ``out`` of the
        ensemble attention of the *model's* tokens; there are no MLPs. The temperature is the mean norm of the
        normed tokens over sqrt d.
        """
        first = self.first(backbone.depth)
        path = blocks.tokens[first - 1]
        for number in range(first, backbone.depth + 1):
            block = backbone.block(number)
            normed = block.norm(blocks.tokens[number - 1])
            q, k, v = block.qkv(normed)
            temperature = normed.float().norm(dim=-1).mean(dim=-1) / math.sqrt(q.shape[-1])
            path = path + block.attention_output(ensemble_attention(q, k, v, temperature, self.rounds))
        return path[:, 1:]


def ensemble_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    temperature: Float[Tensor, " b"],
    rounds: int,
) -> Float[Tensor, "b h n d"]:
    """GEM's ensemble of normalised self-self attentions, applied to ``v``.

    For each z of q, k, v: `rounds` times ``z <- sm(tau n(z) n(z)^T) n(z)``, then
    ``A_z = sm(tau n(z) n(z)^T)``; the mean of the three maps weighs v. tau is the temperature of each image.
    """
    tau = temperature[:, None, None, None].to(v.dtype)
    total = torch.zeros_like(v)
    for part in (q, k, v):
        z = F.normalize(part, dim=-1)
        for _ in range(rounds):
            z = F.normalize(F.scaled_dot_product_attention(tau * z, z, z, scale=1.0), dim=-1)
        total = total + F.scaled_dot_product_attention(tau * z, z, v, scale=1.0)
    return total / 3
