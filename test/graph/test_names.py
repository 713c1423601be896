"""Names on the graph."""

from ovseg_ros.graph.names import GraphNames


def test_by_default_everything_is_in_the_root_namespace() -> None:
    names = GraphNames()
    assert names.full_node == "/segmenter"
    assert names.private("labels") == "/segmenter/labels"
    assert names.in_namespace("set_vocabulary") == "/set_vocabulary"
    assert (names.raw_image, names.compressed_image) == ("/image", "/image/compressed")
    assert names.camera_info == "/camera_info"
    assert names.remappings() == ["-r", "__node:=segmenter", "-r", "__ns:=/"]


def test_a_namespace_and_a_camera_of_its_own() -> None:
    names = GraphNames("eye", "/front/", "/camera/color/image_raw")
    assert names.full_node == "/front/eye"
    assert names.private("labels") == "/front/eye/labels"
    assert names.in_namespace("set_vocabulary") == "/front/set_vocabulary"
    assert names.compressed_image == "/camera/color/image_raw/compressed"
    assert names.camera_info == "/camera/color/camera_info"
    assert names.remappings()[4:] == [
        "-r",
        "image:=/camera/color/image_raw",
        "-r",
        "camera_info:=/camera/color/camera_info",
    ]


def test_in_a_namespace_the_image_is_in_it() -> None:
    assert GraphNames(namespace="front").raw_image == "/front/image"
