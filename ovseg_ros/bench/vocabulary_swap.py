"""What a change of vocabulary costs the frames."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.clipseg import Segmenter
from ovseg_ros.vocabulary import VocabularyBuilder

CYCLES = 4
"""Parts that the measurement is made in, each with frames of every kind, so that disturbances fall on all."""


@dataclass(frozen=True)
class VocabularySwap:
    """Medians over frames, in ms.

    Attributes:
        frame_ms: of frames with one vocabulary.
        cached_ms: of frames that each have another vocabulary than the one before, both known.
        uncached_ms: of frames while new words go through the text tower in the background.
        uncached_s: how long three new words took in the background, in seconds.
    """

    frame_ms: float
    cached_ms: float
    uncached_ms: float
    uncached_s: float


def measure_swap(segmenter: Segmenter, image: UInt8[np.ndarray, "H W 3"], frames: int) -> VocabularySwap:
    """Run `frames` frames of each kind, and of the last kind at least as many as new words take."""
    builder = VocabularyBuilder()
    known = [segmenter.encode(builder.build(words)) for words in (["floor", "wall"], ["cup", "desk", "lamp"])]

    def times(number: int, alternating: bool = False) -> list[float]:
        found = []
        for frame in range(number):
            start = time.perf_counter()
            segmenter.segment(image, known[frame % 2 if alternating else 0])
            found.append(1e3 * (time.perf_counter() - start))
        return found

    def with_new_words() -> list[float]:
        # Words that no cache on disk knows, however often this runs.
        words = [f"thing {number} of {time.time_ns()}" for number in range(3)]
        encoding = pool.submit(segmenter.encode, builder.build(words), in_background=True)
        start, found = time.perf_counter(), []
        while not encoding.done():
            found += times(1)
        encoding.result()
        took.append(time.perf_counter() - start)
        return found

    alone: list[float] = []
    cached: list[float] = []
    meanwhile: list[float] = []
    took: list[float] = []
    part = max(1, frames // CYCLES)
    times(2)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(CYCLES):
            alone += times(part)
            cached += times(part, alternating=True)
            meanwhile += with_new_words()
    return VocabularySwap(*(float(np.median(found)) for found in (alone, cached, meanwhile, took)))
