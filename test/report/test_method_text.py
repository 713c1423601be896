import math
from xml.etree import ElementTree

import pytest

from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.report.method_plot import comparison_svg
from ovseg_ros.report.method_text import COLUMNS, cells, markdown, notes
from ovseg_ros.runs.comparison import Comparison, ComparisonRow


def row(name: str, miou: float = 0.5, difference: float = 0.0, **changes: object) -> ComparisonRow:
    values = {
        "miou_interval": Interval(miou - 0.02, miou + 0.03),
        "pixel_accuracy": 0.75,
        "accuracy_interval": Interval(0.7, 0.8),
        "difference_interval": Interval(difference - 0.01, difference + 0.01),
        "ms": 12.345,
        "p95_ms": 20.0,
        "peak_mb": 512.4,
        "per_class_iou": {"car | truck": 0.25, "sky": None},
        **changes,
    }
    return ComparisonRow(name=name, miou=miou, difference=difference, **values)


@pytest.fixture
def comparison() -> Comparison:
    rows = (
        row("a_b", 0.5),
        row("much better", 0.55, 0.05),
        row("much alike", 0.505, 0.005, peak_mb=None),
        row("nothing", math.nan, math.nan, miou_interval=None),
    )
    return Comparison(rows, "a_b", 7, ("void",), ("frame 3: cut off",), True, 2000, 4)


def test_cells(comparison: Comparison) -> None:
    written = [cells(entry, "a_b") for entry in comparison.rows]
    assert written[0] == ("a_b", "50.0 [48.0, 53.0]", "", "75.0 [70.0, 80.0]", "12.3", "20.0", "512")
    assert written[1][2] == "+5.0 [+4.0, +6.0]*"
    assert written[2][2] == "+0.5 [-0.5, +1.5]"
    assert written[2][6] == "-"
    assert written[3][1:3] == ("-", "-")


def test_notes_say_what_is_missing(comparison: Comparison) -> None:
    text = " ".join(notes(comparison, "Time: by a stop watch."))
    for part in ("7 frames", "95 %", "2000", "seed 4", "a_b", "stop watch", "void", "cut off", "Interrupted"):
        assert part in text


def test_markdown_is_a_table_of_every_row(comparison: Comparison) -> None:
    page = markdown(comparison, {"model": "tiny_model"}, "Time.")
    lines = page.splitlines()
    assert "- model: tiny\\_model" in lines
    table = [line for line in lines if line.startswith("| ")]
    columns = len(COLUMNS)
    assert [line.replace("\\|", "").count("|") for line in table[:6]] == [columns + 1] * 6
    assert "| a\\_b | 50.0 [48.0, 53.0] |" in page
    assert "| car \\| truck | 25.0 | 25.0 | 25.0 | 25.0 |" in lines
    assert "| sky | - | - | - | - |" in lines


def test_picture_is_svg_with_a_dot_and_a_bar_for_each_method(comparison: Comparison) -> None:
    picture = ElementTree.fromstring(comparison_svg(comparison))
    space = "{http://www.w3.org/2000/svg}"
    assert picture.tag == f"{space}svg"
    assert len(picture.findall(f"{space}circle")) == 3  # one has no figure
    assert len([bar for bar in picture.findall(f"{space}rect") if bar.get("class") == "bar"]) == 4
    written = [text.text for text in picture.findall(f"{space}text")]
    assert {"a_b", "much better", "much alike", "nothing", "50.0", "55.0", "12.3"} <= set(written)
    dots = [float(circle.get("cx", "")) for circle in picture.findall(f"{space}circle")]
    assert dots[0] < dots[2] < dots[1]
