import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from ovseg_ros.node.worker import FrameSlot, FrameWorker


class Bench:
    """A worker whose work is to pair frame and setup, with a gate to hold it in the middle of a batch.

    Frames are numbers or strings. Their type says which batch they belong to.
    """

    def __init__(self, slots: int = 1) -> None:
        wake = threading.Condition()
        self.slots: list[FrameSlot] = [FrameSlot(wake) for _ in range(slots)]
        self.slot = self.slots[0]
        self.events: list[tuple[str, Any]] = []
        self.batches: list[list[Any]] = []
        self.errors: list[Exception] = []
        self.failures: list[list[FrameSlot]] = []
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.broken: set[Any] = set()
        self.worker: FrameWorker = FrameWorker(self.slots, wake, self)

    def announce(self, setup: str) -> None:
        self.events.append(("announce", setup))
        self._break("announce")

    def prepare(self, slot: FrameSlot, frame: Any, setup: str) -> Any:
        self._break("prepare", frame)
        return None if frame == "unwanted" else frame

    def batch_of(self, item: Any, setup: str) -> type:
        return type(item)

    def compute(self, items: Sequence[Any], setup: str) -> list[tuple[Any, str]]:
        self.batches.append(list(items))
        self.begun.set()
        assert self.gate.wait(10)
        self._break("compute", *items)
        return [(item, setup) for item in items]

    def publish(self, slot: FrameSlot, result: tuple[Any, str]) -> None:
        self._break("publish", result[0])
        self.events.append(("publish", result))

    def follow(self, slot: FrameSlot, result: tuple[Any, str]) -> None:
        self._break("follow", result[0])
        self.events.append(("follow", result))

    def failed(self, error: Exception, slots: Sequence[FrameSlot]) -> None:
        self.errors.append(error)
        self.failures.append(list(slots))
        self._break("failed")

    def put(self, message: Any, slot: int = 0) -> None:
        self.slots[slot].put(message)

    def begin(self) -> None:
        """Let frames flow, and hold the worker in the middle of the first one."""
        self.worker.offer("words")
        self.worker.resume()
        self.gate.clear()
        self.put(0)
        assert self.begun.wait(10)

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

    def _break(self, where: str, *messages: Any) -> None:
        for key in (where, *((where, message) for message in messages)):
            if key in self.broken:
                raise RuntimeError(f"{where} broke")


@pytest.fixture
def bench() -> Iterator[Bench]:
    yield from running(Bench())


@pytest.fixture
def three() -> Iterator[Bench]:
    """With three slots."""
    yield from running(Bench(3))


def running(bench: Bench) -> Iterator[Bench]:
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
    bench.wait(lambda: bench.events[-1] == ("follow", (2, "new")))
    assert bench.events == [
        ("announce", "old"),
        ("publish", (1, "old")),
        ("follow", (1, "old")),
        ("announce", "new"),
        ("publish", (2, "new")),
        ("follow", (2, "new")),
    ]


def test_the_newest_frame_goes_next(bench: Bench) -> None:
    bench.begin()
    for number in (2, 3, 4):
        bench.put(number)
    bench.gate.set()
    bench.wait_published((0, "words"), (4, "words"))
    assert bench.slot.counts == (4, 2)


def test_what_was_begun_before_a_pause_is_not_published(bench: Bench) -> None:
    bench.begin()
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
    assert bench.batches == [[2]]


def test_a_round_takes_the_newest_frame_of_every_slot(three: Bench) -> None:
    three.begin()
    for message, slot in ((10, 0), (20, 1), (11, 0), (30, 2), (31, 2)):
        three.put(message, slot)
    three.gate.set()
    three.wait(lambda: len(three.published) == 4)
    assert three.batches == [[0], [11, 20, 31]]
    assert [kind for kind, _ in three.events[3:]] == ["publish"] * 3 + ["follow"] * 3
    assert [slot.counts for slot in three.slots] == [(3, 1), (1, 0), (2, 1)]


def test_no_slot_is_waited_for(three: Bench) -> None:
    three.worker.offer("words")
    three.worker.resume()
    for number in range(3):
        three.put(number, 2)
        three.wait(lambda number=number: len(three.published) == number + 1)
    assert three.batches == [[0], [1], [2]]


