"""What a change of vocabulary costs the frames."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.clipseg import Classifier, Segmenter
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

    def timed(classifier: Classifier) -> float:
        start = time.perf_counter()
        segmenter.segment(image, classifier)
        return 1e3 * (time.perf_counter() - start)

    alone: list[float] = []
    cached: list[float] = []
    meanwhile: list[float] = []
    took: list[float] = []
    part = max(1, frames // CYCLES)
    for classifier in known:
        timed(classifier)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(CYCLES):
            alone += [timed(known[0]) for _ in range(part)]
            cached += [timed(known[frame % 2]) for frame in range(part)]
            # Words that no cache on disk knows, however often this runs.
            words = [f"thing {number} of {time.time_ns()}" for number in range(3)]
            start = time.perf_counter()
            encoding = pool.submit(segmenter.encode, builder.build(words), in_background=True)
            while not encoding.done():
                meanwhile.append(timed(known[0]))
            encoding.result()
            took.append(time.perf_counter() - start)
    return VocabularySwap(*(float(np.median(found)) for found in (alone, cached, meanwhile, took)))
