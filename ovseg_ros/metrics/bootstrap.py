"""How far figures over a set of frames may be off by the choice of frames: the paired bootstrap."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

DRAWS = 2000
LEVEL = 0.95
_CHUNK = 250

Statistic = Callable[[Float64[np.ndarray, "draws g 3"]], Float64[np.ndarray, " draws"]]


class Interval(NamedTuple):
    """The range of a figure in 95 % of the draws."""

    low: float
    high: float

    @classmethod
    def of(cls, draws: Float64[np.ndarray, " draws"]) -> "Interval | None":
        """The percentile interval of a figure's draws; those that are NaN are left out. None of no other."""
        there = draws[~np.isnan(draws)]
        if not there.size:
            return None
        low, high = np.quantile(there, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(float(low), float(high))


def miou(counts: Float64[np.ndarray, "*d g 3"], known: Bool[np.ndarray, " g"]) -> Float64[np.ndarray, "*d"]:
    """Mean IoU of counts by class: right pixels, true pixels, predicted pixels; NaN where no class is left.

    Left out are classes in neither truth nor prediction, and those of `known`, the classes that the truth of
    all frames has, which the counts' truth has not: a draw without the only frame of a class says nothing of
    it, and a few pixels that are wrongly given to it must not make its IoU 0.
    """
    hits, truth, predicted = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    union = truth + predicted - hits
    there = (union > 0) & ((truth > 0) | ~known)
    ratios = np.divide(hits, union, out=np.zeros_like(hits), where=there)
    number = there.sum(axis=-1)
    result = np.full(number.shape, np.nan)
    np.divide(ratios.sum(axis=-1), number, out=result, where=number > 0)
    return result


def accuracy(counts: Float64[np.ndarray, "*d g 3"]) -> Float64[np.ndarray, "*d"]:
    """Share of right pixels of the same counts; NaN where there are none."""
    hits, truth = (np.asarray(counts, np.float64)[..., part].sum(axis=-1) for part in (0, 1))
    result = np.full(hits.shape, np.nan)
    np.divide(hits, truth, out=result, where=truth > 0)
    return result


def draw(
    counts: Int64[np.ndarray, "f g 3"], statistic: Statistic, *, draws: int = DRAWS, seed: int = 0
) -> Float64[np.ndarray, " draws"]:
    """The statistic of as many frames, drawn with replacement, in each of `draws` draws.

    The draws depend on the number of frames and the seed alone: two methods over the same frames see the same
    draws, and their differences are paired (Efron and Tibshirani, An Introduction to the Bootstrap, 1993).
    """
    generator = np.random.default_rng(seed)
    frames, groups = counts.shape[:2]
    flat = counts.reshape(frames, groups * 3).astype(np.float64)
    values = np.empty(draws)
    for start in range(0, draws, _CHUNK):
        number = min(_CHUNK, draws - start)
        chosen = generator.integers(0, frames, size=(number, frames))
        rows = np.repeat(np.arange(number), frames)
        times = np.bincount(rows * frames + chosen.ravel(), minlength=number * frames)
        drawn = times.reshape(number, frames).astype(np.float64) @ flat
        values[start : start + number] = statistic(drawn.reshape(number, groups, 3))
    return values
