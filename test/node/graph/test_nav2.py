"""The rules of Nav2's semantic_segmentation_layer for its input, held against what a real node sends.

Each test says which rule of the layer (github.com/kiwicampus/semantic_segmentation_layer, branches jazzy and
rolling) it holds the node to. The subscriptions here have the layer's own QoS.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2, PointField
from std_msgs.msg import Header

from ovseg_ros.vocabulary import VocabularyBuilder, build_vocabulary
from ovseg_ros.vocabulary.config import VocabularyConfig

kinds = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")

CONFIG = Path(__file__).resolve().parents[3] / "config" / "nav2_semantic_layer.yaml"
SIZE = (48, 64)
SENSOR_DATA = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
LABELS = QoSProfile(
    depth=5, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)

LAYER = {"plugin", "enabled", "combination_method", "use_approximate_time_sync", "observation_sources"}
SOURCE = {
    "segmentation_topic",
    "confidence_topic",
    "labels_topic",
    "pointcloud_topic",
    "max_obstacle_distance",
    "min_obstacle_distance",
    "tile_map_decay_time",
    "use_cost_selection",
    "class_types",
}
CLASS_TYPE = {
    "classes": list,
    "base_cost": int,
    "max_cost": int,
    "mark_confidence": int,
    "samples_to_max_cost": int,
    "dominant_priority": bool,
}


@pytest.fixture(scope="module")
def layer() -> dict[str, Any]:
    """The layer's parameters as they ship."""
    content = yaml.safe_load(CONFIG.read_text())
    parameters: dict[str, Any] = content["local_costmap"]["local_costmap"]["ros__parameters"]
    assert "semantic_layer" in parameters["plugins"]
    found: dict[str, Any] = parameters["semantic_layer"]
    return found


class Robot:
    """A camera with depth that the probe plays, and the layer's four subscriptions."""

    def __init__(self, probe: Any, topics: dict[str, str]) -> None:
        self.probe = probe
        self.depths = probe.node.create_publisher(Image, "depth", 10)
        self.journal: list[Any] = []
        self.received: dict[str, dict[int, Any]] = {}
        for name, kind in (("segmentation", Image), ("confidence", Image), ("pointcloud", PointCloud2)):
            self.subscribe(name, kind, topics[f"{name}_topic"], SENSOR_DATA)
        self.subscribe("labels", kinds.LabelInfo, topics["labels_topic"], LABELS)

    def subscribe(self, name: str, kind: type, topic: str, profile: QoSProfile) -> None:
        inbox = self.received.setdefault(name, {})

        def keep(message: Any) -> None:
            stamp = message.header.stamp
            inbox[stamp.sec * 10**9 + stamp.nanosec] = message
            self.journal.append((name, message))

        self.probe.node.create_subscription(kind, topic, keep, profile)

    def __call__(self) -> Image:
        """The next colour image, once its depth is on its way."""
        image = self.probe.image(SIZE)
        depth = Image(height=SIZE[0], width=SIZE[1], encoding="16UC1", step=2 * SIZE[1])
        depth.header = Header(stamp=image.header.stamp)
        millimetres = np.full(SIZE, 1500, np.uint16)
        millimetres[:9] = 0
        depth.data = millimetres.tobytes()
        info = CameraInfo(width=SIZE[1], height=SIZE[0])
        info.k = [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]
        self.probe.infos.publish(info)
        self.depths.publish(depth)
        return image

    def synchronised(self) -> list[tuple[Any, Any, Any]]:
        """Mask, confidence and cloud of equal stamps, as message_filters' exact policy passes them on."""
        masks, confidences, clouds = (
            self.received[name] for name in ("segmentation", "confidence", "pointcloud")
        )
        both = sorted(set(masks) & set(confidences) & set(clouds))
        return [(masks[stamp], confidences[stamp], clouds[stamp]) for stamp in both]

    def run(self, frames: int = 3) -> None:
        count = len(self.synchronised()) + frames
        self.probe.feed(lambda: len(self.synchronised()) >= count, "frames for Nav2", self)


@pytest.fixture
def robot(segmenter: Any, probe: Any, layer: dict[str, Any]) -> Robot:
    return Robot(probe, layer["camera"])


@pytest.mark.parametrize("output_size", ["input", "model"])
def test_mask_confidence_and_cloud_fit_each_other(robot: Robot, output_size: str) -> None:
    """The layer reads `data[v * width + u]` of mask and confidence, and the same place of the cloud.

    It drops a frame whose mask and cloud have different sizes, and reads beyond a confidence that is smaller.
    """
    assert robot.probe.set_parameters({"output.size": output_size}).successful
    robot.run()
    for mask, confidence, cloud in robot.synchronised():
        for image in (mask, confidence):
            assert image.encoding == "mono8"
            assert image.step == image.width
            assert len(image.data) == image.width * image.height
        assert (
            (cloud.height, cloud.width) == (mask.height, mask.width) == (confidence.height, confidence.width)
        )
    assert robot.probe.set_parameters({"output.size": "input"}).successful


