"""Which frames of a bag go out, and when."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.graph.pacing import USUAL_RATE, Pace, Selection, paced
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.message_types import IMAGE, image_message, message_types

MS = 1_000_000


def frame(stamp_ms: int, log_ms: int | None = None) -> Frame:
    message = image_message(np.zeros((1, 1), np.uint8), "mono8", stamp_ms * MS)
    data = bytes(message_types().serialize_cdr(message, IMAGE))
    log_ns = (stamp_ms if log_ms is None else log_ms) * MS
    return Frame(Message("/image", IMAGE, log_ns, data, stamp_ms * MS or log_ns))


def dues(frames: list[Frame], pace: Pace) -> list[float]:
    return [item.due_s for item in paced(frames, pace)]


def test_recorded_spacing_is_kept() -> None:
    frames = [frame(1000), frame(1100), frame(1350)]
    assert dues(frames, Pace()) == pytest.approx([0.0, 0.1, 0.35])
    assert dues(frames, Pace(speed=2.0)) == pytest.approx([0.0, 0.05, 0.175])


def test_a_fixed_rate_ignores_the_recorded_spacing() -> None:
    frames = [frame(1000), frame(1100), frame(1350)]
    assert dues(frames, Pace(period=0.2)) == pytest.approx([0.0, 0.2, 0.4])


def test_where_stamps_do_not_go_on_the_times_of_recording_tell() -> None:
    frames = [frame(1000, 5000), frame(1000, 5040), frame(400, 5100), frame(500, 5300), frame(450, 5300)]
    assert dues(frames, Pace()) == pytest.approx([0.0, 0.04, 0.1, 0.2, 0.2])


def test_numbers_go_on_over_all_passes() -> None:
    chosen = [f for _, f in Selection(passes=2).frames(lambda: [frame(1000), frame(1100)])]
    assert [item.number for item in paced(chosen, Pace())] == [0, 1, 2, 3]


def test_every_pass_has_the_recorded_stamps_and_later_times_of_recording() -> None:
    played = list(Selection(passes=3).frames(lambda: [frame(1000), frame(1100), frame(1250)]))
    assert [number for number, _ in played] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [f.stamp_ns // MS for _, f in played] == [1000, 1100, 1250] * 3
    # The bag lasts 250 ms; the next pass follows after the last gap, of 150 ms.
    assert [f.image.log_ns // MS for _, f in played] == [1000, 1100, 1250, 1400, 1500, 1650, 1800, 1900, 2050]


def test_a_bag_of_one_frame_is_repeated_at_the_usual_rate() -> None:
    played = [f for _, f in islice(Selection(passes=0).frames(lambda: [frame(1000)]), 3)]
    assert [f.image.log_ns / 1e9 for f in played] == pytest.approx([1 + n / USUAL_RATE for n in range(3)])


def test_an_empty_bag_ends_an_endless_replay() -> None:
    assert list(Selection(passes=0).frames(lambda: [])) == []


@given(
    recorded=st.integers(0, 40),
    every=st.integers(1, 9),
    limit=st.none() | st.integers(1, 50),
    passes=st.integers(1, 3),
)
def test_a_selection_is_what_a_slice_is(recorded: int, every: int, limit: int | None, passes: int) -> None:
    frames = [frame(1000 + 10 * number) for number in range(recorded)]
    expected = frames[::every][:limit]
    selection = Selection(every, limit, passes)
    played = [f.stamp_ns for _, f in selection.frames(lambda: frames)]
    assert played == [f.stamp_ns for f in expected] * passes
    assert selection.per_pass(recorded) == len(expected)
    times = [f.image.log_ns for _, f in selection.frames(lambda: frames)]
    assert times == sorted(set(times))
