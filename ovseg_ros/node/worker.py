"""The node's threads: one for the newest frames, others for slow work."""

import contextlib
import queue
import threading
import traceback
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ovseg_ros.errors import OvsegError

if TYPE_CHECKING:
    from ovseg_ros.node.frames import ArrivedFrame, DecodedFrame, FrameSetup, LabelledFrame
    from ovseg_ros.node.pipeline import FramePath

ResultT = TypeVar("ResultT")


class FrameSlot:
    """Holds the newest frame only: a frame that is overtaken is counted as dropped, never queued.

    `put` is called by the executor thread and `take` by the worker. Both return at once; `wake` (shared by
    the slots of several cameras) is notified on each `put`, so that a worker can sleep on it.
    """

    def __init__(self, wake: threading.Condition | None = None) -> None:
        self._wake = wake or threading.Condition()
        self._frame: ArrivedFrame | None = None
        self._received = 0
        self._dropped = 0

    def put(self, frame: "ArrivedFrame") -> None:
        """Store `frame` in place of the one that waits, if any."""
        with self._wake:
            self._received += 1
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
            self._wake.notify_all()

    def take(self) -> "ArrivedFrame | None":
        """Return the newest frame and leave the slot empty; None if there is none."""
        with self._wake:
            frame, self._frame = self._frame, None
            return frame

    def clear(self) -> None:
        """Throw the waiting frame away without counting it: the input was closed."""
        with self._wake:
            self._frame = None

    @property
    def waiting(self) -> bool:
        with self._wake:
            return self._frame is not None

    @property
    def counts(self) -> tuple[int, int]:
        """Frames received and frames dropped since the slot was made."""
        with self._wake:
            return self._received, self._dropped


class FrameWorker:
    """Works in rounds: each takes the newest frame of every slot that has one, and waits for no other.

    So slots need no order of turns: whichever has a frame waiting when a round begins is part of it, however
    many frames the others send.

    `offer` gives it a new setup. That is taken up between two rounds and announced before the first round
    that uses it, also while the worker is paused or no frames come.

    Frames flow between `resume` and `pause`. `pause` does not wait for a batch that is being computed; its
    results are thrown away. After `pause` returned nothing is published.

    An exception ends the work on its frame or batch and is given to `work.failed`; the round goes on.
    """

    def __init__(self, slots: Sequence[FrameSlot], wake: threading.Condition, work: "FramePath") -> None:
        self._slots = slots
        self._wake = wake
        self._work = work
        self._offered: FrameSetup | None = None
        self._setup: FrameSetup | None = None
        self._running = self._stopping = False
        # Counts the pauses: a result that was begun before the last one is not published.
        self._epoch = 0
        self._publishing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def offer(self, setup: "FrameSetup") -> None:
        """Have `setup` used from the next round on. Of several offers between two rounds the last counts."""
        with self._wake:
            if not self._stopping:
                self._offered = setup
                self._wake.notify_all()

    def resume(self) -> None:
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
                self._wake.wait_for(lambda: self._stopping or self._offered is not None or self._ready())
                if self._stopping:
                    self._setup = self._offered = None
                    return
                # An offer is taken up before any frame: whoever made it may count on the next ones.
                offered, self._offered = self._offered, None
                slots = [] if offered is not None else self._ready()
                taken = [(slot, frame) for slot in slots if (frame := slot.take()) is not None]
                epoch = self._epoch
            if offered is not None:
                self._setup = offered
                with self._reporting(self._slots):
                    self._work.announce(offered)
            elif self._setup is not None:
                self._work_on(taken, self._setup, epoch)

    def _ready(self) -> list[FrameSlot]:
        """The slots of which frames can be taken now."""
        flowing = self._running and self._setup is not None
        return [slot for slot in self._slots if flowing and slot.waiting]

    def _work_on(
        self, taken: Sequence[tuple[FrameSlot, "ArrivedFrame"]], setup: "FrameSetup", epoch: int
    ) -> None:
        batches: defaultdict[Hashable, list[tuple[FrameSlot, DecodedFrame]]] = defaultdict(list)
        for slot, frame in taken:
            with self._reporting([slot]):
                item = self._work.prepare(slot, frame, setup)
                if item is not None:
                    batches[self._work.batch_of(item, setup)].append((slot, item))
        for batch in batches.values():
            if self._epoch != epoch:
                return
            slots = [slot for slot, _ in batch]
            results: list[tuple[FrameSlot, LabelledFrame]] = []
            with self._reporting(slots):
                computed = self._work.compute([item for _, item in batch], setup)
                results = list(zip(slots, computed, strict=True))
            for send in (self._work.publish, self._work.follow):
                results = [result for result in results if self._sent(send, *result, epoch)]

    def _sent(
        self,
        send: Callable[[FrameSlot, "LabelledFrame"], None],
        slot: FrameSlot,
        result: "LabelledFrame",
        epoch: int,
    ) -> bool:
        with self._reporting([slot]), self._publishing:
            if self._epoch == epoch:
                send(slot, result)
                return True
        return False

    @contextlib.contextmanager
    def _reporting(self, slots: Sequence[FrameSlot]) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # Not even the report of a failure may end the thread.
            with contextlib.suppress(Exception):
                self._work.failed(error, slots)


class Cancelled(OvsegError):
    """The queue was closed before this piece of work was done."""


class SerialQueue:
    """Runs pieces of slow work on a thread of its own, in the order in which they were submitted.

    Unlike those of a `ThreadPoolExecutor` its thread is a daemon: torch cannot be interrupted, and a process
    that was told to end must not wait for a minute of text encoding.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]
        self._queue = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], ResultT], done: Callable[[ResultT | Exception], None]) -> None:
        """Queue `work()`. `done(result)`, or `done(exception)`, is called once on the queue's thread.

        After `close` it is `done(Cancelled)`, from whichever thread closes or submits.
        """
        with self._lock:
            if not self._closed:
                self._queue.put((work, done))
                return
        done(Cancelled("the node is not configured any more"))

    def close(self) -> None:
        """Cancel what waits. What runs at this moment runs to its end, but is reported as cancelled."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = []
            while not self._queue.empty():
                waiting.append(self._queue.get())
            self._queue.put(None)
        for entry in waiting:
            if entry is not None:
                entry[1](Cancelled("the node was cleaned up before this was done"))

    def join(self, timeout: float) -> bool:
        """Wait for the thread's end after `close`; False if it is still at work after `timeout` seconds."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            work, done = entry
            result: object
            try:
                result = work()
            except Exception as error:
                result = error
            with self._lock:
                if self._closed:
                    result = Cancelled("the node was cleaned up before this was done")
            try:
                done(result)
            except Exception:  # whoever waits for the next piece of work must not wait for ever
                traceback.print_exc()
            # A large result must not live on in this frame until the next piece of work comes.
            del entry, work, done, result