def test_a_frame_has_one_stamp_and_one_frame(robot: Robot) -> None:
    """Exact synchronisation drops what has no partner; the cloud's frame is looked up in tf."""
    robot.run(6)
    masks = robot.received["segmentation"]
    together = robot.synchronised()
    assert len(together) >= len(masks) - 2, "only the first and the last may lack a partner"
    for mask, confidence, cloud in together:
        assert mask.header == confidence.header == cloud.header
        assert cloud.header.frame_id == "optical"


def test_the_cloud_has_what_the_layer_reads(robot: Robot) -> None:
    """x, y and z are read as float32; a point is left out where z, after the transform, is not finite."""
    robot.run()
    _, _, cloud = robot.synchronised()[-1]
    fields = {field.name: field for field in cloud.fields}
    for name in "xyz":
        assert fields[name].datatype == PointField.FLOAT32
        assert fields[name].count == 1
    assert not cloud.is_bigendian
    points = np.frombuffer(cloud.data, np.float32).reshape(-1, cloud.point_step // 4)[:, :3]
    assert np.array_equal(np.isnan(points).any(axis=1), np.isnan(points).all(axis=1))
    z = points[:, 2].reshape(SIZE)
    assert np.isnan(z[:9]).all()
    assert (z[9:] == 1.5).all()


def test_label_info_comes_first_and_names_every_value(robot: Robot, probe: Any, wait_for: Any) -> None:
    """Frames that come before the first LabelInfo are dropped, and pixels whose id it lacks are left out.

    A class_id goes into 8 bits. Of two classes of one name the layer keeps one.
    """
    wait_for(lambda: robot.received["labels"], "the latched label_info")
    robot.run()
    for words in (["carpet", "floor", "stairs"], ["floor", "person"]):
        assert probe.set_vocabulary(words).success
        robot.run(5)
    named: set[int] | None = None
    for name, message in robot.journal:
        if name == "labels":
            named = {entry.class_id for entry in message.class_map}
            assert max(named) <= 255
            assert len({entry.class_name for entry in message.class_map}) == len(named)
        elif name == "segmentation":
            assert named is not None, "a mask came before the first label_info"
            assert set(np.unique(np.frombuffer(message.data, np.uint8)).tolist()) <= named


def test_ids_stay_with_their_names(robot: Robot, probe: Any) -> None:
    """A cell remembers ids for `tile_map_decay_time` s, and looks costs up in the newest LabelInfo."""
    for words in (["floor", "chair"], ["person"], ["chair", "box"], ["box", "person", "floor"]):
        assert probe.set_vocabulary(words).success
        robot.run(2)
    ids: dict[str, int] = {}
    seen = 0
    for name, message in robot.journal:
        if name == "labels":
            for entry in message.class_map:
                assert ids.setdefault(entry.class_name, entry.class_id) == entry.class_id
                seen += 1
    assert len(set(ids.values())) == len(ids)
    assert seen > len(ids)


def test_the_shipped_parameters_are_those_of_the_layer(layer: dict[str, Any]) -> None:
    camera = layer["camera"]
    types = camera["class_types"]
    assert set(layer) == LAYER | {"camera"}
    assert layer["plugin"] == "semantic_segmentation_layer::SemanticSegmentationLayer"
    assert layer["observation_sources"] == "camera"
    assert set(camera) == SOURCE | set(types)
    names = [name for kind in types for name in camera[kind]["classes"]]
    assert len(set(names)) == len(names), "a class has two costs"
    for kind in types:
        assert {key: type(value) for key, value in camera[kind].items()} == CLASS_TYPE
        assert 0 <= camera[kind]["base_cost"] <= camera[kind]["max_cost"] <= 254
        assert 0 <= camera[kind]["mark_confidence"] < 255


def test_the_shipped_classes_are_words_of_the_vocabulary(layer: dict[str, Any]) -> None:
    """Names must be equal to those in LabelInfo, to the letter."""
    known = {cls.name for cls in build_vocabulary(VocabularyConfig(), VocabularyBuilder()).classes}
    camera = layer["camera"]
    assert {name for kind in camera["class_types"] for name in camera[kind]["classes"]} <= known


def test_the_shipped_topics_are_the_nodes(segmenter: Any, probe: Any, layer: dict[str, Any]) -> None:
    published = dict(probe.node.get_topic_names_and_types())
    expected = {
        "segmentation_topic": "sensor_msgs/msg/Image",
        "confidence_topic": "sensor_msgs/msg/Image",
        "pointcloud_topic": "sensor_msgs/msg/PointCloud2",
        "labels_topic": "vision_msgs/msg/LabelInfo",
    }
    for parameter, kind in expected.items():
        topic = layer["camera"][parameter]
        assert published[topic] == [kind]
        offered = probe.node.get_publishers_info_by_topic(topic)[0].qos_profile
        assert offered.reliability == ReliabilityPolicy.RELIABLE
        latched = parameter == "labels_topic"
        assert (offered.durability == DurabilityPolicy.TRANSIENT_LOCAL) == latched