def test_frames_of_one_kind_make_a_batch(three: Bench) -> None:
    three.begin()
    for slot, message in enumerate((1, "one", 2)):
        three.put(message, slot)
    three.gate.set()
    three.wait(lambda: len(three.published) == 4)
    assert three.batches == [[0], [1, 2], ["one"]]


def test_a_fast_slot_starves_no_slow_one(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two slots that have a new frame whenever the worker is done, and one that has one now and then."""
    original, rounds = three.compute, 30

    def compute(items: Sequence[Any], setup: str) -> list[tuple[Any, str]]:
        number = len(three.batches)
        if number < rounds:
            three.put(number, 0)
            three.put(number, 1)
        if number % 10 == 5:
            three.put(-number, 2)
        return original(items, setup)

    monkeypatch.setattr(three, "compute", compute)
    three.worker.offer("words")
    three.worker.resume()
    three.put(0)
    three.wait(lambda: len(three.batches) > rounds)
    for number in range(1, rounds + 1):
        slow = [-(number - 1)] if number % 10 == 6 else []
        assert three.batches[number] == [number - 1, number - 1, *slow]


def test_a_round_has_one_setup(three: Bench) -> None:
    three.begin()
    three.put(1, 0)
    three.put("one", 1)
    three.begun.clear()
    three.gate.set()
    three.wait(lambda: len(three.batches) >= 2)
    three.worker.offer("new")
    three.put(2, 2)
    three.wait(lambda: (2, "new") in three.published)
    old_ones = three.events[: three.events.index(("announce", "new"))]
    assert {value[0] for kind, value in old_ones if kind == "publish"} == {0, 1, "one"}


@pytest.mark.parametrize("where", ["prepare", "publish", "follow"])
def test_what_breaks_over_one_frame_leaves_the_others(three: Bench, where: str) -> None:
    three.begin()
    three.broken = {(where, 2)}
    for slot in range(3):
        three.put(slot + 1, slot)
    three.gate.set()
    three.wait(lambda: ("follow", (3, "words")) in three.events)
    assert three.failures == [[three.slots[1]]]
    finished = {value[0] for kind, value in three.events if kind == "follow"}
    assert finished == {0, 1, 3}


def test_what_breaks_over_a_batch_leaves_the_others(three: Bench) -> None:
    three.begin()
    three.broken = {("compute", 2)}
    for slot, message in enumerate((1, 2, "three")):
        three.put(message, slot)
    three.gate.set()
    three.wait_published((0, "words"), ("three", "words"))
    assert three.failures == [three.slots[:2]]


def test_results_that_are_missing_are_a_failure(three: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    three.worker.offer("words")
    three.worker.resume()
    with monkeypatch.context() as broken:
        broken.setattr(three, "compute", lambda items, setup: [])
        three.put(1)
        three.wait(lambda: bool(three.errors))
    assert three.failures == [[three.slot]]
    assert not three.published


def test_a_pause_ends_a_round_between_its_batches(three: Bench) -> None:
    three.worker.offer("words")
    three.put(1, 0)
    three.put("one", 1)
    three.gate.clear()
    three.worker.resume()
    assert three.begun.wait(10)
    three.worker.pause()
    three.gate.set()
    three.worker.resume()
    three.put(2, 2)
    three.wait_published((2, "words"))
    assert three.batches == [[1], [2]]


@pytest.mark.parametrize("where", ["announce", "prepare", "compute", "publish", "follow"])
@pytest.mark.parametrize("the_report_breaks_too", [False, True])
def test_every_exception_is_reported_and_survived(
    bench: Bench, where: str, the_report_breaks_too: bool
) -> None:
    bench.broken = {where, "failed"} if the_report_breaks_too else {where}
    bench.worker.resume()
    bench.worker.offer("words")
    bench.put(1)
    bench.wait(lambda: bool(bench.errors) and not bench.slot.waiting)
    assert f"{where} broke" in str(bench.errors[0])
    assert bench.failures[0] == [bench.slot]
    bench.broken = set()
    bench.put(2)
    bench.wait(lambda: (2, "words") in bench.published)


def test_stop_returns_whether_the_thread_ended(bench: Bench) -> None:
    bench.begin()
    assert not bench.worker.stop(0.01)
    bench.gate.set()
    assert bench.worker.stop(10)
    assert not bench.published


def test_after_stop_nothing_is_held(bench: Bench) -> None:
    assert bench.worker.stop(10)
    bench.worker.offer("late")
    assert bench.worker._offered is None
    assert bench.worker._setup is None
