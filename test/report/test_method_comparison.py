"""A comparison of methods: table, notes, Markdown, picture."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.report.method_comparison import (
    COLUMNS,
    cells,
    methods_as_markdown,
    methods_as_svg,
    notes,
)
from ovseg_ros.runs.comparison import BootstrapSettings, ComparisonResult, MethodResult


def row(name: str, miou: float | None = 0.5, difference: float | None = 0.0, **changes: Any) -> MethodResult:
    around = None if miou is None else Interval(miou - 0.02, miou + 0.03)
    ends = None if difference is None else Interval(difference - 0.01, difference + 0.01)
    found = MethodResult(
        name=name,
        miou=miou,
        miou_interval=around,
        pixel_accuracy=0.75,
        pixel_accuracy_interval=Interval(0.7, 0.8),
        miou_difference=difference,
        miou_difference_interval=ends,
        p50_ms=12.345,
        p95_ms=20.0,
        peak_mb=512.4,
        per_class_iou={"car | truck": 0.25, "sky": None},
    )
    return replace(found, **changes)


@pytest.fixture
def comparison() -> ComparisonResult:
    rows = (
        row("a_b", 0.5),
        row("much better", 0.55, 0.05),
        row("much alike", 0.505, 0.005, peak_mb=None),
        row("nothing", None, None),
    )
    return ComparisonResult(
        model="tiny_model",
        timing="Time: by a stop watch.",
        frames=7,
        reference="a_b",
        bootstrap=BootstrapSettings(2000, 4, 0.95),
        ignored_classes=("void",),
        left_out=("frame 3: cut off",),
        interrupted=True,
        rows=rows,
    )


def test_cells(comparison: ComparisonResult) -> None:
    written = [cells(entry, "a_b") for entry in comparison.rows]
    assert written[0] == ("a_b", "50.0 [48.0, 53.0]", "", "75.0 [70.0, 80.0]", "12.3", "20.0", "512")
    assert written[1][2] == "+5.0 [+4.0, +6.0]*"
    assert written[2][2] == "+0.5 [-0.5, +1.5]"
    assert written[2][6] == "-"
    assert written[3][1:3] == ("-", "-")


def test_notes_say_what_is_missing(comparison: ComparisonResult) -> None:
    text = " ".join(notes(comparison))
    for part in ("7 frames", "95 %", "2000", "seed 4", "a_b", "stop watch", "void", "cut off", "Interrupted"):
        assert part in text


def test_markdown_is_a_table_of_every_row(comparison: ComparisonResult) -> None:
    page = methods_as_markdown(comparison)
    lines = page.splitlines()
    assert "- model: tiny\\_model" in lines
    table = [line for line in lines if line.startswith("| ")]
    columns = len(COLUMNS)
    assert [line.replace("\\|", "").count("|") for line in table[:6]] == [columns + 1] * 6
    assert r"| a\_b | 50.0 \[48.0, 53.0\] |" in page
    assert "| car \\| truck | 25.0 | 25.0 | 25.0 | 25.0 |" in lines
    assert "| sky | - | - | - | - |" in lines


def test_picture_is_svg_with_a_dot_and_a_bar_for_each_method(comparison: ComparisonResult) -> None:
    picture = ElementTree.fromstring(methods_as_svg(comparison))
    space = "{http://www.w3.org/2000/svg}"
    assert picture.tag == f"{space}svg"
    assert len(picture.findall(f"{space}circle")) == 3  # one has no figure
    assert len([bar for bar in picture.findall(f"{space}rect") if bar.get("class") == "bar"]) == 4
    written = [text.text for text in picture.findall(f"{space}text")]
    assert {"a_b", "much better", "much alike", "nothing", "50.0", "55.0", "12.3"} <= set(written)
    dots = [float(circle.get("cx", "")) for circle in picture.findall(f"{space}circle")]
    assert dots[0] < dots[2] < dots[1]
