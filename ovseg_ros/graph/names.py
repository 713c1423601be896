"""Where on the graph the segmenter and its topics are: node name, namespace, image topic."""

from dataclasses import dataclass

NODE_NAME = "segmenter"


@dataclass(frozen=True)
class GraphNames:
    """The node's name and namespace, and the topic that it takes images from.

    `image` is the raw topic, in full; compressed images go to the same name with "/compressed" behind it,
    and the calibration to `camera_info` in its namespace, as image_transport has it. Empty: `image` in the
    namespace.
    """

    node: str = NODE_NAME
    namespace: str = "/"
    image: str = ""

    @property
    def full_node(self) -> str:
        """The node's name with its namespace: "/front/segmenter"."""
        return self.in_namespace(self.node)

    @property
    def raw_image(self) -> str:
        return self.image or self.in_namespace("image")

    @property
    def compressed_image(self) -> str:
        return f"{self.raw_image}/compressed"

    @property
    def camera_info(self) -> str:
        return f"{self.raw_image.rpartition('/')[0]}/camera_info"

    def private(self, name: str) -> str:
        """The full name of `~/name`."""
        return f"{self.full_node}/{name}"

    def in_namespace(self, name: str) -> str:
        """The full name of a relative name."""
        return "/" + "/".join(part for part in (self.namespace.strip("/"), name) if part)

    def remappings(self) -> list[str]:
        """Arguments behind `--ros-args` that give a segmenter these names."""
        rules = [f"__node:={self.node}", f"__ns:=/{self.namespace.strip('/')}"]
        if self.image:
            rules += [f"image:={self.raw_image}", f"camera_info:={self.camera_info}"]
        return [word for rule in rules for word in ("-r", rule)]
