import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ovseg_ros.node.frame_slot import Frame, FrameSlot
from ovseg_ros.node.worker import FrameWorker


class Bench:
    """A worker whose work is to pair frame and setup, with a gate to hold it in the middle of a frame."""

    def __init__(self) -> None:
        wake = threading.Condition()
        self.slot = FrameSlot(wake)
        self.events: list[tuple[str, Any]] = []
        self.errors: list[Exception] = []
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.broken: set[str] = set()
        self.worker: FrameWorker[str, tuple[int, str]] = FrameWorker(
            [self.slot],
            wake,
            announce=self.announce,
            compute=self.compute,
            publish=self.publish,
            failed=self.failed,
        )

    def announce(self, setup: str) -> None:
        self.events.append(("announce", setup))
        self._break("announce")

    def compute(self, slot: FrameSlot, frame: Frame, setup: str) -> tuple[int, str] | None:
        assert slot is self.slot
        self.begun.set()
        assert self.gate.wait(10)
        self._break("compute")
        return None if frame.message == "unwanted" else (frame.message, setup)

    def publish(self, result: tuple[int, str]) -> None:
        self._break("publish")
        self.events.append(("publish", result))

    def failed(self, error: Exception) -> None:
        self.errors.append(error)
        self._break("failed")

    def put(self, message: Any) -> None:
        self.slot.put(Frame(message, 0.0))

    def wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, f"nothing happened; {self.events} {self.errors}"
            time.sleep(0.001)

    def wait_published(self, *expected: Any) -> None:
        self.wait(lambda: self.published == list(expected))

    @property
    def published(self) -> list[Any]:
        return [value for kind, value in self.events if kind == "publish"]

    def _break(self, where: str) -> None:
        if where in self.broken:
            raise RuntimeError(f"{where} broke")


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.gate.set()
    assert bench.worker.stop(10)


def test_a_frame_needs_a_setup_and_an_open_worker(bench: Bench) -> None:
    bench.put(1)
    bench.worker.resume()
    time.sleep(0.02)
    assert bench.slot.waiting
    bench.worker.offer("words")
    bench.wait_published((1, "words"))
    assert bench.events[0] == ("announce", "words")


def test_a_setup_is_announced_without_any_frame_and_while_paused(bench: Bench) -> None:
    bench.worker.offer("first")
    bench.wait(lambda: bench.events == [("announce", "first")])
    bench.worker.resume()
    bench.worker.pause()
    bench.worker.offer("second")
    bench.wait(lambda: bench.events[-1] == ("announce", "second"))


def test_a_swap_falls_between_two_frames(bench: Bench) -> None:
    bench.worker.offer("old")
    bench.worker.resume()
    bench.gate.clear()
    bench.put(1)
    assert bench.begun.wait(10)
    bench.worker.offer("lost")
    bench.worker.offer("new")
    bench.put(2)
    bench.gate.set()
    bench.wait_published((1, "old"), (2, "new"))
    assert bench.events == [
        ("announce", "old"),
        ("publish", (1, "old")),
        ("announce", "new"),
        ("publish", (2, "new")),
    ]


def test_the_newest_frame_goes_next(bench: Bench) -> None:
    bench.worker.offer("words")
    bench.worker.resume()
    bench.gate.clear()
    bench.put(1)
    assert bench.begun.wait(10)
    for number in (2, 3, 4):
        bench.put(number)
    bench.gate.set()
    bench.wait_published((1, "words"), (4, "words"))
    assert bench.slot.counts == (4, 2)


def test_what_was_begun_before_a_pause_is_not_published(bench: Bench) -> None:
    bench.worker.offer("words")
    bench.worker.resume()
    bench.gate.clear()
    bench.put(1)
    assert bench.begun.wait(10)
    bench.worker.pause()
    bench.worker.resume()
    bench.gate.set()
    bench.put(2)
    bench.wait_published((2, "words"))


def test_nothing_is_published_for_a_frame_without_a_result(bench: Bench) -> None:
    bench.worker.offer("words")
    bench.worker.resume()
    bench.put("unwanted")
    bench.wait(lambda: not bench.slot.waiting)
    bench.put(2)
    bench.wait_published((2, "words"))


@pytest.mark.parametrize("where", ["announce", "compute", "publish"])
@pytest.mark.parametrize("telling_breaks_too", [False, True])
def test_every_exception_is_told_and_survived(bench: Bench, where: str, telling_breaks_too: bool) -> None:
    bench.broken = {where, "failed"} if telling_breaks_too else {where}
    bench.worker.resume()
    bench.worker.offer("words")
    bench.put(1)
    bench.wait(lambda: bool(bench.errors) and not bench.slot.waiting)
    assert f"{where} broke" in str(bench.errors[0])
    bench.broken = set()
    bench.put(2)
    bench.wait(lambda: (2, "words") in bench.published)


def test_stop_tells_whether_the_thread_ended(bench: Bench) -> None:
    bench.worker.offer("words")
    bench.worker.resume()
    bench.gate.clear()
    bench.put(1)
    assert bench.begun.wait(10)
    assert not bench.worker.stop(0.01)
    bench.gate.set()
    assert bench.worker.stop(10)
    assert not bench.published


def test_after_stop_nothing_is_held(bench: Bench) -> None:
    assert bench.worker.stop(10)
    bench.worker.offer("late")
    assert bench.worker._offered is None
    assert bench.worker._setup is None
