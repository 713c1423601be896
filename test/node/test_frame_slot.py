import threading

import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 is not installed")

from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.node.frames import ArrivedFrame
from ovseg_ros.node.worker import FrameSlot


def frame(number: int) -> ArrivedFrame:
    return ArrivedFrame(message=number, arrived=float(number))


def test_an_empty_slot_gives_nothing() -> None:
    slot: FrameSlot = FrameSlot()
    assert slot.take() is None
    assert not slot.waiting
    assert slot.counts == (0, 0)


def test_only_the_newest_frame_is_kept() -> None:
    slot: FrameSlot = FrameSlot()
    for number in range(3):
        slot.put(frame(number))
    assert slot.waiting
    assert slot.take() == frame(2)
    assert slot.take() is None
    assert slot.counts == (3, 2)


def test_a_cleared_frame_is_not_counted_as_dropped() -> None:
    slot: FrameSlot = FrameSlot()
    slot.put(frame(0))
    slot.clear()
    assert slot.take() is None
    assert slot.counts == (1, 0)


@given(st.lists(st.booleans(), max_size=50))
def test_every_frame_is_taken_dropped_or_waiting(puts: list[bool]) -> None:
    slot: FrameSlot = FrameSlot()
    taken = []
    for number, is_put in enumerate(puts):
        if is_put:
            slot.put(frame(number))
        elif (found := slot.take()) is not None:
            taken.append(found.message)
    received, dropped = slot.counts
    assert received == sum(puts) == len(taken) + dropped + slot.waiting
    assert taken == sorted(taken)


def test_a_put_wakes_who_sleeps_on_the_shared_condition() -> None:
    wake = threading.Condition()
    slots: list[FrameSlot] = [FrameSlot(wake), FrameSlot(wake)]
    seen: list[int] = []

    def sleep() -> None:
        with wake:
            wake.wait_for(lambda: any(slot.waiting for slot in slots), timeout=10)
            seen.append(next(index for index, slot in enumerate(slots) if slot.waiting))

    thread = threading.Thread(target=sleep)
    thread.start()
    slots[1].put(frame(1))
    thread.join(10)
    assert seen == [1]
