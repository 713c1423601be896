"""Deep semantic integration (DSI): the deep blocks' tokens repair the last block's value."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Integration = Literal["contrast", "plain"]
INTEGRATIONS: tuple[Integration, ...] = get_args(Integration)


def integrate_deep(
    value: Float[Tensor, "b h n d"], deep: Float[Tensor, "b h n d"], alpha: float, kind: Integration
) -> Float[Tensor, "b h n d"]:
    """Add the deep term ``T = W_v mean_l LN1(X_l) + b_v`` to the last block's value ``V``.

    - ``plain``: ``V + alpha T``, the first reading of the paper's abstract.
    - ``contrast``: ``V + alpha (|V - mean V| / |T - mean T|) (T - mean T)``, with means over the patches of
      an image and |.| the mean norm of a patch over all heads.

    The mean of T over an image is the same vector on every patch. It says nothing about where something is,
    yet in the plain reading it is as large as the rest and can carry every patch to one class. Without it,
    and with T's contrast brought to the size of V's, the deep term adds what it knows of places only, and
    alpha means the same on every model.
    """
    if kind == "plain":
        return value + alpha * deep
    contrast = deep - deep.mean(dim=2, keepdim=True)
    reference = value - value.mean(dim=2, keepdim=True)
    size = _mean_patch_norm(contrast).clamp_min(torch.finfo(deep.dtype).tiny)
    return value + (alpha * _mean_patch_norm(reference) / size).to(value.dtype) * contrast


def _mean_patch_norm(x: Float[Tensor, "b h n d"]) -> Float[Tensor, "b 1 1 1"]:
    """Mean over the patches of a token's norm over all heads, in float32 since squares overflow half."""
    return x.float().square().sum(dim=(1, 3)).sqrt().mean(dim=1)[:, None, None, None]
