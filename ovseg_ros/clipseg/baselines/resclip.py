"""ResCLIP (Yang et al., CVPR 2025): residual cross-correlation self-attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.backbone import Backbone, Blocks


@dataclass(frozen=True)
class CrossCorrelation:
    """The q-k attention of earlier blocks in addition to the self term.

    Attributes:
        layers: first and last block whose q-k attention is averaged; None: by the model's depth.
        lam: weight of that average, 0..1. ResCLIP takes 0.2 to 0.6 by data set.
        gain: factor on the whole attention.
    """

    layers: tuple[int, int] | None = None
    lam: float = 0.4
    gain: float = 2.0

    def added(
        self,
        attended: Float[Tensor, "b h n d"],
        v: Float[Tensor, "b h n d"],
        backbone: Backbone,
        blocks: Blocks,
        layers: Sequence[int],
    ) -> Float[Tensor, "b h n d"]:
        """The cross-correlation of the blocks `layers` added to the last block's attention."""
        earlier = []
        for layer in layers:
            block = backbone.block(layer)
            q, k, _ = block.qkv(block.norm(blocks.tokens[layer - 1]))
            earlier.append((q, k))
        return cross_correlation(attended, earlier, v, lam=self.lam, gain=self.gain)


def cross_correlation(
    attended: Float[Tensor, "b h n d"],
    earlier: Sequence[tuple[Float[Tensor, "b h n d"], Float[Tensor, "b h n d"]]],
    v: Float[Tensor, "b h n d"],
    *,
    lam: float,
    gain: float,
) -> Float[Tensor, "b h n d"]:
    """``gain ((1 - lam) A_self v + lam mean_l sm(q_l k_l^T / sqrt d) v)``.

    `attended` is ``A_self v``, `earlier` the q and k of each block of the mean. A map weighs v linearly, so
    the mean of maps needs no map.
    """
    middle = torch.stack([F.scaled_dot_product_attention(q, k, v) for q, k in earlier]).mean(dim=0)
    return gain * torch.lerp(attended, middle, lam)
