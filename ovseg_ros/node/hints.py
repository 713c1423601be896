"""What people are told when nothing happens: users remap names that do not exist, and get silence."""

from collections.abc import Sequence

from rclpy.node import Node

from ovseg_ros.node.camera import image_topic
from ovseg_ros.node.camera_names import input_name

TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}


def missing_publisher_hints(node: Node, transport: str, cameras: Sequence[str]) -> list[str]:
    """What to say of each camera that nothing publishes images for: which image topics there are."""
    topics = {camera: image_topic(node, transport, camera) for camera in cameras}
    silent = {camera: topic for camera, topic in topics.items() if node.count_publishers(topic) == 0}
    taken = set(topics.values()) - set(silent.values())
    return [_hint(node, transport, camera, topic, taken) for camera, topic in silent.items()]


def _hint(node: Node, transport: str, camera: str, topic: str, taken: set[str]) -> str:
    there = {name: _published(node, kind, taken) for name, kind in TYPES.items()}
    text = f"nothing publishes on {topic}"
    if there[transport]:
        example = there[transport][0].removesuffix("/compressed")
        remapping = f"{input_name(camera, 'image')}:={example}"
        return f"{text}; there are: {', '.join(there[transport])}. Remap with --ros-args -r {remapping}"
    other = "compressed" if transport == "raw" else "raw"
    if there[other]:
        return f"{text}; there are {other} images: {', '.join(there[other])}. Set input.transport to {other}"
    return f"{text}, and there is no other image topic: is the camera running?"


def _published(node: Node, kind: str, taken: set[str]) -> list[str]:
    """The topics of a type that others publish, but those that a camera of this node reads already."""
    own = node.get_fully_qualified_name() + "/"
    return [
        name
        for name, types in node.get_topic_names_and_types()
        if kind in types
        and not name.startswith(own)
        and name not in taken
        and node.count_publishers(name) > 0
    ]
