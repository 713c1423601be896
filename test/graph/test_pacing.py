"""Which frames of a recording go out, and when; reading ahead on another thread."""

import threading
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.graph.pacing import Prefetch, paced, passes
from ovseg_ros.recordings.frame import DEFAULT_RATE, Frame, Message
from ovseg_ros.recordings.messages import IMAGE

MS = 1_000_000
TIMEOUT = 20.0


def frame(stamp_ms: int, log_ms: int | None = None) -> Frame:
    stamp, log = stamp_ms * MS, (stamp_ms if log_ms is None else log_ms) * MS
    message = Message("/image", IMAGE, log, b"", stamp)
    return Frame(0, "", 0.0, stamp, log, lambda: np.zeros((1, 1, 3), np.uint8), None, lambda: message)


def dues(frames: list[Frame], speed: float = 1.0, period: float | None = None) -> list[float]:
    return [item.due_s for item in paced(frames, speed=speed, period=period)]


def test_recorded_spacing_is_kept() -> None:
    frames = [frame(1000), frame(1100), frame(1350)]
    assert dues(frames) == pytest.approx([0.0, 0.1, 0.35])
    assert dues(frames, speed=2.0) == pytest.approx([0.0, 0.05, 0.175])


def test_a_fixed_rate_ignores_the_recorded_spacing() -> None:
    frames = [frame(1000), frame(1100), frame(1350)]
    assert dues(frames, period=0.2) == pytest.approx([0.0, 0.2, 0.4])


def test_where_stamps_do_not_increase_the_times_of_recording_count() -> None:
    frames = [frame(1000, 5000), frame(1000, 5040), frame(400, 5100), frame(500, 5300), frame(450, 5300)]
    assert dues(frames) == pytest.approx([0.0, 0.04, 0.1, 0.2, 0.2])


def test_numbers_go_on_over_all_passes() -> None:
    chosen = [f for _, f in passes(lambda: [frame(1000), frame(1100)], 2)]
    assert [item.number for item in paced(chosen)] == [0, 1, 2, 3]


def test_every_pass_has_the_recorded_stamps_and_later_times_of_recording() -> None:
    played = list(passes(lambda: [frame(1000), frame(1100), frame(1250)], 3))
    assert [number for number, _ in played] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [f.stamp_ns // MS for _, f in played] == [1000, 1100, 1250] * 3
    # The recording lasts 250 ms; the next pass follows after the last gap, of 150 ms.
    assert [f.log_ns // MS for _, f in played] == [1000, 1100, 1250, 1400, 1500, 1650, 1800, 1900, 2050]


def test_a_recording_of_one_frame_is_repeated_at_the_default_rate() -> None:
    played = [f for _, f in islice(passes(lambda: [frame(1000)], 0), 3)]
    assert [f.log_ns / 1e9 for f in played] == pytest.approx([1 + n / DEFAULT_RATE for n in range(3)])


def test_an_empty_recording_ends_an_endless_replay() -> None:
    assert list(passes(lambda: [], 0)) == []


@given(recorded=st.integers(0, 40), loops=st.integers(1, 3))
def test_passes_are_whole_and_their_times_increase(recorded: int, loops: int) -> None:
    frames = [frame(1000 + 10 * number) for number in range(recorded)]
    played = [f for _, f in passes(lambda: frames, loops)]
    assert [f.stamp_ns for f in played] == [f.stamp_ns for f in frames] * loops
    times = [f.log_ns for f in played]
    assert times == sorted(set(times))


def test_everything_comes_in_order() -> None:
    assert list(Prefetch(range(1000), lambda item: 10, budget=50)) == list(range(1000))


def test_no_more_than_the_budget_is_read_ahead() -> None:
    read = 0
    third = threading.Event()

    def items() -> Iterator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            if read == 6:
                third.set()
            yield number

    ahead = Prefetch(items(), lambda item: 10, budget=40)
    assert next(ahead) == 0
    # Four wait, a fifth is in the reader's hand.
    assert third.wait(TIMEOUT)
    ahead.close()
    assert read == 6


def test_two_items_are_read_ahead_however_large() -> None:
    assert list(Prefetch([1, 2, 3], lambda item: 100, budget=1)) == [1, 2, 3]


def test_an_error_comes_where_the_reader_met_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("damaged")

    ahead = Prefetch(items(), lambda item: 1)
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="damaged"):
        next(ahead)


def test_closing_ends_the_reader_and_closes_what_it_reads_on_its_own_thread() -> None:
    closed_by: list[str] = []

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed_by.append(threading.current_thread().name)

    ahead = Prefetch(items(), lambda item: 1, budget=5)
    next(ahead)
    ahead.close()
    assert closed_by == ["prefetch"]
    assert list(ahead) == []
