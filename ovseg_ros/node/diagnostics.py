"""`/diagnostics`: how the node is, in a sentence and in numbers, once a second."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from ovseg_ros.node.camera import image_topic
from ovseg_ros.node.lifecycle import NodePhase, NodeState
from ovseg_ros.node.statistics import Snapshot

PERIOD = 1.0
"""Seconds between two messages."""

RECENT = 5.0
"""Seconds for which a rejection, a failure or a stamp warning keeps the status at WARN."""


@dataclass(frozen=True)
class CameraReport:
    """Everything that diagnostics report about one camera."""

    phase: NodePhase
    camera: str = ""
    frames: Snapshot = field(default_factory=Snapshot)
    received: int = 0
    dropped: int = 0
    image_topic: str = ""
    publishers: int = 0
    stale_after: float = 3.0
    qos_mismatches: Mapping[str, int] = field(default_factory=dict)
    engine: Mapping[str, str] = field(default_factory=dict)
    vocabulary_revision: int = 0
    classes: int = 0
    shortage: str = ""
    """What was given up for want of the device's memory."""
    failure: str = ""
    """What keeps the node from being configured, or the last change of vocabulary from coming into force."""
    clock_missing: bool = False


def judge(report: CameraReport) -> tuple[bytes, str]:
    """Level and message: the most severe condition."""
    frames = report.frames
    if report.phase is NodePhase.UNCONFIGURED:
        if report.failure:
            return DiagnosticStatus.ERROR, f"not configured: {report.failure}"
        return DiagnosticStatus.STALE, "not configured: no model is loaded"
    if report.phase is NodePhase.INACTIVE:
        return DiagnosticStatus.STALE, "inactive: the inputs are closed"
    if frames.failing:
        return DiagnosticStatus.ERROR, f"frames fail: {frames.last_error}"
    warning = _warning(report)
    if warning:
        return DiagnosticStatus.WARN, warning
    if frames.idle:
        return DiagnosticStatus.OK, "idle: nobody subscribes to an output"
    return DiagnosticStatus.OK, f"segmenting at {frames.output_rate:.1f} Hz"


def _warning(report: CameraReport) -> str:
    frames = report.frames
    if report.failure:
        return report.failure
    if frames.since_input > report.stale_after:
        if report.publishers == 0:
            return f"nothing publishes images on {report.image_topic}"
        mismatches = ", ".join(report.qos_mismatches)
        if mismatches:
            return f"a publisher on {report.image_topic} offers a QoS that does not fit: {mismatches}"
        if math.isinf(frames.since_input):
            return f"no image came yet on {report.image_topic}"
        return f"no image for {frames.since_input:.1f} s on {report.image_topic}"
    if frames.since_error < RECENT:
        return f"a frame failed a moment ago: {frames.last_error}"
    if frames.since_rejection < RECENT:
        return f"rejected: {frames.last_rejection}"
    if report.clock_missing:
        return "use_sim_time is true, but nothing publishes /clock"
    if frames.since_stamp_warning < RECENT:
        return frames.last_stamp_warning
    if report.shortage:
        return f"the device ran out of memory: {report.shortage}"
    return ""


def build_status(node_name: str, report: CameraReport) -> DiagnosticStatus:
    """The status message of `report` for the node of this full name."""
    level, text = judge(report)
    engine = report.engine
    return DiagnosticStatus(
        level=level,
        name=f"{node_name.lstrip('/')}: segmentation {report.camera}".rstrip(),
        message=text,
        hardware_id=f"{engine['device']}/{engine['model']}" if engine else "none",
        values=[KeyValue(key=key, value=value) for key, value in _values(report).items()],
    )


def _values(report: CameraReport) -> dict[str, str]:
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
        "frames skipped, no subscriber": str(frames.skipped),
        "frames rejected": str(sum(frames.rejected.values())),
        "frames failed": str(frames.errors),
        **{
            f"{what} {which} (ms)": f"{value:.1f}"
            for what, times in (("latency", frames.latency), ("processing", frames.processing))
            for which, value in times._asdict().items()
        },
        "vocabulary revision": str(report.vocabulary_revision),
        "vocabulary classes": str(report.classes),
        **report.engine,
        "last error": frames.last_error or report.failure or "none",
        "last rejection": frames.last_rejection or "none",
    }
    for kind, counts in (
        ("rejected", frames.rejected),
        ("stamp warning", frames.stamp_warnings),
        ("qos mismatch", report.qos_mismatches),
    ):
        values |= {f"{kind}: {reason}": str(count) for reason, count in sorted(counts.items())}
    return values


class Diagnostics:
    """Publishes the node's reports, one status a camera.

    Its timer runs on the steady clock: with `use_sim_time` and no `/clock` it must still report.
    """

    def __init__(self, node: Node, state: NodeState) -> None:
        self._node = node
        self._state = state
        self._image_topics: dict[tuple[str, str], str] = {}  # by transport and camera; names stay for good
        profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", profile)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD, self.publish, clock=steady)

    def publish(self) -> None:
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray(status=[build_status(name, report) for report in self._reports()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _reports(self) -> list[CameraReport]:
        state, pipeline = self._state, self._state.pipeline
        names = state.settings.camera_names if pipeline is None else [c.name for c in pipeline.cameras]
        return [self._report(place, name) for place, name in enumerate(names)]

    def _report(self, place: int, name: str) -> CameraReport:
        node, state, pipeline = self._node, self._state, self._state.pipeline
        key = (state.settings.input.transport, name)
        if key not in self._image_topics:
            self._image_topics[key] = image_topic(node, *key)
        words = state.vocabulary.newest if state.in_force is None else state.in_force.vocabulary
        sim_time = node.get_parameter("use_sim_time").value
        report = CameraReport(
            phase=state.phase,
            camera=name,
            image_topic=self._image_topics[key],
            publishers=node.count_publishers(self._image_topics[key]),
            stale_after=state.settings.input.stale_after,
            vocabulary_revision=words.revision,
            classes=len(words.classes),
            failure=state.failure,
            clock_missing=bool(sim_time) and node.get_clock().now().nanoseconds == 0,
        )
        if pipeline is None:
            return report
        camera, segmenter = pipeline.cameras[place], pipeline.setup.segmenter
        received, dropped = camera.slot.counts
        return replace(
            report,
            frames=camera.statistics.snapshot(),
            received=received,
            dropped=dropped,
            qos_mismatches=dict(camera.qos_mismatches),
            engine=segmenter.description,
            shortage=segmenter.shortage,
            failure=pipeline.failure or report.failure,
        )
