"""Single figures: found, or a dash."""

from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.report.figures import FIGURES, percent
from ovseg_ros.runs.results import FrameRates, GraphFigures, Percentiles, RunResult

from ..filled_result import filled

ALL = [figure for group in FIGURES.values() for figure in group]


def test_percent() -> None:
    assert percent(0.12345) == "12.3 %"
    assert percent(None) == "-"


def test_each_figure_is_one_of_a_filled_result_and_no_two_are_the_same() -> None:
    result: RunResult = filled(RunResult)
    values = {figure.label: figure.value(result) for figure in ALL}
    assert [label for label, value in values.items() if value is None] == []
    assert len(set(values.values())) == len(values) == len(ALL)


def test_each_figure_reads_well() -> None:
    by_label = {figure.label: figure for figure in ALL}
    result = RunResult(
        metrics=SegmentationMetrics(miou=0.5, brier=0.1234),
        latency_ms=Percentiles(12.4),
        graph=GraphFigures(rate=FrameRates(sent=9.96)),
    )
    assert by_label["mean IoU"].show(result) == "50.0 %"
    assert by_label["latency, median"].show(result) == "12 ms"
    assert by_label["Brier score"].show(result) == "0.123"
    assert by_label["input rate"].show(result) == "10.0 Hz"
    assert by_label["flicker"].show(result) == ""
    assert by_label["input rate"].show(RunResult()) == ""
    assert by_label["mean IoU"].difference(-0.0125) == "-1.2 points"
    assert by_label["latency, median"].difference(12.0) == "+12 ms"
    assert by_label["latency, median"].better == by_label["frames dropped"].better == -1
