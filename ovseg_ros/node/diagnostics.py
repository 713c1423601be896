"""`/diagnostics`: how the node is, in a sentence and in numbers, once a second."""

import math
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ovseg_ros.node.report import Report
from ovseg_ros.node.specification import Phase
from ovseg_ros.node.statistics import Percentiles

PERIOD = 1.0
"""Seconds between two messages."""

RECENT = 5.0
"""A rejected, failed or odd frame is a matter of warning for this many seconds."""


def judge(report: Report) -> tuple[bytes, str]:
    """Level and message: the gravest thing to tell."""
    frames = report.frames
    if report.phase is Phase.UNCONFIGURED:
        if report.failure:
            return DiagnosticStatus.ERROR, f"not configured: {report.failure}"
        return DiagnosticStatus.STALE, "not configured: no model is loaded"
    if report.phase is Phase.INACTIVE:
        return DiagnosticStatus.STALE, "inactive: the inputs are closed"
    if frames.failing:
        return DiagnosticStatus.ERROR, f"frames fail: {frames.last_error}"
    warning = _warning(report)
    if warning:
        return DiagnosticStatus.WARN, warning
    if frames.idle:
        return DiagnosticStatus.OK, "idle: nobody subscribes to an output"
    return DiagnosticStatus.OK, f"segmenting at {frames.output_rate:.1f} Hz"


def _warning(report: Report) -> str:
    frames = report.frames
    if report.failure:
        return report.failure
    if frames.since_input > report.stale_after:
        if report.publishers == 0:
            return f"nothing publishes images on {report.image_topic}"
        mismatches = ", ".join(report.qos_mismatches)
        if mismatches:
            return f"a publisher on {report.image_topic} offers a QoS that does not fit: {mismatches}"
        when = (
            "no image came yet"
            if math.isinf(frames.since_input)
            else (f"no image for {frames.since_input:.1f} s")
        )
        return f"{when} on {report.image_topic}"
    if frames.since_error < RECENT:
        return f"a frame failed a moment ago: {frames.last_error}"
    if frames.since_rejection < RECENT:
        return f"rejected: {frames.last_rejection}"
    if report.clock_missing:
        return "use_sim_time is true, but nothing publishes /clock"
    if frames.since_oddity < RECENT:
        return frames.last_oddity
    if report.shortage:
        return f"the device ran out of memory: {report.shortage}"
    return ""


def build_status(node_name: str, report: Report) -> DiagnosticStatus:
    """The status message of `report` for the node of this full name."""
    level, text = judge(report)
    engine = report.engine
    name = f"{node_name.lstrip('/')}: segmentation {report.camera}".rstrip()
    status = DiagnosticStatus(level=level, name=name, message=text)
    status.hardware_id = f"{engine['device']}/{engine['model']}" if engine else "none"
    status.values = [KeyValue(key=key, value=value) for key, value in _values(report).items()]
    return status


def _values(report: Report) -> dict[str, str]:
    frames = report.frames
    values = {
        "state": report.phase.name.lower(),
        "image topic": report.image_topic,
        "image publishers": str(report.publishers),
        "input rate (Hz)": f"{frames.input_rate:.2f}",
        "output rate (Hz)": f"{frames.output_rate:.2f}",
        "frames received": str(report.received),
        "frames published": str(frames.published),
        "frames dropped": str(report.dropped),
        "frames unwatched": str(frames.unwatched),
        "frames rejected": str(sum(frames.rejected.values())),
        "frames failed": str(frames.errors),
        **_percentile_values("latency", frames.latency),
        **_percentile_values("processing", frames.processing),
        "vocabulary revision": str(report.vocabulary_revision),
        "vocabulary classes": str(report.classes),
        **dict(report.engine),
        "last error": frames.last_error or report.failure or "none",
        "last rejection": frames.last_rejection or "none",
    }
    counted = {"rejected": frames.rejected, "stamp": frames.oddities, "qos mismatch": report.qos_mismatches}
    for kind, counts in counted.items():
        values |= {f"{kind}: {reason}": str(count) for reason, count in sorted(counts.items())}
    return values


def _percentile_values(name: str, values: Percentiles) -> dict[str, str]:
    return {
        f"{name} {which} (ms)": f"{value:.1f}"
        for which, value in (("p50", values.p50), ("p95", values.p95), ("p99", values.p99))
    }


class Diagnostics:
    """Publishes the node's reports, one status a camera. `report()` is called on the executor thread.

    Its timer runs on the steady clock: with `use_sim_time` and no `/clock` it must still speak.
    """

    def __init__(self, node: Node, report: Callable[[], list[Report]]) -> None:
        self._node = node
        self._report = report
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", profile)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD, self.publish, clock=steady)

    def publish(self) -> None:
        """Send the reports of this moment."""
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray(status=[build_status(name, report) for report in self._report()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
