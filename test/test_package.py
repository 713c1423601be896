"""The package as a whole: one version, the interfaces of the contract, a launch file that loads."""

import importlib
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]

INTERFACES = {
    "msg.VocabularyClass": {
        "id": "uint16",
        "name": "string",
        "synonyms": "sequence<string>",
        "threshold": "float",
        "cost": "uint8",
        "color": "std_msgs/ColorRGBA",
        "confidence_topic": "string",
    },
    "msg.Vocabulary": {
        "header": "std_msgs/Header",
        "revision": "uint32",
        "classes": "sequence<ovseg_ros/VocabularyClass>",
        "background": "sequence<string>",
        "threshold": "float",
        "has_costs": "boolean",
        "default_cost": "uint8",
    },
    "msg.ClassSummary": {
        "id": "uint16",
        "name": "string",
        "share": "float",
        "mean_confidence": "float",
        "peak_confidence": "float",
        "confidence_topic": "string",
    },
    "msg.SegmentationSummary": {
        "header": "std_msgs/Header",
        "vocabulary_revision": "uint32",
        "classes": "sequence<ovseg_ros/ClassSummary>",
        "unlabelled_share": "float",
        "inference_ms": "float",
        "latency_ms": "float",
    },
    "srv.SetVocabulary.Request": {
        "classes": "sequence<string>",
        "ids": "sequence<uint16>",
        "background": "sequence<string>",
        "threshold": "float",
        "costs": "sequence<int16>",
        "default_cost": "uint8",
    },
    "srv.SetVocabulary.Response": {
        "success": "boolean",
        "message": "string",
        "vocabulary": "ovseg_ros/Vocabulary",
    },
    "srv.Locate.Request": {"texts": "sequence<string>", "threshold": "float", "camera": "string"},
    "srv.Locate.Response": {
        "success": "boolean",
        "message": "string",
        "locations": "sequence<ovseg_ros/Location>",
        "age": "float",
    },
    "msg.Location": {
        "header": "std_msgs/Header",
        "text": "string",
        "camera": "string",
        "found": "boolean",
        "score": "float",
        "share": "float",
        "region": "sensor_msgs/RegionOfInterest",
        "centroid_px": "geometry_msgs/Point",
        "has_position": "boolean",
        "position": "geometry_msgs/Point",
        "spread": "geometry_msgs/Vector3",
        "heat": "sensor_msgs/Image",
    },
    "srv.GetVocabulary.Request": {},
    "srv.GetVocabulary.Response": {"vocabulary": "ovseg_ros/Vocabulary"},
}


def interface(name: str) -> Any:
    kind, *path = name.split(".")
    found = pytest.importorskip(f"ovseg_ros.{kind}", reason="interfaces not built: run scripts/environment")
    for part in path:
        found = getattr(found, part)
    return found


def project_metadata(key: str) -> str:
    text = (CHECKOUT / "pyproject.toml").read_text()
    match = re.search(rf'^{key} = "(.+)"$', text.split("[project]")[1], re.MULTILINE)
    assert match
    return match.group(1)


def test_one_version_everywhere() -> None:
    manifest = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    newest = re.search(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest
    assert manifest.findtext("version") == project_metadata("version") == newest.group(1)


def test_one_name_and_licence_everywhere() -> None:
    manifest = ElementTree.parse(CHECKOUT / "package.xml").getroot()

    assert manifest.findtext("name") == project_metadata("name") == "ovseg_ros"
    assert manifest.findtext("license") == project_metadata("license") == "Apache-2.0"
    assert "Apache License" in (CHECKOUT / "LICENSE").read_text()


def test_one_address_everywhere() -> None:
    manifest = ElementTree.parse(CHECKOUT / "package.xml").getroot()
    urls = {entry.get("type"): entry.text for entry in manifest.findall("url")}

    assert urls == {
        "website": project_metadata("Homepage"),
        "repository": project_metadata("Repository"),
        "bugtracker": project_metadata("Issues"),
    }


def test_pre_commit_and_the_workflow_run_the_checks_of_scripts_test() -> None:
    script = (CHECKOUT / "scripts" / "test").read_text()
    checks = dict(re.findall(r'^check "([^"]+)" (.+)$', script, re.MULTILINE))
    hooks = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    (job,) = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "test.yml").read_text())["jobs"].values()

    assert checks.pop("pytest").startswith("python -m pytest")
    assert {hook["name"]: hook["entry"].removeprefix(".venv/bin/") for hook in hooks} == checks
    assert job["steps"][-1]["run"] == "scripts/test"


