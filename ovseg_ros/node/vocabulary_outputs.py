"""The latched outputs, which tell of the vocabulary in force."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ovseg_ros import msg
from ovseg_ros.node.messages import label_info_message
from ovseg_ros.vocabulary import Vocabulary

LATCHED_QOS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


class VocabularyOutputs:
    """`~/vocabulary` and `~/label_info`, latched. `publish` is called by the worker only."""

    def __init__(self, node: Node, as_message: Callable[[Vocabulary], msg.Vocabulary]) -> None:
        self._node = node
        self._as_message = as_message
        self._vocabulary = node.create_publisher(msg.Vocabulary, "~/vocabulary", LATCHED_QOS)
        self._label_info: Publisher | None = None
        try:
            import vision_msgs.msg as kinds
        except ImportError as error:
            node.get_logger().warning(
                f"~/label_info is not published, since vision_msgs cannot be imported ({error}); "
                "install ros-jazzy-vision-msgs if a consumer such as Nav2's semantic layer needs it"
            )
        else:
            self._kinds = kinds
            self._label_info = node.create_publisher(kinds.LabelInfo, "~/label_info", LATCHED_QOS)

    @property
    def topics(self) -> list[str]:
        return [publisher.topic_name for publisher in self._publishers()]

    def publish(self, vocabulary: Vocabulary) -> None:
        """Tell that `vocabulary` comes into force now."""
        message = self._as_message(vocabulary)
        if self._label_info is not None:
            self._label_info.publish(label_info_message(vocabulary, message.header.stamp, self._kinds))
        self._vocabulary.publish(message)

    def destroy(self) -> None:
        for publisher in self._publishers():
            self._node.destroy_publisher(publisher)

    def _publishers(self) -> list[Publisher]:
        return [publisher for publisher in (self._vocabulary, self._label_info) if publisher is not None]
