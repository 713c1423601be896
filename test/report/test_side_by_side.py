"""Runs beside each other: differences, verdicts, cautions, and the page of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.report.page import render, render_comparison
from ovseg_ros.report.side_by_side import Cell, NamedRun, RunComparison, put_side_by_side, read_runs
from ovseg_ros.runs.comparison import ComparisonResult, MethodResult
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.results import Percentiles, RunResult

from .stand_in_run import make_run

A = RunResult(
    kind="evaluate",
    bag="street",
    metrics=SegmentationMetrics(
        frames=10, miou=0.5, ece=0.2, per_class_iou={"road": 0.8, "sky": 0.4, "box": 0.3}
    ),
    latency_ms=Percentiles(100.0),
    method="clipseg",
    device="cpu",
    command="ovseg evaluate street",
    configuration={"short_side": 336, "cera": {"lam": 0.5}},
)
B = replace(
    A,
    metrics=SegmentationMetrics(
        frames=10, miou=0.45, ece=0.1, per_class_iou={"Road": 0.7, "sky": 0.65, "box": 0.3}
    ),
    latency_ms=Percentiles(80.0),
    peak_mb=100.0,
    configuration={"short_side": 336, "cera": {"lam": 0.25}},
)


def with_metrics(result: RunResult, **changes: Any) -> RunResult:
    return replace(result, metrics=replace(result.metrics, **changes))


def compared(*results: RunResult) -> RunComparison:
    return put_side_by_side([NamedRun(label, r) for label, r in zip("abcdef", results, strict=False)])


def cells(comparison: RunComparison, label: str) -> tuple[Cell, ...]:
    rows = [row for _, group in comparison.groups for row in group] + list(comparison.classes)
    [found] = [row.cells for row in rows if row.label == label]
    return found


def test_differences_are_from_the_first_and_know_what_is_better() -> None:
    comparison = compared(A, B)
    assert cells(comparison, "mean IoU") == (Cell(0.5, "50.0 %"), Cell(0.45, "45.0 %", "-5.0 points", -1))
    assert cells(comparison, "calibration error (ECE)")[1] == Cell(0.1, "10.0 %", "-10.0 points", 1)
    assert cells(comparison, "latency, median")[1] == Cell(80.0, "80 ms", "-20 ms", 1)


def test_what_a_run_lacks_is_a_dash_without_difference() -> None:
    assert cells(compared(A, B), "peak memory") == (Cell(None, "-"), Cell(100.0, "100 MB"))
    assert cells(compared(B, A), "peak memory") == (Cell(100.0, "100 MB"), Cell(None, "-"))
    labels = [row.label for _, rows in compared(A, B).groups for row in rows]
    assert "flicker" not in labels


def test_what_reads_the_same_is_no_difference() -> None:
    slightly = with_metrics(A, miou=0.5001)
    assert cells(compared(A, slightly), "mean IoU")[1] == Cell(0.5001, "50.0 %")


def test_classes_are_matched_as_labels_are_and_gains_come_first() -> None:
    comparison = compared(A, B)
    assert [row.label for row in comparison.classes] == ["sky", "box", "road"]
    assert cells(comparison, "sky")[1] == Cell(0.65, "65.0 %", "+25.0 points", 1)
    assert cells(comparison, "road")[1].difference == "-10.0 points"
    assert cells(comparison, "box")[1].difference == ""


def test_a_class_that_one_run_lacks_comes_last() -> None:
    comparison = compared(A, with_metrics(B, per_class_iou={"sky": 0.1, "dragon": 0.9}))
    assert comparison.classes[0].label == "sky"
    assert cells(comparison, "dragon") == (Cell(None, "-"), Cell(0.9, "90.0 %"))


def test_settings_that_differ_and_those_that_do_not() -> None:
    comparison = compared(A, B, replace(B, device="cuda"))
    assert dict(comparison.settings) == {
        "cera.lam": ("0.5", "0.25", "0.25"),
        "device": ("cpu", "cpu", "cuda"),
    }
    assert comparison.same["short_side"] == "336"
    assert comparison.same["command"] == "ovseg evaluate street"


def test_words_that_differ_are_settings() -> None:
    one, two = make_run(0).result, make_run(0, names=("road", "sky", "crate")).result
    settings = dict(compared(one, two).settings)
    assert settings["vocabulary 1"] == ("road, sky, red box", "road, sky, crate")


@pytest.mark.parametrize(
    ("change", "caution"),
    [
        ({"bag": "desk"}, "different recordings: desk, street"),
        ({"metrics": replace(A.metrics, frames=9)}, "different numbers of frames: a 10, b 9"),
        ({"kind": "replay"}, "An online run counts"),
        ({"machine": {"machine": "big"}}, None),
        ({}, None),
    ],
)
def test_cautions(change: dict[str, Any], caution: str | None) -> None:
    cautions = compared(A, replace(A, **change)).cautions
    assert bool(cautions) == (caution is not None)
    assert all(caution in found for found in cautions)


def test_means_over_other_classes_are_told_over_the_common_ones() -> None:
    fewer = with_metrics(A, per_class_iou={"road": 0.6, "sky": 0.2, "box": None})
    [caution] = compared(A, fewer).cautions
    assert "Over the 2 that all of them have: a 60.0 %, b 40.0 %" in caution


def test_times_of_two_machines_are_cautioned() -> None:
    runs = (replace(A, machine={"machine": name}) for name in ("small", "big"))
    [caution] = compared(*runs).cautions
    assert "machines" in caution


def test_the_figures_for_programs() -> None:
    figures = compared(A, B).as_json()
    assert figures["figures"]["mean IoU"] == [0.5, 0.45]
    assert figures["per_class_iou"]["road"] == [0.8, 0.7]
    assert figures["settings"]["cera.lam"] == ["0.5", "0.25"]
    assert json.loads(json.dumps(figures)) == figures


def test_one_run_alone_differs_in_nothing() -> None:
    comparison = compared(A)
    assert not comparison.settings
    assert not comparison.cautions


def test_the_page_shows_all_runs() -> None:
    runs = [NamedRun(f"<b>{seed}</b>", make_run(seed, peak_mb=100.0 * seed).result) for seed in range(3)]
    comparison = put_side_by_side(runs)
    text = render_comparison(runs, comparison)
    assert "<b>" not in text
    assert text.count("reliability diagram") == 3
    assert text.count("histogram of the latency") == 3
    for _, rows in comparison.groups:
        for row in rows:
            assert row.label in text
            assert all(cell.text in text and cell.difference in text for cell in row.cells)
    assert "Nothing, as far as the files say" in text


def test_sections_of_a_comparison_without_data_do_not_appear() -> None:
    runs = [NamedRun("a", A), NamedRun("b", B)]
    text = render_comparison(runs, put_side_by_side(runs))
    assert "Is the confidence" not in text
    assert "<h2>Latency" not in text
    assert "cera.lam" in text


def test_files_and_folders_are_read_and_named(tmp_path: Path) -> None:
    run = make_run()
    run.write(tmp_path / "monday" / "metrics.json")
    run.write(tmp_path / "tuesday.json")
    runs = read_runs([tmp_path / "monday", tmp_path / "monday" / "metrics.json", tmp_path / "tuesday.json"])
    assert [found.label for found in runs] == ["monday", "monday (2)", "tuesday"]
    assert all(found.result == run.result for found in runs)


def test_a_comparison_of_methods_is_a_run_each_the_reference_first(tmp_path: Path) -> None:
    methods = ComparisonResult(
        data="street",
        model="tiny",
        precision="float32",
        frames=7,
        reference="clipseg",
        rows=tuple(
            MethodResult(
                name,
                miou,
                pixel_accuracy=0.8,
                p50_ms=3.0,
                p95_ms=4.0,
                peak_mb=50.0,
                per_class_iou={"road": 0.5},
            )
            for name, miou in (("maskclip", 0.25), ("clipseg", 0.5))
        ),
    )
    file = tmp_path / "comparison.json"
    file.write_text(to_json(methods), encoding="utf-8")
    runs = read_runs([file])
    assert [run.label for run in runs] == ["clipseg", "maskclip"]
    comparison = put_side_by_side(runs)
    figures = comparison.as_json()["figures"]
    assert figures["mean IoU"] == [0.5, 0.25]
    assert figures["latency, median"] == [3.0, 3.0]
    assert figures["frames scored"] == [7.0, 7.0]
    assert comparison.settings == (("method", ("clipseg", "maskclip")),)
    assert comparison.same["precision"] == "float32"
    assert not comparison.cautions
    assert "Evaluation of street" in render(runs[0].result)
