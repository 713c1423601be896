"""The frame that is kept for questions, and the waiting for one."""

import threading
import time
from typing import Any

import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 is not installed")

from ovseg_ros.node import locate
from ovseg_ros.node.frames import LabelledFrame
from ovseg_ros.node.locate import NewestFrame
from ovseg_ros.node.worker import FrameSlot


def frame(age: float = 0.0) -> LabelledFrame:
    nothing: Any = None
    later = {"segmentation": nothing, "camera_info": nothing, "setup": nothing}
    return LabelledFrame(*[nothing] * 5, arrived=time.monotonic() - age, **later)


def after(seconds: float, work: Any, *arguments: Any) -> threading.Timer:
    timer = threading.Timer(seconds, work, arguments)
    timer.start()
    return timer


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "IMAGE_PATIENCE", 0.2)
    monkeypatch.setattr(locate, "WORK_PATIENCE", 20.0)


def test_a_fresh_frame_is_given_at_once() -> None:
    newest = NewestFrame(FrameSlot())
    fresh = frame(0.5)
    newest.put(frame(0.6))
    newest.put(fresh)
    assert newest.get(1.0) is fresh
    assert not newest.asked


def test_an_old_frame_has_the_next_one_asked_for() -> None:
    newest = NewestFrame(FrameSlot())
    newest.put(frame(10))
    fresh = frame()
    asked: list[bool] = []

    def work() -> None:
        asked.append(newest.asked)
        newest.put(fresh)

    timer = after(0.1, work)
    assert newest.get(1.0) is fresh
    assert asked == [True]
    assert not newest.asked
    timer.join()


@pytest.mark.usefixtures("_impatient")
def test_without_images_the_old_frame_has_to_do() -> None:
    newest = NewestFrame(FrameSlot())
    assert newest.get(1.0) is None
    old = frame(10)
    newest.put(old)
    assert newest.get(1.0) is old
    assert not newest.asked


@pytest.mark.usefixtures("_impatient")
def test_an_image_that_is_worked_on_is_waited_for_longer() -> None:
    slot: FrameSlot = FrameSlot()
    newest = NewestFrame(slot)
    fresh = frame()
    timers = [after(0.1, slot.put, "an image"), after(0.6, newest.put, fresh)]
    assert newest.get(1.0) is fresh
    for timer in timers:
        timer.join()


def test_closing_ends_the_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "IMAGE_PATIENCE", 60)
    newest = NewestFrame(FrameSlot())
    newest.put(frame(10))
    timer = after(0.1, newest.clear)
    start = time.monotonic()
    assert newest.get(1.0) is None
    assert time.monotonic() - start < 30
    timer.join()
