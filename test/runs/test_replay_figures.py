"""Figures of a replay, against values worked out by hand."""

import json
import math
from array import array

import pytest

from ovseg_ros.graph.player import Trace
from ovseg_ros.runs.replay_figures import ReplayRecord, graph_figures, jitter, rate, recovery
from ovseg_ros.runs.result_files import as_json
from ovseg_ros.runs.results import Percentiles, RateSearch, RateTrial

NAN = math.nan


def trace(sent_s: list[float], latency_ms: list[float]) -> Trace:
    made = Trace()
    for number, (sent, latency) in enumerate(zip(sent_s, latency_ms, strict=True)):
        made.add(sent, 0.5)
        if not math.isnan(latency):
            made.answer(number, latency)
    return made


def test_counts_latency_and_rates() -> None:
    result = ReplayRecord(
        trace([0.0, 0.1, NAN, 0.3, 0.4], [40.0, NAN, NAN, 60.0, 50.0]),
        rate=10.0,
        received=3,
        service_s={"get_vocabulary": array("d", [0.002, 0.004])},
    )
    figures = as_json(graph_figures(result, bag_rate=5.0))
    counts = ("frames_in", "frames_out", "frames_dropped", "frames_not_received")
    assert [figures[key] for key in counts] == [4, 3, 1, 1]
    assert result.left_out == 1
    assert figures["jitter_ms"] == pytest.approx(15.0)
    assert figures["rate"] == {
        "bag": 5.0,
        "asked": 10.0,
        "sent": pytest.approx(3 / 0.4),
        "output": pytest.approx(2 / 0.41),
    }
    # Labels arrived at 40, 360 and 450 ms.
    assert figures["output_interval_ms"]["max"] == pytest.approx(320.0)
    assert figures["service_ms"]["p50"] == pytest.approx(3.0)
    assert figures["service_ms"]["get_vocabulary"]["calls"] == 2
    assert figures["recovery"] is None
    assert figures["sending"]["late_ms"]["max"] == 0.5


def test_a_replay_without_any_answer_has_figures_too() -> None:
    figures = as_json(graph_figures(ReplayRecord(interrupted=True), bag_rate=None))
    assert figures["frames_in"] == 0
    assert figures["rate"]["output"] is None
    json.dumps(figures, allow_nan=False)


def test_the_search_for_the_highest_rate_is_reported_burst_by_burst() -> None:
    found = RateSearch(8.0, 10.0, (RateTrial(10.0, 9.9, 40, 30), RateTrial(8.0, 8.0, 40, 40)))
    figures = as_json(graph_figures(ReplayRecord(highest_rate=found), None))
    assert figures["sustainable_rate"] == 8.0
    assert figures["rate_search"]["bursts"][0] == {
        "asked": 10.0,
        "sent": 9.9,
        "frames_in": 40,
        "frames_out": 30,
    }


@pytest.mark.parametrize(
    ("latencies", "expected"), [([], None), ([5.0], None), ([5.0, NAN, 8.0, 6.0], 2.5), ([7.0, 7.0], 0.0)]
)
def test_jitter_is_the_mean_change(latencies: list[float], expected: float | None) -> None:
    assert jitter(latencies) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(("times", "expected"), [([], None), ([1.0], None), ([1.0, NAN, 2.0, 3.0], 1.0)])
def test_rate_counts_intervals(times: list[float], expected: float | None) -> None:
    assert rate(times) == expected


def test_recovery_after_jumps() -> None:
    sent = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    played = trace(sent, [50.0, 50.0, NAN, NAN, 70.0, NAN, NAN, NAN])
    told = as_json(recovery(played, [0, 3, 6, 9]))
    assert told is not None
    assert (told["jumps"], told["recovered"]) == (2, 1)
    first, second = told["by_jump"]
    # The pass began at 0.3 s; its second frame, sent at 0.4 s, was labelled at 0.47 s.
    assert first["first_answer_ms"] == pytest.approx(170.0)
    assert (first["frames_before_first_answer"], first["frames_in"], first["frames_out"]) == (1, 3, 1)
    assert second == {
        "first_answer_ms": None,
        "frames_before_first_answer": 2,
        "frames_in": 2,
        "frames_out": 0,
    }
    assert (told["frames_in"], told["frames_out"]) == (5, 1)


def test_without_a_jump_there_is_no_recovery() -> None:
    assert recovery(trace([0.0, 0.1], [50.0, 50.0]), [0]) is None


def test_percentiles_leave_out_what_is_no_number() -> None:
    assert Percentiles.of([float(n) for n in range(101)] + [NAN]) == Percentiles(50, 95, 99, 100)
    assert Percentiles.of([NAN]) == Percentiles.of([]) == Percentiles()
