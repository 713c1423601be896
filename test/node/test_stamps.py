import math

import pytest

from ovseg_ros.node.statistics import STAMP_WARNINGS, CameraStatistics, latency, stamp_warning

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("stamp", "now", "warning"),
    [
        (NOW - SECOND // 10, NOW, None),
        (NOW + SECOND // 1000, NOW, None),
        (0, NOW, "stamp_zero"),
        (NOW + SECOND, NOW, "stamp_in_the_future"),
        (NOW - 3600 * SECOND, NOW, "stamp_of_another_clock"),
        (NOW, 0, "no_clock"),
    ],
)
def test_warnings_about_a_first_stamp(stamp: int, now: int, warning: str | None) -> None:
    assert stamp_warning(stamp, 0, now) == warning
    assert warning is None or warning in STAMP_WARNINGS


def test_a_jump_back_is_reported_once() -> None:
    statistics = CameraStatistics()
    stamps = [NOW, NOW + 1, NOW - SECOND, NOW - SECOND + 1]
    assert [statistics.check_stamp(stamp, NOW) for stamp in stamps] == [None, None, "stamp_jumped_back", None]


def test_stamps_of_zero_are_no_jump() -> None:
    statistics = CameraStatistics()
    assert [statistics.check_stamp(stamp, NOW) for stamp in (NOW, 0, NOW - 5)] == [None, "stamp_zero", None]


def test_after_a_reset_an_older_stamp_is_no_jump() -> None:
    statistics = CameraStatistics()
    statistics.check_stamp(NOW, NOW)
    statistics.opened()
    assert statistics.check_stamp(NOW - SECOND, NOW) is None


def test_latency_is_the_age() -> None:
    assert latency(NOW - SECOND // 4, NOW) == pytest.approx(0.25)
    assert latency(NOW + 1000, NOW) == 0


@pytest.mark.parametrize(
    ("stamp", "now"), [(0, NOW), (NOW, 0), (NOW + SECOND, NOW), (NOW - 100 * SECOND, NOW)]
)
def test_latency_is_unknown_where_the_clocks_do_not_allow_it(stamp: int, now: int) -> None:
    assert math.isnan(latency(stamp, now))
