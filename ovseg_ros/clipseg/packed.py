"""A block of a ViT for the CPU: packed products, and bfloat16 where the processor multiplies it."""

from typing import Literal

import torch
from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F

from ovseg_ros.clipseg.runtime import can_pack

Activation = Literal["none", "gelu", "swish"]

QUICK_GELU = 1.702
"""OpenAI's GELU is ``x sigmoid(1.702 x)``, which is ``swish(1.702 x) / 1.702``."""

SCORES_AT_A_TIME = 1 << 23
"""Attention scores held at a time in bfloat16: 16 MB, which also bounds the memory of large images."""


class PackedLinear:
    """``activation(W x + b)`` with W laid out once as oneDNN reads it, and nothing written in between.

    torch itself multiplies float32 through MKL, which on processors of other makes than Intel's is less
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
        self._packed = can_pack(dtype)
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, tokens) if self._packed else weight

    def __call__(self, x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b m"]:
        if self._packed:
            algorithm = "none" if self._activation == "gelu" else ""
            packed: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, self._activation, [], algorithm
            )
            return packed
        y = F.linear(x, self._weight, self._bias)
        if self._activation == "none":
            return y
        return F.gelu(y) if self._activation == "gelu" else F.silu(y)


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


class PackedBlock:
    """The same parts as `backbone.Block`, from weights of its own.

    Tokens come in and go out in float32 and are normalised and added in it; the products and the
    attention in between are in `dtype`. So the rounding of bfloat16 does not pile up from block to block.
    """

    def __init__(self, block: ResidualAttentionBlock, dtype: torch.dtype) -> None:
        self._ln_1, self._ln_2 = block.ln_1, block.ln_2
        self.heads: int = block.attn.num_heads
        self._dtype = dtype
        attn, mlp = block.attn, block.mlp
        self._width = attn.embed_dim
        weight, bias = attn.in_proj_weight, attn.in_proj_bias
        self._qkv = PackedLinear(weight, bias, dtype)
        self._value_part = weight[2 * self._width :].detach(), bias[2 * self._width :].detach()
        self._value: PackedLinear | None = None
        first, second = (_scale(layer, self._width) for layer in (block.ls_1, block.ls_2))
        out = attn.out_proj
        self._out = PackedLinear(first[:, None] * out.weight, first * out.bias, dtype)
        self._packed_mlp = packed_mlp(mlp.c_fc, mlp.gelu, mlp.c_proj, second, dtype)
        self._plain_mlp = None if self._packed_mlp else (mlp, block.ls_2)

    def __call__(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        q, k, v = self._heads_of(self._qkv(self._ln_1(tokens).to(self._dtype)), 3)
        attend = _attention if self._dtype == torch.bfloat16 else F.scaled_dot_product_attention
        tokens = tokens + self._out(attend(q, k, v).transpose(1, 2).flatten(2)).float()
        return tokens + self.mlp(tokens)

    def norm(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        normed: Tensor = self._ln_1(tokens)
        return normed

    def qkv(self, normed: Float[Tensor, "b n c"]) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = self._heads_of(self._qkv(normed.to(self._dtype)).float(), 3)
        return q, k, v

    def value(self, normed: Float[Tensor, "b n c"]) -> Float[Tensor, "b h n d"]:
        if self._value is None:  # only the last block needs it
            self._value = PackedLinear(*self._value_part, self._dtype)
        return self._heads_of(self._value(normed.to(self._dtype)).float(), 1)[0]

    def attention_output(self, attended: Float[Tensor, "b h n d"]) -> Float[Tensor, "b n c"]:
        return self._out(attended.to(self._dtype).transpose(1, 2).flatten(2)).float()

    def mlp(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        normed: Tensor = self._ln_2(tokens)
        if self._packed_mlp is None:
            assert self._plain_mlp is not None
            mlp, scale = self._plain_mlp
            plain: Tensor = scale(mlp(normed))
            return plain
        first, second = self._packed_mlp
        return second(first(normed.to(self._dtype))).float()

    def _heads_of(self, joined: Float[Tensor, "b n pc"], parts: int) -> tuple[Float[Tensor, "b h n d"], ...]:
        """Parts that lie side by side, each split into heads."""
        split: Tensor = joined.unflatten(-1, (parts, self.heads, -1))
        return split.permute(2, 0, 3, 1, 4).unbind()


def _scale(layer_scale: nn.Module, width: int) -> Tensor:
    gamma = getattr(layer_scale, "gamma", None)
    return torch.ones(width) if gamma is None else gamma.detach().float()


def _attention(
    q: Float[Tensor, "b h n d"], k: Float[Tensor, "b h n d"], v: Float[Tensor, "b h n d"]
) -> Float[Tensor, "b h n d"]:
    """``sm(q k^T / sqrt d) v`` in bfloat16 by two batched products, which oneDNN does far faster than torch's
    fused attention on a CPU.

    The keys' mean is taken off first: it adds the same to all scores of a query, so the softmax does not see
    it, and smaller scores lose less to rounding.
    """
    batch, heads, tokens, width = q.shape
    q = (q * width**-0.5).reshape(batch * heads, tokens, width)
    k = (k - k.mean(dim=2, keepdim=True)).reshape(batch * heads, tokens, width).transpose(1, 2)
    v = v.reshape(batch * heads, tokens, width)
    step = max(1, SCORES_AT_A_TIME // (batch * heads * tokens))
    pieces = []
    for start in range(0, tokens, step):
        scores = torch.bmm(q[:, start : start + step], k)
        pieces.append(torch.bmm(torch.softmax(scores, dim=-1, out=scores), v))
    out = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)
    return out.view(batch, heads, tokens, width)
