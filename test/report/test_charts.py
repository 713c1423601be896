"""The charts show each figure once, and nothing where there is nothing."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.metrics.calibration import ReliabilityBin
from ovseg_ros.report.charts import (
    confusion_matrix,
    hex_color,
    latency_histogram,
    over_time,
    phase_number,
    reliability_diagram,
)
from ovseg_ros.runs.results import FrameResult


def elements(chart: Markup, name: str, kind: str = "") -> list[ElementTree.Element]:
    root = ElementTree.fromstring(f"<div>{chart}</div>")
    return [found for found in root.iter(name) if kind in found.attrib.get("class", "").split() or not kind]


def frame(number: int, latency: float | None, revision: int = 1) -> FrameResult:
    return FrameResult(number, number / 10, None if latency is None else revision, latency)


def latency(frame: FrameResult) -> float | None:
    return frame.latency_ms


def test_each_answered_frame_is_a_point_and_each_dropped_one_a_mark() -> None:
    frames = [frame(0, 100.0), frame(1, None), frame(2, 50.0, revision=2), frame(3, 75.0, revision=2)]
    chart = over_time(frames, latency, "latency (ms)")
    points = elements(chart, "circle")
    assert [point.attrib["class"] for point in points] == ["phase-1", "phase-2", "phase-2"]
    assert [point[0].text for point in points] == ["frame 1: 100", "frame 3: 50", "frame 4: 75"]
    heights = [float(point.attrib["cy"]) for point in points]
    assert heights[0] < heights[2] < heights[1]
    assert heights[2] == pytest.approx((heights[0] + heights[1]) / 2, abs=0.02)
    assert len(elements(chart, "line", "dropped")) == 1
    assert "time (s)" in chart


def test_frames_that_were_not_sent_stand_over_their_number() -> None:
    frames = [replace(frame(number, 10.0), sent_s=None) for number in range(3)]
    chart = over_time(frames, latency, "latency (ms)")
    assert "time (s)" not in chart
    assert ">frame<" in chart


def test_a_frame_without_the_figure_is_no_dropped_one() -> None:
    frames = [frame(0, 10.0), replace(frame(1, 10.0), miou=0.5)]
    chart = over_time(frames, lambda frame: frame.miou and 100 * frame.miou, "mean IoU (%)")
    assert [point[0].text for point in elements(chart, "circle")] == ["frame 2: 50"]
    assert not elements(chart, "line", "dropped")


def test_many_frames_stand_together() -> None:
    frames = [frame(number, float(number % 7)) for number in range(5000)]
    chart = over_time(frames, latency, "latency (ms)")
    points = elements(chart, "circle")
    assert len(points) == len(elements(chart, "line", "spread")) == 240
    counts = [int((point[0].text or "").split()[0]) for point in points]
    assert sum(counts) == 5000
    assert all("from 0 to 6, median 3" in (point[0].text or "") for point in points)


@pytest.mark.parametrize("frames", [[frame(0, 5.0)], [frame(0, None)], [frame(0, 0.0), frame(1, 0.0)]])
def test_one_frame_or_no_time_at_all_is_drawn(frames: list[FrameResult]) -> None:
    assert over_time(frames, latency, "latency (ms)").startswith("<svg")


def test_the_histogram_counts_every_latency_once() -> None:
    latencies = np.random.default_rng(1).gamma(5, 20, 200).tolist()
    chart = latency_histogram(latencies)
    titles = [bar[0].text or "" for bar in elements(chart, "rect", "count")]
    assert sum(int(title.split(": ")[1].split()[0]) for title in titles) == 200
    assert [line[0].text for line in elements(chart, "line", "mark")] == [
        f"p50: {np.median(latencies):.4g} ms",
        f"p95: {np.percentile(latencies, 95):.4g} ms",
    ]


def test_equal_latencies_make_a_histogram() -> None:
    titles = [bar[0].text for bar in elements(latency_histogram([20.0] * 4), "rect", "count")]
    assert len(titles) == 1


def test_histograms_over_one_range_have_equal_bins() -> None:
    charts = [latency_histogram([low, low + 1.0], (0.0, 50.0)) for low in (0.0, 49.0)]
    places = [elements(chart, "rect", "count")[0].attrib for chart in charts]
    assert places[0]["width"] == places[1]["width"]
    assert float(places[0]["x"]) < float(places[1]["x"])


def bins(*entries: tuple[int, float | None, float | None]) -> list[ReliabilityBin]:
    width = 1 / len(entries)
    return [ReliabilityBin(number * width, (number + 1) * width, *e) for number, e in enumerate(entries)]


def test_the_reliability_diagram_shows_accuracy_gap_and_pixels() -> None:
    chart = reliability_diagram(bins((0, None, None), (30, 0.5, 0.8), (70, 0.9, 0.6)))
    assert [title[0].text for title in elements(chart, "rect", "accuracy")] == [
        "confidence 0.33 to 0.67 (mean 0.500): accuracy 0.800",
        "confidence 0.67 to 1.00 (mean 0.900): accuracy 0.600",
    ]
    [under], [over] = elements(chart, "rect", "under"), elements(chart, "rect", "over")
    assert float(under.attrib["height"]) == pytest.approx(float(over.attrib["height"]), abs=0.02)
    shares = [bar[0].text for bar in elements(chart, "rect", "count")]
    assert shares == [
        "confidence 0.33 to 0.67: 30 pixels (30.0 %)",
        "confidence 0.67 to 1.00: 70 pixels (70.0 %)",
    ]
    [diagonal] = elements(chart, "line", "diagonal")
    assert float(diagonal.attrib["x1"]) < float(diagonal.attrib["x2"])


def test_empty_bins_alone_draw_no_bar() -> None:
    chart = reliability_diagram(bins((0, None, None), (0, None, None)))
    assert not elements(chart, "rect")


def test_the_confusion_matrix_has_a_cell_for_each_count_but_zero() -> None:
    chart = confusion_matrix(
        ConfusionTable(("road", "sky"), ("road", "sky", "unlabelled"), ((3, 0, 1), (0, 996, 4)))
    )
    right, wrong = elements(chart, "rect", "right"), elements(chart, "rect", "wrong")
    assert [cell[0].text for cell in right] == [
        "road as road: 75 % of its pixels (3)",
        "sky as sky: 99.6 % of its pixels (996)",
    ]
    assert [cell[0].text for cell in wrong] == [
        "road as unlabelled: 25 % of its pixels (1)",
        "sky as unlabelled: 0.4 % of its pixels (4)",
    ]
    # A number only where it does not round to nothing.
    numbers = [text.text for text in elements(chart, "text") if "class" in text.attrib]
    assert numbers == ["75", "25", "100"]
    assert float(right[0].attrib["fill-opacity"]) < float(right[1].attrib["fill-opacity"])


def test_a_truth_called_background_is_wrong_as_the_background_beside() -> None:
    chart = confusion_matrix(ConfusionTable(("background",), ("background", "background"), ((1, 1),)))
    assert len(elements(chart, "rect", "right")) == len(elements(chart, "rect", "wrong")) == 1


def test_sixty_classes_are_drawn_small_and_named() -> None:
    names = [f"a class with a rather long name {number}" for number in range(60)]
    chart = confusion_matrix(
        ConfusionTable(tuple(names), tuple(names), tuple(map(tuple, np.eye(60, dtype=int).tolist())))
    )
    cells = elements(chart, "rect", "right")
    assert len(cells) == 60
    assert {cell.attrib["width"] for cell in cells} == {"13"}
    titles = [text[0].text for text in elements(chart, "text")]
    assert titles == names * 2
    assert not [text for text in elements(chart, "text") if "class" in text.attrib]


def test_hostile_names_stay_names() -> None:
    name = '<img src=x onerror="alert(1)">'
    chart = confusion_matrix(ConfusionTable((name,), (name,), ((5,),)))
    assert "<img" not in chart
    assert elements(chart, "rect", "right")[0][0].text == f"{name} as {name}: 100 % of its pixels (5)"


def test_colors() -> None:
    assert hex_color((255, 0, 16)) == "#ff0010"
    assert [phase_number(revision) for revision in (0, 1, 2, 4, 5)] == [0, 1, 2, 4, 1]
