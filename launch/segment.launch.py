"""Starts the segmenter node on one camera, or on several that share it.

ros2 launch ovseg_ros segment.launch.py image:=/camera/color/image_raw
ros2 launch ovseg_ros segment.launch.py cameras:=front,rear image:=/camera_{camera}/color/image_raw
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# config/ and launch/ are side by side, in the checkout as in the installation.
SHIPPED_PARAMETERS = Path(__file__).parents[1] / "config" / "segment.yaml"

# Launch argument, node parameter, type. An empty argument keeps the value of params_file.
OVERRIDES = (
    ("vocabulary", "vocabulary.file", str),
    ("model", "model.name", str),
    ("weights", "model.weights", str),
    ("device", "model.device", str),
    ("use_sim_time", "use_sim_time", bool),
    ("autostart", "autostart", bool),
)


def generate_launch_description() -> LaunchDescription:
    arguments = [
        _argument("image", "image", "topic of the colour images, for example /camera/color/image_raw"),
        _argument(
            "camera_info", "", "topic of the calibration; empty: camera_info in the namespace of the images"
        ),
        _argument("depth", "depth", "topic of the depth registered to the images, for points and locate"),
        _argument(
            "cameras",
            "",
            "names of the cameras that share the node, separated by commas; {camera} in image, camera_info "
            "and depth is replaced with each name",
        ),
        _argument("params_file", str(SHIPPED_PARAMETERS), "YAML file with the node's parameters"),
        _argument("vocabulary", "", "vocabulary: a YAML or text file, or the name of one that ships"),
        _argument("model", "", "open_clip model, for example ViT-B-16, or a folder with a model"),
        _argument("weights", "", "pretrained weights of the model, for example openai, or a file"),
        _argument("device", "", "where the model runs: auto, cuda or cpu"),
        _argument("namespace", "", "namespace of the node and of its topics and services"),
        _argument("use_sim_time", "", "use the time of /clock: true or false"),
        _argument("autostart", "", "configure and activate automatically: true or false"),
        _argument("log_level", "info", "lowest level of messages shown: debug, info, warn, error or fatal"),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_segmenter)])


def _argument(name: str, default: str, description: str) -> DeclareLaunchArgument:
    if name == "cameras" or name in {override[0] for override in OVERRIDES}:
        description += "; empty: as in params_file"
    return DeclareLaunchArgument(name, default_value=default, description=description)


def _segmenter(context: LaunchContext) -> list[Node]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    params_file = Path(value("params_file"))
    if not params_file.is_file():
        # launch itself would only warn and start the node with other parameters than those asked for.
        raise FileNotFoundError(f"params_file: there is no file {params_file}")
    cameras = [name.strip() for name in value("cameras").split(",") if name.strip()]
    # With several cameras the names of the node's own inputs have the camera's before them.
    image, depth = (
        f"{{camera}}/{name}" if cameras and value(name) == name else value(name)
        for name in ("image", "depth")
    )
    # Camera drivers publish image and calibration side by side.
    camera_info = value("camera_info") or "/".join([*image.split("/")[:-1], "camera_info"])
    topics = {"image": image, "image/compressed": f"{image}/compressed"}
    topics |= {"camera_info": camera_info, "depth": depth}
    overrides: dict[str, Any] = {
        parameter: ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, parameter, kind in OVERRIDES
        if value(argument)
    }
    if cameras:
        overrides["cameras"] = cameras
    node = Node(
        package="ovseg_ros",
        executable="segmenter",
        name="segmenter",
        namespace=value("namespace"),
        parameters=[params_file, overrides],
        remappings=_remappings(cameras, topics),
        arguments=["--ros-args", "--log-level", value("log_level")],
        output="screen",
        emulate_tty=True,
    )
    return [node]


def _remappings(cameras: list[str], topics: dict[str, str]) -> list[tuple[str, str]]:
    """From the names of the node's inputs to the topics that were asked for."""
    found = []
    for name, topic in topics.items():
        if "{camera}" in topic and not cameras:
            raise ValueError(f"{topic}: {{camera}} stands for the names in cameras, and there are none")
        if "{camera}" not in topic and len(cameras) > 1:
            raise ValueError(
                f"{topic} is one topic for {len(cameras)} cameras; write {{camera}} for their names"
            )
        found += [(f"{camera}/{name}", topic.replace("{camera}", camera)) for camera in cameras]
    return found or list(topics.items())
