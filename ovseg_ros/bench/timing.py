"""Timing pipelines, and changes of vocabulary, in turns: what else the machine does falls on all alike."""

import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import UInt8

from ovseg_ros.clipseg import Classifier, Segmenter
from ovseg_ros.clipseg.peak_memory import start_peak
from ovseg_ros.vocabulary import VocabularyBuilder

CYCLES = 4
"""Parts that the measurement is made in, each with frames of every kind, so that disturbances fall on all."""


@dataclass
class TimedPipeline:
    """A pipeline, and what was measured of it.

    Attributes:
        run: the whole work once, done when it returns.
        stages: the same work once more in parts; gives the ms of each.
        stream: ms of an image where images follow each other; None where that is the same as one by one.
        times_ms: of every run after the warm-up.
        stage_ms: of every run in parts.
        stream_ms: of every run as a stream.
        peak_mb: the most memory during a run; None where the system does not report it.
    """

    run: Callable[[], object]
    stages: Callable[[], dict[str, float]] = dict
    stream: Callable[[], float] | None = None
    times_ms: list[float] = field(default_factory=list)
    stage_ms: list[dict[str, float]] = field(default_factory=list)
    stream_ms: list[float] = field(default_factory=list)
    peak_mb: float | None = None

    def percentile(self, share: float) -> float:
        """Percentile of the times, ms."""
        return float(np.percentile(self.times_ms, share))

    def median_stages(self) -> dict[str, float]:
        """Median of each part, ms."""
        names = self.stage_ms[0] if self.stage_ms else {}
        return {name: float(np.median([stages[name] for stages in self.stage_ms])) for name in names}


def time_in_turns(
    pipelines: Sequence[TimedPipeline],
    rounds: int,
    device: torch.device,
    step: Callable[[], None] = lambda: None,
) -> None:
    """Warm each pipeline up, then run all of them once in each round; the order turns from round to round.

    Memory is taken at the warm-up's second run, with the garbage of the others gone.
    """
    for pipeline in pipelines:
        pipeline.run()
        gc.collect()
        peak = start_peak(device)
        pipeline.run()
        pipeline.peak_mb = peak()
        step()
    for turn in range(rounds):
        for place in range(len(pipelines)):
            pipeline = pipelines[(place + turn) % len(pipelines)]
            start = time.perf_counter()
            pipeline.run()
            pipeline.times_ms.append(1e3 * (time.perf_counter() - start))
            pipeline.stage_ms.append(pipeline.stages())
            if pipeline.stream is not None:
                pipeline.stream_ms.append(pipeline.stream())
            step()


@dataclass(frozen=True)
class VocabularySwap:
    """What a change of vocabulary costs the frames: medians over frames, in ms.

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
