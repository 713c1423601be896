"""What a run reports of itself, and the tables for the terminal."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.report.tables import class_iou_table, metrics_table
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.results import FrameResult, RunResult, VocabularyPhase
from ovseg_ros.runs.scoring import RunScores
from ovseg_ros.vocabulary import VocabularyBuilder

ABOUT = {"model": "m", "method": "c", "device": "cpu"}


def result_of(scores: RunScores) -> RunResult:
    return scores.result("evaluate", bag="b", image_topic="/i", about=ABOUT)


def scored() -> RunResult:
    words = VocabularyBuilder().build(["road", "sky; heaven"], background=["wall"])
    meter = SegmentationAccumulator({1: "road", 2: "sky"})
    truth = np.array([[1, 1, 2, 2]], np.uint8)
    labels = np.array([[1, 2, 2, 2]], np.uint8)
    meter.update(truth, labels, np.full((1, 4), 255, np.uint8), words)
    phases = [
        VocabularyPhase(1, ("road", "sky; heaven"), ("wall",), (), meter.compute(words)),
        VocabularyPhase(2, ("road",), (), ("sky",), SegmentationMetrics(frames=1)),
    ]
    frames = [FrameResult(0, 0.0, 1, 7.0, 0.5, 0.75), FrameResult(1, 0.1), FrameResult(2, 0.2, 2, 9.0)]
    return result_of(RunScores(frames, phases, meter.compute()))


def test_metrics_are_json_without_nan_and_hold_both_phases() -> None:
    metrics = json.loads(to_json(scored()))
    assert metrics["per_class_iou"] == {"road": 0.5, "sky": pytest.approx(2 / 3)}
    assert metrics["pixel_accuracy"] == 0.75
    assert metrics["ece"] == 0.25
    assert metrics["vocabulary_revisions"] == [1, 2]
    assert [phase["classes"] for phase in metrics["phases"]] == [["road", "sky; heaven"], ["road"]]
    assert (metrics["phases"][0]["miou"], metrics["phases"][1]["miou"]) == (metrics["miou"], None)
    assert metrics["phases"][1]["ignored"] == ["sky"]
    assert [frame["latency_ms"] for frame in metrics["per_frame"]] == [7.0, None, 9.0]
    expected = {"kind": "evaluate", "bag": "b", "image_topic": "/i", **ABOUT}
    assert {name: metrics[name] for name in expected} == expected


def test_a_run_without_truth() -> None:
    metrics = json.loads(to_json(result_of(RunScores())))
    assert (metrics["miou"], metrics["pixel_accuracy"], metrics["per_class_iou"]) == (None, None, {})


def test_tables_have_percent_and_dashes() -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    result = scored()
    console.print(metrics_table(result))
    console.print(class_iou_table(result.metrics))
    text = console.export_text()
    assert "75.0 %" in text
    assert "66.7 %" in text
    assert "road, sky" in text
    assert " - " in text
