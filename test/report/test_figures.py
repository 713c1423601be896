"""Single figures: found, or a dash."""

import math
from typing import Any

import pytest

from ovseg_ros.report.figures import FIGURES, number, percent


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"latency_ms": {"p50": 3}}, 3.0),
        ({"latency_ms": {"p50": None}}, None),
        ({"latency_ms": {"p50": math.nan}}, None),
        ({"latency_ms": {"p50": "fast"}}, None),
        ({"latency_ms": {"p50": True}}, None),
        ({"latency_ms": 3}, None),
        ({}, None),
    ],
)
def test_a_number_is_found_or_not(metrics: dict[str, Any], expected: float | None) -> None:
    assert number(metrics, "latency_ms.p50") == expected


def test_percent() -> None:
    assert percent(0.12345) == "12.3 %"
    assert percent(None) == "-"


def test_every_figure_is_named_once_and_reads_well() -> None:
    figures = [figure for group in FIGURES.values() for figure in group]
    assert (
        len({figure.path for figure in figures}) == len({figure.label for figure in figures}) == len(figures)
    )
    by_label = {figure.label: figure for figure in figures}
    metrics = {"miou": 0.5, "latency_ms": {"p50": 12.4}, "brier": 0.1234, "rate": {"sent": 9.96}}
    assert by_label["mean IoU"].show(metrics) == "50.0 %"
    assert by_label["latency, median"].show(metrics) == "12 ms"
    assert by_label["Brier score"].show(metrics) == "0.123"
    assert by_label["input rate"].show(metrics) == "10.0 Hz"
    assert by_label["flicker"].show(metrics) == "-"
    assert by_label["mean IoU"].difference(-0.0125) == "-1.2 points"
    assert by_label["latency, median"].better == by_label["frames dropped"].better == -1
