"""What the last block does to its tokens, as pure functions: attentions, CERA and DSI.

Notation of the method: ``X_l`` are the patch tokens after block ``l``; ``q``, ``k``, ``v`` the last block's
projections, split into heads of width ``d``; ``n(.)`` is L2 normalisation and ``sm`` the row softmax.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

SelfTerm = Literal["identity", "qk", "qq", "kk", "vv", "qq+kk", "(qq+kk)/2"]
Reading = Literal["mix", "logits", "identity", "sum"]
Integration = Literal["contrast", "plain"]

SELF_TERMS: tuple[SelfTerm, ...] = get_args(SelfTerm)
READINGS: tuple[Reading, ...] = get_args(Reading)
INTEGRATIONS: tuple[Integration, ...] = get_args(Integration)


def coherence_map(tokens: Sequence[Float[Tensor, "b n c"]]) -> Float[Tensor, "b n n"]:
    """Mean over the given blocks of the cosine between every two patches: ``S = mean_l n(X_l) n(X_l)^T``.

    The blocks are laid side by side first, so that one matrix product does the work of all of them.
    """
    side_by_side = torch.cat([F.normalize(x, dim=-1) for x in tokens], dim=-1) / math.sqrt(len(tokens))
    return side_by_side @ side_by_side.transpose(-1, -2)


def enhance(
    coherence: Float[Tensor, "b n n"], gamma: float, beta: float
) -> tuple[Float[Tensor, "b n n"], Float[Tensor, "b n n"]]:
    """Enhancement of the coherence map: ``Z = gamma (S - beta mean(S))``, below 0 to -inf; ``A_mid = sm(Z)``.

    ``mean(S)`` is taken per image. A patch always keeps itself: in an image without any contrast every entry
    can fall below the mean, and a row of nothing but -inf has no softmax.

    Returns ``(Z, A_mid)``.
    """
    z = gamma * (coherence - beta * coherence.mean(dim=(-2, -1), keepdim=True))
    below = z < 0
    below.diagonal(dim1=-2, dim2=-1).fill_(False)
    z = z.masked_fill(below, -math.inf)
    return z, z.softmax(dim=-1)


def gaussian_window(grid: tuple[int, int], sigma: float, like: Tensor) -> Float[Tensor, "n n"]:
    """NACLIP's neighbourhood bias: ``exp(-|p_i - p_j|^2 / (2 sigma^2))``, with positions in patches."""
    height, width = grid
    rows = torch.arange(height, device=like.device, dtype=torch.float32)
    columns = torch.arange(width, device=like.device, dtype=torch.float32)
    vertical = torch.exp(-((rows[:, None] - rows) ** 2) / (2 * sigma**2))
    horizontal = torch.exp(-((columns[:, None] - columns) ** 2) / (2 * sigma**2))
    return torch.kron(vertical, horizontal).to(like.dtype)


def self_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    term: SelfTerm,
    bias: Float[Tensor, "*b n n"] | None = None,
) -> Float[Tensor, "b h n d"]:
    """Attention of the tokens to each other by one of the self terms, applied to ``v``.

    ``qk`` is CLIP's own; ``identity`` is MaskCLIP's, which leaves every patch alone; ``qq``, ``kk`` and
    ``vv`` are ``sm(zz^T / sqrt d)``; ``qq+kk`` is SCLIP's sum of two, ``(qq+kk)/2`` their mean, whose rows
    have the sum 1. ``bias`` is added to the logits.
    """
    if term == "identity":
        return v
    both = ((q, q), (k, k))
    pairs = {"qk": ((q, k),), "qq": ((q, q),), "kk": ((k, k),), "vv": ((v, v),)}
    if bias is not None and bias.dim() == 3:
        bias = bias[:, None]  # one map for all heads
    outputs = [F.scaled_dot_product_attention(a, b, v, attn_mask=bias) for a, b in pairs.get(term, both)]
    if len(outputs) == 1:
        return outputs[0]
    return outputs[0] + outputs[1] if term == "qq+kk" else torch.lerp(outputs[0], outputs[1], 0.5)


def residual_attention(
    q: Float[Tensor, "b h n d"],
    k: Float[Tensor, "b h n d"],
    v: Float[Tensor, "b h n d"],
    enhanced: tuple[Float[Tensor, "b n n"], Float[Tensor, "b n n"]],
    *,
    term: SelfTerm,
    lam: float,
    reading: Reading,
) -> Float[Tensor, "b h n d"]:
    """Coherence enhanced residual attention (CERA) applied to ``v``.

    Readings of "residual", with ``A_self`` the self term and ``(Z, A_mid)`` what `enhance` returns:

    - ``mix``: ``(1 - lam) A_self + lam A_mid``
    - ``logits``: ``sm(zz^T / sqrt d + Z)``
    - ``identity``: ``A_mid + I``
    - ``sum``: ``A_self + A_mid``

    ``A_mid`` is one map for all heads, so its product with ``v`` is one matrix product over all channels; the
    self term needs no explicit map at all.
    """
    z, middle = enhanced
    if reading == "logits":
        return self_attention(q, k, v, term, bias=z)
    batch, heads, patches, width = v.shape
    channels = v.transpose(1, 2).reshape(batch, patches, heads * width)
    from_middle = (middle @ channels).view(batch, patches, heads, width).transpose(1, 2)
    if reading == "identity":
        return from_middle + v
    own = self_attention(q, k, v, term)
    return own + from_middle if reading == "sum" else torch.lerp(own, from_middle, lam)


def integrate_deep(
    value: Float[Tensor, "b h n d"], deep: Float[Tensor, "b h n d"], alpha: float, kind: Integration
) -> Float[Tensor, "b h n d"]:
    """Deep semantic integration (DSI): the deep blocks' tokens repair the last block's value ``V``.

    With the deep term ``T = W_v mean_l LN1(X_l) + b_v``:

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
