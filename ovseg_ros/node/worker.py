"""The thread that works on frames. It knows nothing of ROS, images or models."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, TypeVar

from ovseg_ros.node.frame_slot import Frame, FrameSlot

SetupT = TypeVar("SetupT")
SetupT_contra = TypeVar("SetupT_contra", contravariant=True)
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Work(Protocol[SetupT_contra, ItemT, ResultT]):
    """What is done with setups and frames. Everything is called on the worker's thread."""

    def announce(self, setup: SetupT_contra) -> None:
        """A setup comes into force."""

    def prepare(self, slot: FrameSlot, frame: Frame, setup: SetupT_contra) -> ItemT | None:
        """What `compute` needs of a frame; None if nothing is to be done with it."""

    def batch_of(self, item: ItemT, setup: SetupT_contra) -> Hashable:
        """Items of a round for which this is equal are computed together."""

    def compute(self, items: Sequence[ItemT], setup: SetupT_contra) -> Sequence[ResultT]:
        """The results of a batch, one for each item in their order."""

    def publish(self, result: ResultT) -> None:
        """Send a result."""

    def follow(self, result: ResultT) -> None:
        """Send what may have to wait, after every result of the batch was published."""

    def failed(self, error: Exception, slots: Sequence[FrameSlot]) -> None:
        """One of the others ended in an exception, over what came from these slots."""


class FrameWorker(Generic[SetupT, ItemT, ResultT]):
    """Works in rounds: each takes the newest frame of every slot that has one, and waits for no other.

    So slots need no order of turns: whichever has a frame waiting when a round begins is part of it, however
    many frames the others send.

    A *setup* is whatever the work needs beside the frames (a model with a vocabulary). `offer` gives a new
    one. It is taken up between two rounds and announced before the first round that uses it, also while the
    worker is paused or no frames come.

    Frames flow between `resume` and `pause`. `pause` does not wait for a batch that is being computed; its
    results are thrown away. After `pause` returned nothing is published.

    An exception ends the work on its frame or batch and is given to `work.failed`; the round goes on.
    """

    def __init__(
        self, slots: Sequence[FrameSlot], wake: threading.Condition, work: Work[SetupT, ItemT, ResultT]
    ) -> None:
        self._slots = slots
        self._wake = wake
        self._work = work
        self._offered: SetupT | None = None
        self._setup: SetupT | None = None
        self._running = self._stopping = False
        # Counts the pauses: a result that was begun before the last one is not published.
        self._epoch = 0
        self._publishing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def offer(self, setup: SetupT) -> None:
        """Have `setup` used from the next round on. Of several offers between two rounds the last counts."""
        with self._wake:
            if not self._stopping:
                self._offered = setup
                self._wake.notify_all()

    def resume(self) -> None:
        """Let frames flow."""
        with self._wake:
            self._running = True
            self._wake.notify_all()

    def pause(self) -> None:
        """Stop the flow of frames; once this returns nothing more is published."""
        with self._publishing, self._wake:
            self._running = False
            self._epoch += 1

    def stop(self, timeout: float) -> bool:
        """Pause and end the thread; False if it is still at work after `timeout` seconds."""
        self.pause()
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(self._has_work)
                if self._stopping:
                    self._setup = self._offered = None
                    return
                offered, self._offered = self._offered, None
            if offered is not None:
                self._take_up(offered)
            self._work_on_newest()

    def _has_work(self) -> bool:
        return self._stopping or self._offered is not None or bool(self._ready_slots())

    def _ready_slots(self) -> list[FrameSlot]:
        if not self._running or (self._setup is None and self._offered is None):
            return []
        return [slot for slot in self._slots if slot.waiting]

    def _take_up(self, setup: SetupT) -> None:
        self._setup = setup
        try:
            self._work.announce(setup)
        except Exception as error:
            self._tell(error, self._slots)

    def _work_on_newest(self) -> None:
        with self._wake:
            # An offer that came meanwhile goes first: whoever made it may count on the next frames.
            slots = self._ready_slots() if self._offered is None else []
            taken = [(slot, frame) for slot in slots if (frame := slot.take()) is not None]
            setup, epoch = self._setup, self._epoch
        if setup is None:
            return
        batches: dict[Hashable, list[tuple[FrameSlot, ItemT]]] = {}
        for slot, frame in taken:
            try:
                item = self._work.prepare(slot, frame, setup)
                if item is not None:
                    batches.setdefault(self._work.batch_of(item, setup), []).append((slot, item))
            except Exception as error:
                self._tell(error, [slot])
        for batch in batches.values():
            if self._epoch == epoch:
                self._work_on_batch(batch, setup, epoch)

    def _work_on_batch(self, batch: Sequence[tuple[FrameSlot, ItemT]], setup: SetupT, epoch: int) -> None:
        slots = [slot for slot, _ in batch]
        try:
            computed = self._work.compute([item for _, item in batch], setup)
            results = list(zip(slots, computed, strict=True))
        except Exception as error:
            self._tell(error, slots)
            return
        published = [entry for entry in results if self._send(self._work.publish, *entry, epoch)]
        for entry in published:
            self._send(self._work.follow, *entry, epoch)

    def _send(self, send: Callable[[ResultT], None], slot: FrameSlot, result: ResultT, epoch: int) -> bool:
        """Whether it was sent."""
        try:
            with self._publishing:
                if self._epoch == epoch:
                    send(result)
                    return True
        except Exception as error:
            self._tell(error, [slot])
        return False

    def _tell(self, error: Exception, slots: Sequence[FrameSlot]) -> None:
        # Not even the telling may end the thread.
        with contextlib.suppress(Exception):
            self._work.failed(error, slots)