def test_the_training_is_not_installed() -> None:
    from setuptools import find_packages

    pattern = re.search(r"^include = (.+)$", (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert pattern
    packages = find_packages(str(CHECKOUT), include=yaml.safe_load(pattern.group(1)))

    assert {package.split(".")[0] for package in packages} == {"ovseg_ros"}
    assert re.findall(r"file\(GLOB entries .* (\S+)\)", (CHECKOUT / "CMakeLists.txt").read_text()) == [
        "ovseg_ros/*"
    ]


@pytest.mark.parametrize("name", INTERFACES)
def test_interface_has_the_fields_of_the_contract(name: str) -> None:
    fields = interface(name).get_fields_and_field_types()

    # rosidl adds a member of its own to an empty structure.
    fields.pop("structure_needs_at_least_one_member", None)
    assert INTERFACES[name].items() <= fields.items()


def test_threshold_of_a_request_keeps_the_one_in_force_by_default() -> None:
    assert interface("srv.SetVocabulary.Request")().threshold == -1.0


def test_every_interface_file_is_built() -> None:
    cmake = (CHECKOUT / "CMakeLists.txt").read_text()
    paths = [*(CHECKOUT / "msg").iterdir(), *(CHECKOUT / "srv").iterdir()]
    files = {f"{path.parent.name}/{path.name}" for path in paths}

    assert files == set(re.findall(r'"((?:msg|srv)/\w+\.\w+)"', cmake))


def test_label_info_is_wire_compatible_with_nav2() -> None:
    vision = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")

    assert list(vision.LabelInfo.get_fields_and_field_types().items()) == [
        ("header", "std_msgs/Header"),
        ("class_map", "sequence<vision_msgs/VisionClass>"),
        ("threshold", "float"),
    ]
    assert list(vision.VisionClass.get_fields_and_field_types().items()) == [
        ("class_id", "uint16"),
        ("class_name", "string"),
    ]


@pytest.mark.parametrize("module", ["ovseg_ros.cli", "ovseg_ros.node.segmenter_node"])
def test_command_has_an_entry_point(module: str) -> None:
    if module.startswith("ovseg_ros.node"):
        pytest.importorskip("rclpy", reason="ROS 2 is not installed")

    assert callable(importlib.import_module(module).main)


SEGMENT_ARGUMENTS = [
    *("image", "camera_info", "depth", "cameras", "params_file", "vocabulary", "model", "weights", "device"),
    *("namespace", "use_sim_time", "autostart", "log_level"),
]
EVALUATE_ARGUMENTS = [
    *("bag", "output", "json", "topic", "speed", "rate", "loop", "every", "limit", "calls", "mapping"),
    *(
        "find_rate",
        "params_file",
        "vocabulary",
        "classes",
        "model",
        "weights",
        "device",
        "namespace",
        "log_level",
    ),
]


@pytest.mark.parametrize(
    ("file", "expected"),
    [("segment.launch.py", SEGMENT_ARGUMENTS), ("evaluate.launch.py", EVALUATE_ARGUMENTS)],
)
def test_launch_file_declares_every_argument_with_a_description(file: str, expected: list[str]) -> None:
    pytest.importorskip("launch_ros", reason="launch_ros, which is no wheel, is not installed")
    from launch.actions import DeclareLaunchArgument
    from launch.launch_description_sources import get_launch_description_from_python_launch_file

    launch_file = CHECKOUT / "launch" / file
    description = get_launch_description_from_python_launch_file(str(launch_file))
    arguments = [entity for entity in description.entities if isinstance(entity, DeclareLaunchArgument)]

    assert [argument.name for argument in arguments] == expected
    assert all(argument.description for argument in arguments)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"image": "image", "camera_info": "camera_info", "depth": "depth"}),
        (
            {"image": "/camera/color/image_raw"},
            {
                "image": "/camera/color/image_raw",
                "image/compressed": "/camera/color/image_raw/compressed",
                "camera_info": "/camera/color/camera_info",
            },
        ),
        ({"cameras": "front,rear"}, {"front/image": "front/image", "rear/camera_info": "rear/camera_info"}),
        (
            {"cameras": "front, rear", "image": "/{camera}/color/image_raw", "depth": "/{camera}/depth"},
            {
                "front/image": "/front/color/image_raw",
                "front/camera_info": "/front/color/camera_info",
                "rear/image/compressed": "/rear/color/image_raw/compressed",
                "rear/depth": "/rear/depth",
            },
        ),
        ({"cameras": "front,rear", "image": "/color/image_raw"}, "one topic for 2 cameras"),
        ({"image": "/{camera}/image"}, "there are none"),
    ],
)
def test_launch_file_leads_every_camera_to_its_topics(given: dict[str, str], expected: Any) -> None:
    pytest.importorskip("launch_ros", reason="launch_ros, which is no wheel, is not installed")
    from launch.launch_context import LaunchContext
    from launch.launch_description_sources import get_launch_description_from_python_launch_file
    from launch.utilities import perform_substitutions

    launch_file = CHECKOUT / "launch" / "segment.launch.py"
    *arguments, start = get_launch_description_from_python_launch_file(str(launch_file)).entities
    context = LaunchContext()
    context.launch_configurations.update(given)
    for argument in arguments:
        argument.execute(context)
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            start.execute(context)
        return
    (node,) = start.execute(context)
    pairs = node._Node__remappings
    remappings = {perform_substitutions(context, a): perform_substitutions(context, b) for a, b in pairs}
    assert expected.items() <= remappings.items()
    assert len(remappings) == 4 * max(1, len(given.get("cameras", "").split(",")))
