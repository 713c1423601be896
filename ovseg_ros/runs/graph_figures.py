"""The figures that only the graph shows: latency, rates, drops, replies, recovery; in ms and Hz."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from ovseg_ros.runs.replay_result import HighestRate, ReplayResult, Trace
from ovseg_ros.runs.summary import latency_figures

JUMPS_TOLD = 20
"""So many passes of a bag that loops are told one by one."""


def graph_figures(result: ReplayResult, bag_rate: float | None) -> dict[str, Any]:
    """For metrics.json; None where there is nothing to tell. `bag_rate` is that of the recording (Hz)."""
    trace = result.trace
    sent, answered = trace.sent, trace.answered
    return {
        "frames_in": sent,
        "frames_out": answered,
        "frames_dropped": sent - answered,
        # Sent, but never seen by the node: lost on the way, or overtaken in its subscription.
        "frames_not_received": None if result.received is None else max(0, sent - result.received),
        "frames_left_out": result.repeated_stamps,
        "latency_ms": percentiles(trace.latency_ms),
        "jitter_ms": jitter(trace.latency_ms),
        "output_interval_ms": percentiles(1e3 * np.diff(_arrivals(trace))),
        "rate": {
            "bag": bag_rate,
            "asked": result.rate,
            "sent": rate(trace.sent_s),
            "output": rate(_arrivals(trace)),
        },
        "service_ms": {
            **percentiles([1e3 * s for seconds in result.service_s.values() for s in seconds]),
            **{name: _calls(seconds) for name, seconds in result.service_s.items()},
        },
        "sustainable_rate": None if result.highest_rate is None else result.highest_rate.held,
        "rate_search": _search(result.highest_rate),
        "recovery": recovery(trace, result.pass_starts),
        "sending": {"late_ms": percentiles(trace.late_ms)},
        "seconds": result.seconds,
        "interrupted": result.interrupted,
        "failure": result.failure or None,
    }


def percentiles(values: Sequence[float] | Float64[np.ndarray, "n"]) -> dict[str, float | None]:
    """p50, p95, p99 and the largest of those values that are no NaN; None of none."""
    return latency_figures(_there(values).tolist())


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


def recovery(trace: Trace, pass_starts: Sequence[int]) -> dict[str, Any] | None:
    """How the node went on after each jump of the stamps back to the start of the bag; None without one.

    `first_answer_ms` is the time from sending the first frame after the jump to the first labels of a frame
    after it, `frames_before_first_answer` how many frames of the pass were sent until the one answered
    first.
    """
    jumps = [start for start in pass_starts[1:] if start < len(trace)]
    if not jumps:
        return None
    sent, arrived = np.array(trace.sent_s), trace.arrived_s
    told: list[dict[str, int]] = []
    times: list[float] = []
    for start, stop in zip(jumps, [*jumps[1:], len(trace)], strict=True):
        answered = np.flatnonzero(~np.isnan(arrived[start:stop]))
        times.append(1e3 * float(arrived[start + answered[0]] - sent[start]) if answered.size else math.nan)
        told.append(
            {
                "frames_before_first_answer": int(answered[0]) if answered.size else stop - start,
                "frames_in": int(np.count_nonzero(~np.isnan(sent[start:stop]))),
                "frames_out": int(answered.size),
            }
        )
    return {
        "jumps": len(jumps),
        "recovered": sum(jump["frames_out"] > 0 for jump in told),
        "first_answer_ms": percentiles(times),
        "frames_in": sum(jump["frames_in"] for jump in told),
        "frames_out": sum(jump["frames_out"] for jump in told),
        "by_jump": [
            {"first_answer_ms": None if math.isnan(time) else time, **jump}
            for time, jump in zip(times[:JUMPS_TOLD], told[:JUMPS_TOLD], strict=True)
        ],
    }


def _arrivals(trace: Trace) -> Float64[np.ndarray, "n"]:
    return np.sort(_there(trace.arrived_s))


def _there(values: Sequence[float] | Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "m"]:
    found = np.array(values, np.float64)
    return found[~np.isnan(found)]


def _calls(seconds: Sequence[float]) -> dict[str, Any]:
    return {"calls": len(seconds), **percentiles([1e3 * value for value in seconds])}


def _search(found: HighestRate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    keys = ("asked", "sent", "frames_in", "frames_out")
    return {
        "held": found.held,
        "failed": found.failed,
        "bursts": [dict(zip(keys, burst, strict=True)) for burst in found.tried],
    }
