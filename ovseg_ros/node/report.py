"""How the node is at one moment, gathered for diagnostics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rclpy.node import Node

from ovseg_ros.node.camera import image_topic
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.settings import InputSettings
from ovseg_ros.node.specification import Phase
from ovseg_ros.node.statistics import Snapshot
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class Report:
    """Everything that diagnostics tell of one camera."""

    phase: Phase
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
    reduced: bool = False
    failure: str = ""
    """What keeps the node from being configured, or the last change of vocabulary from coming into force."""
    clock_missing: bool = False


def make_report(
    node: Node,
    phase: Phase,
    settings: InputSettings,
    vocabulary: Vocabulary,
    pipeline: Pipeline | None,
    failure: str,
) -> Report:
    """Ask everybody. `failure` is the node's own; that of the pipeline goes before it."""
    topic = image_topic(node, settings.transport)
    sim_time = bool(node.get_parameter("use_sim_time").value)
    report = Report(
        phase=phase,
        image_topic=topic,
        publishers=node.count_publishers(topic),
        stale_after=settings.stale_after,
        vocabulary_revision=vocabulary.revision,
        classes=len(vocabulary.classes),
        failure=failure,
        clock_missing=sim_time and node.get_clock().now().nanoseconds == 0,
    )
    if pipeline is None:
        return report
    received, dropped = pipeline.camera.slot.counts
    return replace(
        report,
        frames=pipeline.camera.statistics.snapshot(),
        received=received,
        dropped=dropped,
        qos_mismatches=dict(pipeline.camera.qos_mismatches),
        engine=pipeline.setup.description,
        reduced=pipeline.setup.reduced,
        failure=pipeline.failure or failure,
    )
