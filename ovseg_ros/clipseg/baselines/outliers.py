"""Outliers among patch tokens, their repair from their neighbours, and means of similar patches."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def local_outlier_factor(tokens: Float[Tensor, "b n c"], neighbours: int) -> Float[Tensor, "b n"]:
    """How much thinner each token's surroundings are than those of its nearest neighbours, in float32.

    A token's density is one over the squared distance to its k-th neighbour; the factor is the mean density
    of its k neighbours over its own. So SC-CLIP's project computes the factor of Breunig et al., LOF (2000):
    with a token's own k-distance as every reach. `neighbours` is k, or all others where there are fewer.
    """
    count = tokens.shape[1]
    neighbours = min(neighbours, count - 1)
    if neighbours == 0:
        return torch.ones(tokens.shape[:2], device=tokens.device)
    tokens = tokens.float()
    nearest = torch.cdist(tokens, tokens).square().topk(neighbours + 1, largest=False)
    reach = nearest.values[..., -1].clamp_min(torch.finfo(torch.float32).tiny)
    others = nearest.indices[..., 1:].flatten(1)
    density = (1 / reach).gather(1, others).view(-1, count, neighbours)
    return density.mean(dim=-1) * reach


def most_unusual(scores: Float[Tensor, "b n"], share: float) -> Bool[Tensor, "b n"]:
    """The given share of the patches, those with the highest scores: a fixed count, so that shapes hold."""
    count = math.ceil(share * (scores.shape[1] - 1))
    unusual = torch.zeros_like(scores, dtype=torch.bool)
    return unusual.scatter(1, scores.topk(count).indices, True)


def overactive(tokens: Float[Tensor, "b n c"], factor: float) -> Bool[Tensor, "b n"]:
    """Tokens that a channel dominates which does not dominate others (RF-CLIP's distracting tokens).

    A channel's share of a token is ``(x - min x) / sum(x - min x)``. A token is overactive where the share of
    a channel is above `factor` times the mean share ``1 / c``, and above `factor` times the channel's median
    share over the image's patches: a channel that is large everywhere is no sign.
    """
    shifted = tokens.float() - tokens.float().amin(dim=-1, keepdim=True)
    shares = shifted / shifted.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    usual = shares.median(dim=1, keepdim=True).values.clamp_min(1 / tokens.shape[-1])
    return (shares > factor * usual).any(dim=-1)


def repair(
    tokens: Float[Tensor, "b n c"], unusual: Bool[Tensor, "b n"], grid: tuple[int, int]
) -> Float[Tensor, "b n c"]:
    """Unusual patches replaced by the mean of those of their eight neighbours that are not unusual.

    A patch with no such neighbour stays as it is.
    """
    usual = (~unusual).to(tokens.dtype)[..., None]
    # The mean over a 3 x 3 field of values and of weights: in their ratio the field's size cancels.
    total, weight = (_mean_3x3(part, grid) for part in (tokens * usual, usual))
    replace = unusual[..., None] & (weight > 0)
    return torch.where(replace, total / weight.masked_fill(weight == 0, 1), tokens)


def _mean_3x3(patches: Float[Tensor, "b n c"], grid: tuple[int, int]) -> Float[Tensor, "b n c"]:
    field = patches.transpose(1, 2).unflatten(2, grid)
    return F.avg_pool2d(field, 3, stride=1, padding=1).flatten(2).transpose(1, 2)


def average_alike(
    tokens: Float[Tensor, "b n c"], cosines: Float[Tensor, "b n n"], cutoff: float
) -> Float[Tensor, "b n c"]:
    """Every patch as the mean of those whose cosine to it is at least `cutoff`, weighted by that cosine."""
    weights = cosines.masked_fill(cosines < cutoff, 0)
    return (weights / weights.sum(dim=-1, keepdim=True)) @ tokens
