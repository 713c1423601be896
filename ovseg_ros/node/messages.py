"""From the package's own data to the messages of the graph, by the mapping that bags are written with too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from builtin_interfaces.msg import Time
from rclpy.node import Node
from std_msgs.msg import Header

from ovseg_ros import msg
from ovseg_ros.recordings import messages
from ovseg_ros.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vision_msgs.msg import LabelInfo

    from ovseg_ros.clipseg import Segmentation


@dataclass(frozen=True)
class VocabularySnapshot:
    """A vocabulary with the messages that tell of it, made once.

    `message.header.stamp` is when it came into force, 0 before. `label_info` is None without vision_msgs.
    """

    vocabulary: Vocabulary
    message: msg.Vocabulary
    label_info: "LabelInfo | None"


def vocabulary_snapshot(
    node: Node, vocabulary: Vocabulary, cameras: Sequence[str], stamp: Time | None = None
) -> VocabularySnapshot:
    """The messages of a vocabulary that came into force at `stamp`, or did not yet.

    One message serves all cameras: where these have names, each has its own topics behind its own prefix.
    """
    paths = [f"confidence/{cls.slug}" for cls in vocabulary.classes]
    topics = paths if any(cameras) else [node.resolve_topic_name(f"~/{path}") for path in paths]
    header = Header(stamp=stamp or Time())
    message = messages.vocabulary_message(make_message, vocabulary, header, topics)
    names = messages.label_names(vocabulary)
    try:
        info = messages.label_info_message(make_message, names, header, vocabulary.threshold)
    except ImportError:
        info = None
    return VocabularySnapshot(vocabulary, message, info)


def summary_message(
    segmentation: "Segmentation", header: Header, latency: float, topics: Mapping[int, str]
) -> msg.SegmentationSummary:
    """What one frame shows.

    `latency` is from its stamp, in seconds, NaN where unknown; `topics` has confidence topics by class id.
    """
    return messages.summary_message(
        make_message,
        header,
        segmentation.vocabulary,
        segmentation.summary(),
        topics,
        unlabelled_share=segmentation.unlabelled_share,
        inference_ms=segmentation.inference_ms,
        latency_ms=1e3 * latency,
    )


def make_message(kind: str, **fields: object) -> Any:
    """A message of a kind such as "std_msgs/msg/Header"; fields that are not given are empty."""
    package, _, name = kind.split("/")
    return getattr(import_module(f"{package}.msg"), name)(**fields)
