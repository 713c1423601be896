"""How the node is at one moment, gathered for diagnostics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rclpy.node import Node

from ovseg_ros.node.camera import Camera, image_topic
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.specification import Phase
from ovseg_ros.node.statistics import Snapshot
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class Report:
    """Everything that diagnostics tell of one camera."""

    phase: Phase
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


def make_reports(
    node: Node,
    phase: Phase,
    settings: Settings,
    vocabulary: Vocabulary,
    pipeline: Pipeline | None,
    failure: str,
) -> list[Report]:
    """Ask everybody; one report a camera. `failure` is the node's own; the pipeline's goes before it."""
    sim_time = bool(node.get_parameter("use_sim_time").value)
    common = Report(
        phase=phase,
        stale_after=settings.input.stale_after,
        vocabulary_revision=vocabulary.revision,
        classes=len(vocabulary.classes),
        failure=failure,
        clock_missing=sim_time and node.get_clock().now().nanoseconds == 0,
    )
    reports = []
    for name in settings.camera_names:
        topic = image_topic(node, settings.input.transport, name)
        reports.append(
            replace(common, camera=name, image_topic=topic, publishers=node.count_publishers(topic))
        )
    if pipeline is None:
        return reports
    return [
        _at_work(report, camera, pipeline) for report, camera in zip(reports, pipeline.cameras, strict=True)
    ]


def _at_work(report: Report, camera: Camera, pipeline: Pipeline) -> Report:
    received, dropped = camera.slot.counts
    return replace(
        report,
        frames=camera.statistics.snapshot(),
        received=received,
        dropped=dropped,
        qos_mismatches=dict(camera.qos_mismatches),
        engine=pipeline.setup.description,
        shortage=pipeline.setup.shortage,
        failure=pipeline.failure or report.failure,
    )
