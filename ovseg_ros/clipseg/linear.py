"""Linear layers in the form that a processor multiplies fastest."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["none", "gelu", "swish"]

QUICK_GELU = 1.702
"""OpenAI's GELU is ``x sigmoid(1.702 x)``, which is ``swish(1.702 x) / 1.702``."""


class PackedLinear:
    """``activation(W x + b)`` with W laid out once as oneDNN reads it, and nothing written in between.

    torch's own way multiplies float32 through MKL, which on processors of other makes than Intel's is less
    than half as fast, and in bfloat16 lays W out anew in each call. These are the operations that
    torch.compile generates for a CPU; where a build of torch has none of them, the plain ones do the same.

    Args:
        weight, bias: W and b; the sum is taken in float32 whatever the type.
        dtype: of W, and of what comes in and goes out.
        tokens: for how many tokens at a time the layout is chosen; others work too.
    """

    def __init__(
        self,
        weight: Float[Tensor, "m n"],
        bias: Float[Tensor, " m"],
        dtype: torch.dtype,
        activation: Activation = "none",
        tokens: int = 512,
    ) -> None:
        weight = weight.detach().to(dtype).contiguous()
        self._bias = bias.detach().to(dtype)
        self._activation = activation
        self._packed = packing_available()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, tokens) if self._packed else weight

    def __call__(self, x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b m"]:
        if self._packed:
            algorithm = "none" if self._activation == "gelu" else ""
            return torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, self._activation, [], algorithm
            )
        y = F.linear(x, self._weight, self._bias)
        if self._activation == "none":
            return y
        return F.gelu(y) if self._activation == "gelu" else F.silu(y)


def packing_available() -> bool:
    """Whether this build of torch has oneDNN's packed products."""
    operations = ("_reorder_linear_weight", "_linear_pointwise")
    return torch.backends.mkldnn.is_available() and all(
        hasattr(torch.ops.mkldnn, name) for name in operations
    )


def packed_mlp(
    first: nn.Linear, activation: nn.Module, second: nn.Linear, scale: Tensor, dtype: torch.dtype
) -> tuple[PackedLinear, PackedLinear] | None:
    """``scale * second(activation(first(x)))`` as two packed products; None for another activation.

    The scale, and QuickGELU's factor, go into the weights.
    """
    kind = type(activation).__name__
    inner = {"GELU": 1.0, "QuickGELU": QUICK_GELU}.get(kind)
    if inner is None or getattr(activation, "approximate", "none") != "none":
        return None
    return (
        PackedLinear(inner * first.weight, inner * first.bias, dtype, "gelu" if kind == "GELU" else "swish"),
        PackedLinear(scale[:, None] / inner * second.weight, scale * second.bias, dtype),
    )
