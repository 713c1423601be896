"""Calls of the node's services while frames flow: a change of vocabulary, and how fast services reply."""

import threading
import time
from array import array
from collections.abc import Mapping
from typing import Any

from ovseg_ros import srv
from ovseg_ros.graph.client import GraphClient, ReplayError

REPLY_TIMEOUT = 600.0
"""Seconds for a vocabulary to be encoded."""


class VocabularyChange:
    """Calls /set_vocabulary with the fields `vocabulary` before the frame `at` is due and does not wait; the
    frame `hold_at` waits for the reply.

    Attributes:
        response: the reply, None until it came `reply_seconds` after the call.
        held_seconds: that were waited for it.
    """

    def __init__(self, client: GraphClient, vocabulary: Mapping[str, Any], at: int, hold_at: int) -> None:
        self.at = at
        self.response: srv.SetVocabulary.Response | None = None
        self.reply_seconds = 0.0
        self.held_seconds = 0.0
        self._client = client
        self._request = srv.SetVocabulary.Request(**vocabulary)
        self._hold_at = hold_at
        self._called = False
        self._replied = threading.Event()

    def before(self, number: int) -> float:
        """To be called before each frame; returns the seconds that it waited."""
        if number == self.at:
            self._called = True
            self._client.call("set_vocabulary", self._request, self._on_reply)
        return self.wait() if number == self._hold_at else 0.0

    def wait(self) -> float:
        """Wait for the reply where there was a call; returns the seconds. Raises ReplayError without one."""
        began = time.monotonic()
        if self._called and not self._replied.wait(REPLY_TIMEOUT):
            raise ReplayError("/set_vocabulary was not answered")
        waited = time.monotonic() - began
        self.held_seconds += waited
        return waited

    def _on_reply(self, response: srv.SetVocabulary.Response, seconds: float) -> None:
        self.response, self.reply_seconds = response, seconds
        self._replied.set()


class ServiceProbe:
    """Calls /get_vocabulary periodically, and in turn /set_vocabulary where a `request` is given.

    `seconds` has the times to the replies by service; `refusal` the message of a refused call.
    """

    def __init__(
        self, client: GraphClient, period: float = 1.0, request: srv.SetVocabulary.Request | None = None
    ) -> None:
        self._requests = {"get_vocabulary": srv.GetVocabulary.Request()}
        if request is not None:
            self._requests["set_vocabulary"] = request
        self.seconds = {name: array("d") for name in self._requests}
        self.refusal = ""
        self._client = client
        self._period = period
        self._called_at = time.monotonic()
        self._pending = ""
        self._turn = 0

    def tick(self) -> None:
        """To be called often."""
        now = time.monotonic()
        # A reply may be lost while client and service have only just discovered each other.
        patience = REPLY_TIMEOUT / 10 if self._pending else self._period
        if now < self._called_at + patience:
            return
        name = list(self._requests)[self._turn % len(self._requests)]
        self._turn += 1
        self._called_at, self._pending = now, name
        self._client.call(name, self._requests[name], self._on_reply)

    @property
    def replies(self) -> int:
        """Replies of the service with the fewest."""
        return min(len(seconds) for seconds in self.seconds.values())

    def _on_reply(self, response: Any, seconds: float) -> None:
        self.seconds[self._pending].append(seconds)
        if not getattr(response, "success", True):
            self.refusal = response.message
        self._pending = ""
