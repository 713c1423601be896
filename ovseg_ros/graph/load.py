"""Frames of one's own making for the measurements that need no recording: rates and services under load."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from ovseg_ros.graph.graph_client import Arrival, GraphClient
from ovseg_ros.graph.pacing import Outgoing
from ovseg_ros.graph.player import Player
from ovseg_ros.graph.rate_search import DROPPED, Burst, burst_frames
from ovseg_ros.recordings.frames import Frame
from ovseg_ros.recordings.message_types import with_header_stamp
from ovseg_ros.runs.replay import ServiceProbe
from ovseg_ros.runs.replay_result import Trace

_QUIET = 0.3
_PROBE_PERIOD = 0.3
_PROBE_SECONDS = 30.0


class Load:
    """Sends a few frames of the bag again and again, with header stamps that go on.

    Args:
        player: of a node that is warm.
        frames: the frames, at least one.
        is_over: whether the user wants an end.
    """

    def __init__(
        self, client: GraphClient, player: Player, frames: Sequence[Frame], is_over: Callable[[], bool]
    ) -> None:
        self._client = client
        self._player = player
        self._frames = frames
        self.is_over = is_over
        self._stamp_ns = max(frame.stamp_ns for frame in frames)

    def burst(self, rate: float) -> Burst:
        """Send at `rate` (Hz) and count what is answered. Ends at once where too much is dropped."""
        frames = burst_frames(rate)
        trace = Trace()
        newest = -1

        def on_answer(number: int, arrival: Arrival) -> None:
            nonlocal newest
            newest = number

        def is_over() -> bool:
            return self.is_over() or newest + 1 - trace.answered >= DROPPED * frames

        self._player.play(self._outgoing(rate, frames), trace, on_answer, is_over=is_over)
        while self._client.next_arrival(_QUIET) is not None:  # nothing of this burst may burden the next
            pass
        took = trace.sent_s[-1] if len(trace) > 1 else math.nan
        return Burst(rate, (len(trace) - 1) / took if took > 0 else rate, trace.sent, trace.answered)

    def probe(self, rate: float, calls: int, request: Any) -> ServiceProbe:
        """Ask for the vocabulary, and set it to `request` where that is not None, `calls` times each while
        frames flow at `rate` (Hz)."""
        probe = ServiceProbe(self._client, _PROBE_PERIOD, request)

        def is_over() -> bool:
            return self.is_over() or probe.replies >= calls

        frames = round(_PROBE_SECONDS * rate) + 1
        self._player.play(self._outgoing(rate, frames), Trace(), on_tick=probe.tick, is_over=is_over)
        return probe

    def _outgoing(self, rate: float, frames: int) -> Iterator[Outgoing]:
        for number in count():
            if number == frames:
                return
            self._stamp_ns += round(1e9 / rate)
            frame = self._frames[number % len(self._frames)]
            image = replace(frame.image, data=with_header_stamp(frame.image.data, self._stamp_ns))
            yield Outgoing(number, replace(frame, image=image), number / rate)
