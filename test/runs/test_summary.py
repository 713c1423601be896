"""What goes into metrics.json, and the tables."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.runs.scoring import PhaseScores, RunScores
from ovseg_ros.runs.summary import class_table, collect, latency_figures, quality_table
from ovseg_ros.vocabulary import VocabularyBuilder

ABOUT = {"kind": "evaluate", "bag": "b", "image_topic": "/i", "model": "m", "method": "c", "device": "cpu"}


def findings() -> RunScores:
    builder = VocabularyBuilder()
    words = [builder.build(["road", "sky; heaven"], background=["wall"]), builder.build(["road"])]
    meter = SegmentationAccumulator({1: "road", 2: "sky"})
    truth = np.array([[1, 1, 2, 2]], np.uint8)
    labels = np.array([[1, 2, 2, 2]], np.uint8)
    meter.update(truth, labels, np.full((1, 4), 255, np.uint8), words[0])
    phases = [
        PhaseScores(words[0], 1, meter.compute(words[0]), ()),
        PhaseScores(words[1], 1, None, ("sky",)),
    ]
    frames = [FrameResult(0, 0.0, 1, 7.0, 0.5, 0.75), FrameResult(1, 0.1), FrameResult(2, 0.2, 2, 9.0)]
    return RunScores(frames, phases, meter.compute())


def test_metrics_are_json_without_nan_and_hold_both_phases() -> None:
    metrics = json.loads(json.dumps(collect(findings(), **ABOUT), allow_nan=False))
    assert metrics["per_class_iou"] == {"road": 0.5, "sky": pytest.approx(2 / 3)}
    assert metrics["pixel_accuracy"] == 0.75
    assert metrics["ece"] == 0.25
    assert [phase["classes"] for phase in metrics["phases"]] == [["road", "sky; heaven"], ["road"]]
    assert (metrics["phases"][0]["miou"], metrics["phases"][1]["miou"]) == (metrics["miou"], None)
    assert metrics["phases"][1]["ignored"] == ["sky"]
    assert [frame["latency_ms"] for frame in metrics["per_frame"]] == [7.0, None, 9.0]
    assert {name: metrics[name] for name in ABOUT} == ABOUT


def test_a_run_without_truth() -> None:
    metrics = collect(RunScores(), **ABOUT)
    assert (metrics["miou"], metrics["pixel_accuracy"], metrics["per_class_iou"]) == (None, None, {})


def test_latency_figures() -> None:
    assert latency_figures([float(n) for n in range(101)]) == {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    assert latency_figures([]) == {"p50": None, "p95": None, "p99": None, "max": None}


def test_tables_tell_percent_and_dashes() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    found = findings()
    console.print(quality_table(found))
    assert found.quality is not None
    console.print(class_table(found.quality))
    text = console.export_text()
    assert "75.0 %" in text
    assert "66.7 %" in text
    assert "road, sky" in text
    assert " - " in text
