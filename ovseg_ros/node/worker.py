"""The thread that works on frames. It knows nothing of ROS, images or models."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ovseg_ros.node.frame_slot import Frame, FrameSlot

SetupT = TypeVar("SetupT")
ResultT = TypeVar("ResultT")


class FrameWorker(Generic[SetupT, ResultT]):
    """Takes the newest frame of each slot, computes on it and publishes the result, one frame after another.

    A *setup* is whatever `compute` needs beside the frame (a model with a vocabulary). `offer` gives a new
    one. It is taken up between two frames and announced (`announce(setup)`) before the first frame that uses
    it, also while the worker is paused or no frames come.

    Frames flow between `resume` and `pause`. `pause` does not wait for a frame that is being computed; its
    result is thrown away. After `pause` returned nothing is published.

    `compute(slot, frame, setup)` returns a result for `publish(result)`, or None if there is nothing to
    publish. An exception out of any of the three is given to `failed(error)`, and the work goes on.
    """

    def __init__(
        self,
        slots: Sequence[FrameSlot],
        wake: threading.Condition,
        *,
        announce: Callable[[SetupT], None],
        compute: Callable[[FrameSlot, Frame, SetupT], ResultT | None],
        publish: Callable[[ResultT], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._slots = slots
        self._wake = wake
        self._announce = announce
        self._compute = compute
        self._publish = publish
        self._failed = failed
        self._offered: SetupT | None = None
        self._setup: SetupT | None = None
        self._running = self._stopping = False
        # Counts the pauses: a result that was begun before the last one is not published.
        self._epoch = 0
        self._publishing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()

    def offer(self, setup: SetupT) -> None:
        """Have `setup` used from the next frame on. Of several offers between two frames the last counts."""
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
        return self._stopping or self._offered is not None or self._ready_slot() is not None

    def _ready_slot(self) -> FrameSlot | None:
        if not self._running or (self._setup is None and self._offered is None):
            return None
        return next((slot for slot in self._slots if slot.waiting), None)

    def _take_up(self, setup: SetupT) -> None:
        self._setup = setup
        try:
            self._announce(setup)
        except Exception as error:
            self._tell(error)

    def _work_on_newest(self) -> None:
        with self._wake:
            # An offer that came meanwhile goes first: whoever made it may count on the next frame.
            slot = self._ready_slot() if self._offered is None else None
            frame = slot.take() if slot is not None else None
            setup, epoch = self._setup, self._epoch
        if slot is None or frame is None or setup is None:
            return
        try:
            result = self._compute(slot, frame, setup)
            if result is None:
                return
            with self._publishing:
                if self._epoch == epoch:
                    self._publish(result)
        except Exception as error:
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        # Not even the telling may end the thread.
        with contextlib.suppress(Exception):
            self._failed(error)
