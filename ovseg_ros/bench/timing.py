"""Timing several pipelines in turns, so that what else the machine does falls on all of them alike."""

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from ovseg_ros.clipseg.peak_memory import start_peak


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
