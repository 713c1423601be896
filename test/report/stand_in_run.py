"""A made-up run whose figures are measured, as `metrics.json` and as pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.runs.result_files import as_json
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.runs.scoring import Picture
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

NAMES = ("road", "sky", "red box")


def make_run(seed: int = 0, count: int = 4, names: tuple[str, ...] = NAMES, **more: Any) -> "StandInRun":
    return StandInRun(seed, count, names, more)


class StandInRun:
    """Frames of 16 x 24 whose labels are wrong at random places; `more` overrides entries of the metrics."""

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
            figures = FrameResult(number, number / 10, 1, 100.0 + number, scored.miou, scored.pixel_accuracy)
            frames.append(vars(figures))
            self.pictures.append(
                Picture("Among the best", figures, self.vocabulary, image, labels, confidence, scored.truth)
            )
        self.quality: SegmentationMetrics = meter.compute()
        phase = {
            "revision": 1,
            "classes": list(names),
            "background": ["wall"],
            "frames": count,
            "ignored": [],
            **{key: as_json(self.quality)[key] for key in ("miou", "pixel_accuracy", "per_class_iou")},
        }
        self.metrics: dict[str, Any] = {
            "kind": "evaluate",
            **as_json(self.quality),
            "latency_ms": {"p50": 101.5, "p95": 102.85, "p99": 102.97, "max": 103.0},
            "peak_mb": 812.0,
            "phases": [phase],
            "model": "tiny",
            "method": "clipseg",
            "device": "cpu",
            "source": "street",
            "command": "ovseg evaluate street --model tiny",
            "configuration": {"short_side": 336},
            "machine": {"machine": "a small one"},
            "per_frame": frames,
            **more,
        }

    def write(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.metrics), encoding="utf-8")
        return path
