"""The process of a run: signals that end it, and the ROS domain that it runs in."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SAME_SIGNAL = 2.0
"""Seconds within which a second SIGINT is the first one again: a launch file passes on what the terminal has
sent already."""


class Interruption:
    """Turns the first Ctrl-C within a `with` block into a flag that a run looks at, so that it can end in
    order and give what it has. A later one raises KeyboardInterrupt as usual.

    Outside the main thread, where no signal arrives, it does nothing.

    Attributes:
        requested: whether the user wants an end.
    """

    def __init__(self) -> None:
        self.requested = False
        self._requested_at = 0.0
        self._before: Any = None
        self._is_main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> "Interruption":
        if self._is_main:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._is_main:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, *_: object) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._requested_at = True, now
        elif now > self._requested_at + _SAME_SIGNAL:
            raise KeyboardInterrupt


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """A SIGTERM unwinds the program, and so ends the node that it started, as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def graph_of_our_own() -> Iterator[None]:
    """Where the user has not chosen a ROS domain, take one apart from other graphs of this machine."""
    chosen = {"ROS_DOMAIN_ID": str(1 + os.getpid() % 100), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    added = {} if "ROS_DOMAIN_ID" in os.environ else chosen
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
