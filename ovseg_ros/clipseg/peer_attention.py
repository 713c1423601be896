"""The attentions of the peers that weigh more than the last block's own maps, as pure functions."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Heads = Float[Tensor, "b h n d"]


def ensemble_attention(
    q: Heads, k: Heads, v: Heads, temperature: Float[Tensor, " b"], rounds: int
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


def cross_correlation(
    attended: Float[Tensor, "b h n d"],
    earlier: Sequence[tuple[Heads, Heads]],
    v: Heads,
    *,
    lam: float,
    gain: float,
) -> Float[Tensor, "b h n d"]:
    """ResCLIP: ``gain ((1 - lam) A_self v + lam mean_l sm(q_l k_l^T / sqrt d) v)``.

    `attended` is ``A_self v``, `earlier` the q and k of each block of the mean. A map weighs v linearly, so
    the mean of maps needs no map.
    """
    middle = torch.stack([F.scaled_dot_product_attention(q, k, v) for q, k in earlier]).mean(dim=0)
    return gain * torch.lerp(attended, middle, lam)


def attention_map(q: Heads, k: Heads) -> Float[Tensor, "b h n n"]:
    """``sm(q k^T / sqrt d)``."""
    return (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1)


def redistribute(
    attention: Float[Tensor, "b h 1+n 1+n"], sink: float, kept: float
) -> Float[Tensor, "b h 1+n 1+n"]:
    """RF-CLIP: attention taken from the patches that draw too much of it and given to the others.

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


def average_alike(
    tokens: Float[Tensor, "b n c"], cosines: Float[Tensor, "b n n"], cutoff: float
) -> Float[Tensor, "b n c"]:
    """Every patch as the mean of those whose cosine to it is at least `cutoff`, weighted by that cosine."""
    weights = cosines.masked_fill(cosines < cutoff, 0)
    return (weights / weights.sum(dim=-1, keepdim=True)) @ tokens
