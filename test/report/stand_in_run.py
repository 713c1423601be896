"""A made-up run whose figures are measured, as a result and as pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.report.pictures import Picture
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.results import FrameResult, Percentiles, RunResult, VocabularyPhase
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

NAMES = ("road", "sky", "red box")


def make_run(seed: int = 0, count: int = 4, names: tuple[str, ...] = NAMES, **more: Any) -> "StandInRun":
    return StandInRun(seed, count, names, more)


class StandInRun:
    """Frames of 16 x 24 whose labels are wrong at random places; `more` overrides fields of the result."""

    def __init__(self, seed: int, count: int, names: tuple[str, ...], more: dict[str, Any]) -> None:
        random = np.random.default_rng(seed)
        self.vocabulary: Vocabulary = VocabularyBuilder().build(names, background=["wall"])
        meter = SegmentationAccumulator(dict(enumerate(names, start=1)))
        self.pictures: list[Picture] = []
        frames = []
        for number in range(count):
            truth = random.integers(1, len(names) + 1, (16, 24)).astype(np.uint8)
            truth[0] = 255
            labels = truth.copy()
            labels[random.random(truth.shape) < 0.3] = 1
            labels[3, :5] = 255
            confidence = random.integers(100, 256, truth.shape).astype(np.uint8)
            image = random.integers(0, 256, (16, 24, 3)).astype(np.uint8)
            scored = meter.update(truth, labels, confidence, self.vocabulary, np.zeros_like(image))
            frame = FrameResult(number, number / 10, 1, 100.0 + number, scored.miou, scored.pixel_accuracy)
            frames.append(frame)
            self.pictures.append(
                Picture("Among the best", frame, self.vocabulary, image, labels, confidence, scored.truth)
            )
        self.metrics: SegmentationMetrics = meter.compute()
        run = RunResult(
            kind="evaluate",
            metrics=self.metrics,
            vocabulary_revisions=(1,),
            phases=(VocabularyPhase(1, names, ("wall",), (), self.metrics),),
            model="tiny",
            method="clipseg",
            device="cpu",
            bag="street",
            command="ovseg evaluate street --model tiny",
            machine={"machine": "a small one"},
            per_frame=tuple(frames),
            latency_ms=Percentiles(101.5, 102.85, 102.97, 103.0),
            peak_mb=812.0,
            configuration={"short_side": 336},
        )
        self.result = replace(run, **more)

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(to_json(self.result), encoding="utf-8")
        return path
