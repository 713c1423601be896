"""What people are told when nothing happens: users remap names that do not exist, and get silence."""

from rclpy.node import Node

from ovseg_ros.node.camera import image_topic

TYPES = {"raw": "sensor_msgs/msg/Image", "compressed": "sensor_msgs/msg/CompressedImage"}


def missing_publisher_hint(node: Node, transport: str) -> str | None:
    """What to say when nothing publishes images: which image topics there are. None if something does."""
    topic = image_topic(node, transport)
    if node.count_publishers(topic) > 0:
        return None
    there = {name: _published(node, kind) for name, kind in TYPES.items()}
    text = f"nothing publishes on {topic}"
    if there[transport]:
        example = there[transport][0].removesuffix("/compressed")
        return f"{text}; there are: {', '.join(there[transport])}. Remap with --ros-args -r image:={example}"
    other = "compressed" if transport == "raw" else "raw"
    if there[other]:
        return f"{text}; there are {other} images: {', '.join(there[other])}. Set input.transport to {other}"
    return f"{text}, and there is no other image topic: is the camera running?"


def _published(node: Node, kind: str) -> list[str]:
    """The topics of a type that others publish."""
    own = node.get_fully_qualified_name() + "/"
    return [
        name
        for name, types in node.get_topic_names_and_types()
        if kind in types and not name.startswith(own) and node.count_publishers(name) > 0
    ]
