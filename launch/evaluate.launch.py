"""Starts the segmenter node, plays a recording into it, and reports how good and how fast it is.

ros2 launch ovseg_ros evaluate.launch.py bag:=drive.mcap output:=out/replay
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.events.process import ProcessExited
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.substitutions import ExecutableInPackage

# config/ and launch/ are side by side, in the checkout as in the installation.
SHIPPED_PARAMETERS = Path(__file__).parents[1] / "config" / "segment.yaml"

# Launch arguments that `ovseg replay` has as options of the same name; an empty one keeps its default.
OPTIONS = (
    "output",
    "json",
    "topic",
    "speed",
    "rate",
    "loop",
    "every",
    "limit",
    "calls",
    "mapping",
    "namespace",
)

# Launch arguments that decide the node's parameters.
FOR_NODE = ("topic", "vocabulary", "classes", "model", "weights", "device")

# An interrupted replay still writes its report, and a node on a busy machine takes its time.
SECONDS_TO_END = "120"


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument("bag", description="a bag, a data set folder, images or a video"),
        _argument("output", "out/replay", "folder for page, video, labelled bag and metrics.json"),
        _argument("json", "", "file for the numbers"),
        _argument("topic", "", "image topic of a bag with several"),
        _argument("speed", "", "recorded spacing, this many times as fast"),
        _argument("rate", "", "frames a second, instead of the recorded spacing"),
        _argument("loop", "", "how often the recording is played"),
        _argument("every", "", "play every N-th frame"),
        _argument("limit", "", "play at most N frames of each pass"),
        _argument("calls", "", "calls of each service while frames flow"),
        _argument("mapping", "", "YAML file from the truth's names to the vocabulary's"),
        _argument("find_rate", "false", "search the highest rate without drops too: true or false"),
        _argument("params_file", str(SHIPPED_PARAMETERS), "YAML file with the node's parameters"),
        _argument("vocabulary", "", "vocabulary file or name; empty: the classes of the ground truth"),
        _argument("classes", "", "classes in place of a vocabulary file: 'road, person; pedestrian'"),
        _argument("model", "", "open_clip model, or a folder with one; empty: as in params_file"),
        _argument("weights", "", "the model's pretrained weights; empty: as in params_file"),
        _argument("device", "", "where the model runs: auto, cuda or cpu; empty: as in params_file"),
        _argument("namespace", "", "namespace of the node and of its topics and services"),
        _argument("log_level", "info", "least severe messages shown: debug, info, warn, error or fatal"),
    ]
    return LaunchDescription([*arguments, OpaqueFunction(function=_node_and_replay)])


def _argument(name: str, default: str, description: str) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(name, default_value=default, description=description)


def _node_and_replay(context: LaunchContext) -> list[Node | ExecuteProcess | RegisterEventHandler]:
    def value(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    bag, params_file = Path(value("bag")), Path(value("params_file"))
    if not params_file.is_file():
        # launch itself would only warn and start the node with other parameters than those asked for.
        raise FileNotFoundError(f"params_file: there is no file {params_file}")
    program = ExecutableInPackage(package="ovseg_ros", executable="ovseg").perform(context)
    given = [word for name in FOR_NODE if value(name) for word in (f"--{name}", value(name))]
    parameters = _parameters([program, "replay", str(bag), *given])
    node = Node(
        package="ovseg_ros",
        executable="segmenter",
        name="segmenter",
        namespace=value("namespace"),
        parameters=[params_file, parameters],
        arguments=["--ros-args", "--log-level", value("log_level")],
        output="screen",
        emulate_tty=True,
        sigterm_timeout=SECONDS_TO_END,
    )
    options = [word for name in OPTIONS if value(name) for word in (f"--{name}", value(name))]
    if value("find_rate").lower() == "true":
        options.append("--find-rate")
    replay = ExecuteProcess(
        cmd=[program, "replay", str(bag), "--attach", *options],
        name="ovseg",
        output="screen",
        sigterm_timeout=SECONDS_TO_END,
    )
    return [node, replay, RegisterEventHandler(OnProcessExit(target_action=replay, on_exit=_end))]


def _parameters(command: list[str]) -> dict[str, Any]:
    """What a node needs for the recording, from the program: its environment has everything that it needs,
    which that of ros2 launch may not."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segmenter.yaml"
        if subprocess.run([*command, "--write-params", str(file)], check=False).returncode:
            raise RuntimeError("the recording cannot be played; the reason is printed above")
        return dict(yaml.safe_load(file.read_text(encoding="utf-8"))["/**"]["ros__parameters"])


def _end(event: ProcessExited, context: LaunchContext) -> EmitEvent:
    """The launch ends with the replay, and with its verdict: an exception makes the status of launch 1."""
    if event.returncode:
        raise RuntimeError(f"ovseg replay ended with status {event.returncode}; the reason is printed above")
    return EmitEvent(event=Shutdown(reason="the replay has ended"))
