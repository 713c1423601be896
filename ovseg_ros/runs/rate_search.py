"""Frames sent again and again: services under load, and the search for the highest rate without drops."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ovseg_ros.graph.calls import ServiceProbe
from ovseg_ros.graph.client import GraphClient, NodeOutput, SetVocabularyRequest
from ovseg_ros.graph.pacing import Outgoing
from ovseg_ros.graph.player import Player, Trace
from ovseg_ros.recordings.messages import with_header_stamp
from ovseg_ros.runs.results import RateSearch, RateTrial

DROPPED = 0.05
"""A rate holds where a smaller share of the frames is dropped."""

BURST_FRAMES = 40
"""Frames of a burst: two that are dropped are 5 %."""

BURST_SECONDS = 2.0
"""A burst takes this long at least, so that a fast node is not judged by an instant."""

PRECISION = 1.05
"""The search ends where the lowest rate that failed is at most this factor above the highest that held."""

_STEP = 1.5
_QUIET = 0.3
_PROBE_PERIOD = 0.3
_PROBE_SECONDS = 30.0


def holds(burst: RateTrial) -> bool:
    """Whether fewer than 5 % of the frames were dropped."""
    return burst.frames_in - burst.frames_out < DROPPED * burst.frames_in


def burst_frames(rate: float) -> int:
    """How many frames a burst has at this rate."""
    return max(BURST_FRAMES, round(BURST_SECONDS * rate))


def search(
    burst: Callable[[float], RateTrial],
    start: float,
    seconds: float,
    is_over: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> RateSearch:
    """Find the highest rate that holds.

    From `start` (Hz) the rate grows or shrinks by half until one burst has held and a faster one failed;
    then the interval is halved geometrically down to `PRECISION`. No burst begins after `seconds`, or once
    `is_over()`. A burst that could not be sent as fast as asked ends the growing: the machine that
    sends is the limit then.
    """
    until = clock() + seconds
    held: float | None = None
    failed: float | None = None
    bursts: list[RateTrial] = []
    rate = start
    while clock() < until and not is_over():
        result = burst(rate)
        bursts.append(result)
        if holds(result):
            held = max(held or 0.0, min(rate, result.sent))
            if result.sent < rate / PRECISION:
                break
        else:
            failed = rate
        if held is None:
            rate /= _STEP
        elif failed is None:
            rate *= _STEP
        elif failed / held <= PRECISION:
            break
        else:
            rate = (held * failed) ** 0.5
    return RateSearch(held, failed, tuple(bursts))


class Load:
    """Sends a few frames of the recording again and again, with header stamps that go on.

    Args:
        player: of a node that is warm.
        frames: the frames, at least one.
        is_over: whether the user wants to stop.
    """

    def __init__(
        self, client: GraphClient, player: Player, frames: Sequence[Outgoing], is_over: Callable[[], bool]
    ) -> None:
        self._client = client
        self._player = player
        self._frames = frames
        self.is_over = is_over
        self._stamp_ns = max(frame.image.stamp_ns for frame in frames)

    def burst(self, rate: float) -> RateTrial:
        """Send at `rate` (Hz) and count what is answered. Ends at once where too much is dropped."""
        frames = burst_frames(rate)
        trace = Trace()
        newest = -1

        def on_output(number: int, output: NodeOutput) -> None:
            nonlocal newest
            newest = number

        def is_over() -> bool:
            return self.is_over() or newest + 1 - trace.answered >= DROPPED * frames

        self._player.play(self._outgoing(rate, frames), trace, on_output, is_over=is_over)
        while self._client.next_output(_QUIET) is not None:  # none of this burst may burden the next
            pass
        took = trace.sent_s[-1] if len(trace) > 1 else math.nan
        return RateTrial(rate, (len(trace) - 1) / took if took > 0 else rate, trace.sent, trace.answered)

    def probe(self, rate: float, calls: int, request: SetVocabularyRequest | None) -> ServiceProbe:
        """Get the vocabulary, and set it to `request` where that is not None, `calls` times each while frames
        flow at `rate` (Hz)."""
        probe = ServiceProbe(self._client, _PROBE_PERIOD, request)

        def is_over() -> bool:
            return self.is_over() or probe.replies >= calls

        frames = round(_PROBE_SECONDS * rate) + 1
        self._player.play(self._outgoing(rate, frames), Trace(), on_tick=probe.tick, is_over=is_over)
        return probe

    def _outgoing(self, rate: float, frames: int) -> Iterator[Outgoing]:
        for number in range(frames):
            self._stamp_ns += round(1e9 / rate)
            frame = self._frames[number % len(self._frames)]
            data = with_header_stamp(frame.image.data, self._stamp_ns)
            image = replace(frame.image, data=data, stamp_ns=self._stamp_ns)
            yield Outgoing(number, image, frame.camera_info, number / rate)
