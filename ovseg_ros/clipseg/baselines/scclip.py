"""SC-CLIP (Bai et al., 2024, arXiv 2411.15869): outlier repair, a middle block's attention, a second pass."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ovseg_ros.clipseg.attention import coherence_map, enhance, residual_attention
from ovseg_ros.clipseg.backbone import Backbone, Blocks
from ovseg_ros.clipseg.baselines.outliers import average_alike, local_outlier_factor, most_unusual, repair


@dataclass(frozen=True)
class SelfCalibration:
    """Settings of SC-CLIP. Blocks are given for a model of 12 and scaled to others.

    Attributes:
        neighbours: of the local outlier factor.
        outliers: share of the patches that is repaired.
        attention_layer: block whose cosines make the attention and average the input.
        output_layer: block whose cosines average the output.
        fused_layers: first and last block of the sum that goes through the second pass.
        cutoff: cosines below this have no part in an average.
        gamma: slope of the enhancement of the cosines in the attention.
        cls: weight of the class token that is added to every patch.
    """

    neighbours: int = 30
    outliers: float = 0.05
    attention_layer: int = 9
    output_layer: int = 4
    fused_layers: tuple[int, int] = (4, 10)
    cutoff: float = 0.4
    gamma: float = 3.0
    cls: float = 0.3
    rewrites_all_blocks = False

    def at(self, layer: int, depth: int) -> int:
        """A block of 12 in a model of `depth` blocks."""
        return min(max(1, round(layer * depth / 12)), depth - 1)

    def fused(self, depth: int) -> range:
        """The blocks of the second pass."""
        first, last = self.fused_layers
        return range(self.at(first, depth), self.at(last, depth) + 1)

    def kept_blocks(self, depth: int) -> set[int]:
        """The blocks that the rule reads."""
        return {self.at(self.attention_layer, depth), self.at(self.output_layer, depth), *self.fused(depth)}

    def patch_tokens(self, backbone: Backbone, blocks: Blocks) -> Float[Tensor, "b n c"]:
        """``Y = decode(X_{L-1}) + decode(sum of middle blocks)``.

        ``decode(X) = average(out(A v(LN1 X)) + 0.3 CLS)`` with ``A`` half the k-k attention and half that of
        a middle block's cosines S, and an average over patches that an earlier block finds alike. Before, the
        most unusual patches of ``X_{L-1}`` are repaired in it and in S, and ``X_{L-1}`` is averaged by S.
        """
        depth = backbone.depth
        last = backbone.block(depth)
        unusual = most_unusual(local_outlier_factor(blocks.last[:, 1:], self.neighbours), self.outliers)
        middle = blocks.tokens[self.at(self.attention_layer, depth)][:, 1:]
        cosines = coherence_map([repair(middle, unusual, blocks.grid)])
        enhanced = enhance(cosines, self.gamma, beta=1.0)
        alike = coherence_map([blocks.tokens[self.at(self.output_layer, depth)][:, 1:]])

        def decode(tokens: Float[Tensor, "b n c"], cls: Float[Tensor, "b 1 c"]) -> Float[Tensor, "b n c"]:
            q, k, v = last.qkv(last.norm(tokens))
            attended = residual_attention(q, k, v, enhanced, term="kk", lam=0.5, reading="mix")
            return average_alike(last.attention_output(attended) + self.cls * cls, alike, self.cutoff)

        repaired = repair(blocks.last[:, 1:], unusual, blocks.grid)
        first_pass = decode(average_alike(repaired, cosines, self.cutoff), blocks.last[:, :1])
        fused = torch.stack([blocks.tokens[layer] for layer in self.fused(depth)]).sum(dim=0)
        return first_pass + decode(fused[:, 1:], fused[:, :1])
