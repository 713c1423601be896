"""One block of a ViT, taken apart."""

from jaxtyping import Float
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor
from torch.nn import functional as F


class Block:
    """The parts of one pre-norm transformer block of open_clip.

    ``X_l = Z + ls_2(MLP(LN2(Z)))`` with ``Z = X_{l-1} + ls_1(out(attention of LN1(X_{l-1})))``; ``ls`` is the
    layer scale, the identity in CLIP's own models.
    """

    def __init__(self, block: ResidualAttentionBlock) -> None:
        self._block = block
        self._attn = block.attn

    @property
    def heads(self) -> int:
        """Attention heads."""
        return self._attn.num_heads

    def __call__(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The whole block."""
        return self._block(tokens)

    def norm(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """LN1."""
        return self._block.ln_1(tokens)

    def qkv(self, normed: Float[Tensor, "b n c"]) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v, each ``b h n d``, of tokens that went through `norm`."""
        q, k, v = F.linear(normed, self._attn.in_proj_weight, self._attn.in_proj_bias).chunk(3, dim=-1)
        return self._split(q), self._split(k), self._split(v)

    def value(self, normed: Float[Tensor, "b n c"]) -> Float[Tensor, "b h n d"]:
        """v alone: ``W_v x + b_v``."""
        first = 2 * self._attn.embed_dim
        return self._split(
            F.linear(normed, self._attn.in_proj_weight[first:], self._attn.in_proj_bias[first:])
        )

    def attention_output(self, attended: Float[Tensor, "b h n d"]) -> Float[Tensor, "b n c"]:
        """Heads put together, ``out``, and the layer scale ``ls_1``."""
        joined = attended.transpose(1, 2).flatten(2)
        return self._block.ls_1(self._attn.out_proj(joined))

    def mlp(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The MLP branch, to be added to `tokens`."""
        return self._block.ls_2(self._block.mlp(self._block.ln_2(tokens)))

    def _split(self, tokens: Float[Tensor, "b n c"]) -> Float[Tensor, "b h n d"]:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)
