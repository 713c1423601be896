import math
import threading

import numpy as np
import pytest

from ovseg_ros.node.statistics import LATENCY_FRAMES, CameraStatistics


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def statistics(clock: Clock) -> CameraStatistics:
    return CameraStatistics(clock)


def test_rate_counts_intervals_in_the_window(statistics: CameraStatistics, clock: Clock) -> None:
    assert statistics.snapshot().input_rate == 0
    statistics.arrived()
    assert statistics.snapshot().input_rate == 0, "one event is no rate"
    for _ in range(100):
        clock.now += 0.1
        statistics.arrived()
    assert statistics.snapshot().input_rate == pytest.approx(10)
    clock.now += 6.0
    assert statistics.snapshot().input_rate == 0, "what lies before the window is forgotten"


def test_nothing_has_happened_yet(statistics: CameraStatistics) -> None:
    snapshot = statistics.snapshot()
    assert snapshot.input_rate == snapshot.output_rate == 0
    assert math.isnan(snapshot.latency.p50)
    assert snapshot.since_input == math.inf
    assert not snapshot.failing


def test_percentiles_are_those_of_the_last_frames_in_ms(statistics: CameraStatistics) -> None:
    for _ in range(30):
        statistics.published(latency=9.0, processing=9.0)
    values = np.linspace(0.01, 0.2, LATENCY_FRAMES)
    for value in values:
        statistics.published(latency=value, processing=2 * value)
    snapshot = statistics.snapshot()
    assert snapshot.latency.p50 == pytest.approx(1e3 * np.percentile(values, 50))
    assert snapshot.latency.p99 == pytest.approx(1e3 * np.percentile(values, 99))
    assert snapshot.processing.p95 == pytest.approx(2e3 * np.percentile(values, 95))


def test_an_unknown_latency_does_not_count(statistics: CameraStatistics) -> None:
    statistics.published(latency=math.nan, processing=0.1)
    statistics.published(latency=0.05, processing=0.1)
    assert statistics.snapshot().latency.p50 == pytest.approx(50)


def test_reasons_are_counted_apart(statistics: CameraStatistics, clock: Clock) -> None:
    for reason in ("step_too_small", "zero_size", "zero_size"):
        statistics.rejected(reason, f"because of {reason}")
    assert statistics.check_stamp(0, 10**18) == "stamp_zero"
    clock.now += 2
    snapshot = statistics.snapshot()
    assert snapshot.rejected == {"step_too_small": 1, "zero_size": 2}
    assert snapshot.stamp_warnings == {"stamp_zero": 1}
    assert snapshot.last_rejection == "because of zero_size"
    assert snapshot.since_rejection == snapshot.since_stamp_warning == 2


def test_failing_lasts_until_a_frame_succeeds(statistics: CameraStatistics) -> None:
    statistics.failed("broke")
    assert statistics.snapshot().failing
    statistics.published(latency=0.1, processing=0.1)
    snapshot = statistics.snapshot()
    assert not snapshot.failing
    assert (snapshot.errors, snapshot.last_error) == (1, "broke")


def test_idle_is_when_the_last_frame_was_for_nobody(statistics: CameraStatistics) -> None:
    statistics.skipped()
    assert statistics.snapshot().idle
    statistics.published(latency=0.1, processing=0.1)
    assert not statistics.snapshot().idle


def test_windows_can_begin_anew(statistics: CameraStatistics, clock: Clock) -> None:
    for _ in range(10):
        clock.now += 0.1
        statistics.arrived()
        statistics.published(latency=0.1, processing=0.1)
    assert statistics.snapshot().input_rate == pytest.approx(10)
    statistics.opened()
    snapshot = statistics.snapshot()
    assert snapshot.input_rate == snapshot.output_rate == 0
    assert math.isnan(snapshot.latency.p50)
    assert snapshot.published == 10, "counts stay"


def test_counts_from_many_threads_add_up(statistics: CameraStatistics) -> None:
    def work() -> None:
        for _ in range(200):
            statistics.arrived()
            statistics.rejected("reason", "message")
            statistics.snapshot()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statistics.snapshot().rejected == {"reason": 800}


def test_a_jump_back_begins_the_windows_anew(statistics: CameraStatistics, clock: Clock) -> None:
    second = 10**9
    for number in (1, 2):
        clock.now += 0.1
        statistics.arrived()
        assert statistics.check_stamp(number * second, 3 * second) is None
    assert statistics.snapshot().input_rate > 0
    assert statistics.check_stamp(second, 3 * second) == "stamp_jumped_back"
    assert statistics.snapshot().input_rate == 0
    statistics.opened()
    assert statistics.check_stamp(second // 2, 3 * second) is None, "what came before the input was closed"
