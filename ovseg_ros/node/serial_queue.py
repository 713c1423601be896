"""Slow work, one piece after another, on a thread of its own."""

import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ovseg_ros.errors import OvsegError

Entry = tuple[Callable[[], Any], Callable[[Any], None]]


class Cancelled(OvsegError):
    """The queue was closed before this piece of work was done."""


class SerialQueue:
    """Runs pieces of work in the order in which they were submitted.

    Unlike those of a `ThreadPoolExecutor` its thread is a daemon: torch cannot be interrupted, and a process
    that was told to end must not wait for a minute of text encoding.
    """

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
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
            result: Any
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
