"""What the graph showed during a replay, and its figures: latency, rates, drops, replies, recovery."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from ovseg_ros.graph.player import Trace
from ovseg_ros.runs.results import (
    FrameRates,
    GraphFigures,
    JumpRecovery,
    Percentiles,
    RateSearch,
    Recovery,
    SendingTimes,
    ServiceCalls,
    ServiceTimes,
    VocabularyCall,
)
from ovseg_ros.vocabulary import Vocabulary

JUMPS_LISTED = 20
"""Passes of a looping recording that are listed one by one."""


@dataclass
class ReplayRecord:
    """What the graph showed during a replay.

    Attributes:
        trace: the frames.
        pass_starts: number of the first frame of each pass through the recording.
        rate: frames a second that were asked for; None where the recorded spacing was kept.
        seconds: that it took; `held_seconds` of them the frames waited for a reply.
        call: the change of vocabulary half-way, if any.
        service_s: seconds to the replies while frames flowed, by service.
        highest_rate: the highest rate that holds, where it was searched.
        node: the node's diagnostics at the end.
        received: images that the node reports to have received during the replay.
        vocabularies: that were in force, by revision.
        failure: why the replay ended early; empty where it did not.
        interrupted: the user ended it early.
    """

    trace: Trace = field(default_factory=Trace)
    pass_starts: list[int] = field(default_factory=list)
    rate: float | None = None
    seconds: float = 0.0
    held_seconds: float = 0.0
    call: VocabularyCall | None = None
    service_s: dict[str, "array[float]"] = field(default_factory=dict)
    highest_rate: RateSearch | None = None
    node: dict[str, str] = field(default_factory=dict)
    received: int | None = None
    vocabularies: dict[int, Vocabulary] = field(default_factory=dict)
    failure: str = ""
    interrupted: bool = False

    @property
    def left_out(self) -> int:
        """Frames that were not sent: one with their header stamp was still on the way."""
        return len(self.trace) - self.trace.sent


def graph_figures(record: ReplayRecord, bag_rate: float | None) -> GraphFigures:
    """What the graph showed; `bag_rate` is that of the recording (Hz)."""
    trace = record.trace
    sent, answered = trace.sent, trace.answered
    replies = [1e3 * s for seconds in record.service_s.values() for s in seconds]
    calls = {name: _calls(seconds) for name, seconds in record.service_s.items()}
    return GraphFigures(
        frames_in=sent,
        frames_out=answered,
        frames_dropped=sent - answered,
        # Sent, but never seen by the node: lost on the way, or overtaken in its subscription.
        frames_not_received=None if record.received is None else max(0, sent - record.received),
        jitter_ms=jitter(trace.latency_ms),
        output_interval_ms=Percentiles.of(1e3 * np.diff(_arrivals(trace))),
        rate=FrameRates(bag_rate, record.rate, rate(trace.sent_s), rate(_arrivals(trace))),
        service_ms=ServiceTimes(
            **vars(Percentiles.of(replies)),
            get_vocabulary=calls.get("get_vocabulary"),
            set_vocabulary=calls.get("set_vocabulary"),
        ),
        sustainable_rate=None if record.highest_rate is None else record.highest_rate.held,
        rate_search=record.highest_rate,
        recovery=recovery(trace, record.pass_starts),
        sending=SendingTimes(Percentiles.of(trace.late_ms)),
        failure=record.failure or None,
    )


def jitter(latency_ms: Sequence[float]) -> float | None:
    """Mean of |L(i) - L(i-1)| over the latencies of successive answered frames: the difference D of RFC 3550
    (section 6.4.1), plainly averaged. None for fewer than two."""
    there = _there(latency_ms)
    return float(np.abs(np.diff(there)).mean()) if there.size > 1 else None


def rate(times_s: Sequence[float] | Float64[np.ndarray, "n"]) -> float | None:
    """Events per second, of events at these times in order (NaN: none); None for fewer than two."""
    there = _there(times_s)
    if there.size < 2 or there[-1] <= there[0]:
        return None
    return float((there.size - 1) / (there[-1] - there[0]))


def recovery(trace: Trace, pass_starts: Sequence[int]) -> Recovery | None:
    """How the node went on after each jump of the stamps back to the recording's start; None without one.

    `first_answer_ms` is the time from sending the first frame after the jump to the first labels of a frame
    after it, `frames_before_first_answer` how many frames of the pass were sent until the one answered
    first.
    """
    jumps = [start for start in pass_starts[1:] if start < len(trace)]
    if not jumps:
        return None
    sent, arrived = np.array(trace.sent_s), trace.arrived_s
    found = []
    for start, stop in zip(jumps, [*jumps[1:], len(trace)], strict=True):
        answered = np.flatnonzero(~np.isnan(arrived[start:stop]))
        first = int(answered[0]) if answered.size else None
        found.append(
            JumpRecovery(
                first_answer_ms=None if first is None else 1e3 * float(arrived[start + first] - sent[start]),
                frames_before_first_answer=stop - start if first is None else first,
                frames_in=int(np.count_nonzero(~np.isnan(sent[start:stop]))),
                frames_out=int(answered.size),
            )
        )
    return Recovery(
        jumps=len(jumps),
        recovered=sum(jump.frames_out > 0 for jump in found),
        first_answer_ms=Percentiles.of([j.first_answer_ms for j in found if j.first_answer_ms is not None]),
        frames_in=sum(jump.frames_in for jump in found),
        frames_out=sum(jump.frames_out for jump in found),
        by_jump=tuple(found[:JUMPS_LISTED]),
    )


def _arrivals(trace: Trace) -> Float64[np.ndarray, "n"]:
    return np.sort(_there(trace.arrived_s))


def _there(values: Sequence[float] | Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "m"]:
    found = np.array(values, np.float64)
    return found[~np.isnan(found)]


def _calls(seconds: Sequence[float]) -> ServiceCalls:
    return ServiceCalls(**vars(Percentiles.of([1e3 * value for value in seconds])), calls=len(seconds))
