"""What `inspect_bag` reports of a bag."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ovseg_ros.recordings.info import inspect_bag
from ovseg_ros.recordings.messages import (
    COMPRESSED_IMAGE,
    IMAGE,
    LABEL_INFO,
    image_message,
    make_header,
    message_types,
    truth_info_cdr,
)
from ovseg_ros.recordings.storage_file import BagError
from ovseg_ros.recordings.writer import BagWriter

SECOND = 1_000_000_000


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Two cameras for 10 s at 2 Hz, one raw with a gap and two sizes, one compressed with a cut JPEG; labels
    for every second image of the first."""
    jpeg = cv2.imencode(".jpg", np.zeros((24, 32, 3), np.uint8))[1].reshape(-1)
    with BagWriter(tmp_path / "bag") as bag:
        bag.add_topic("/front/image", IMAGE)
        bag.add_topic("/rear/image/compressed", COMPRESSED_IMAGE)
        bag.add_topic("/ground_truth/labels", IMAGE)
        bag.add_topic("/ground_truth/label_info", LABEL_INFO)
        bag.write_cdr("/ground_truth/label_info", truth_info_cdr({1: "road", 2: "sky"}, SECOND), SECOND)
        for index in range(20):
            stamp = SECOND + index * SECOND // 2
            if not 8 <= index < 14:
                size = (6, 8) if index < 15 else (12, 16)
                bag.write("/front/image", image_message(np.zeros((*size, 3), np.uint8), "rgb8", stamp), stamp)
            data = jpeg[:-20] if index == 5 else jpeg
            compressed = message_types().types[COMPRESSED_IMAGE](make_header(stamp), "jpeg", data)
            bag.write("/rear/image/compressed", compressed, stamp)
            if index % 2 == 0:
                labels = image_message(np.ones((6, 8), np.uint8), "mono8", stamp)
                bag.write("/ground_truth/labels", labels, stamp)
    return tmp_path / "bag"


def test_all_that_is_reported(bag: Path) -> None:
    progress: list[tuple[int, int]] = []
    info = inspect_bag(bag, progress=lambda *state: progress.append(state))
    assert (info.storage, info.compression, info.duration_s) == ("mcap", "zstd", 9.5)
    assert info.file_bytes == (bag / "bag.mcap").stat().st_size
    assert info.cameras == ["/front/image", "/rear/image/compressed"]
    images = {image.topic.name: image for image in info.images}
    front = images["/front/image"]
    assert front.sizes == {(8, 6): 9, (16, 12): 5}
    assert front.formats == {"rgb8": 14}
    assert front.data_bytes == 9 * 8 * 6 * 3 + 5 * 16 * 12 * 3
    assert front.period_s == 0.5
    assert [(gap.start_s, gap.seconds) for gap in front.gaps] == [(3.5, 3.5)]
    assert images["/rear/image/compressed"].sizes == {(32, 24): 20}
    assert images["/rear/image/compressed"].gaps == []
    assert info.warnings == [
        "bag: 1 message of /rear/image/compressed could not be read; the first at 2.500 s: "
        "the jpeg image ends early"
    ]
    assert info.truth is not None
    assert info.truth.classes == {1: "road", 2: "sky"}
    assert (info.truth.labels, info.truth.matched_images) == (10, 10)
    assert progress[-1] == (44, 44)


def test_quick_reads_only_the_index(bag: Path) -> None:
    info = inspect_bag(bag, quick=True)
    assert info.images == []
    assert info.truth is not None
    assert info.truth.matched_images is None
    assert {topic.name: topic.count for topic in info.topics} == {
        "/front/image": 14,
        "/rear/image/compressed": 20,
        "/ground_truth/labels": 10,
        "/ground_truth/label_info": 1,
    }


def test_json_holds_the_same(bag: Path) -> None:
    data = json.loads(json.dumps(inspect_bag(bag).as_json()))
    assert data["duration_s"] == 9.5
    assert data["messages"] == 45
    topics = {topic["name"]: topic for topic in data["topics"]}
    assert topics["/front/image"]["sizes"] == [
        {"width": 8, "height": 6, "images": 9},
        {"width": 16, "height": 12, "images": 5},
    ]
    assert topics["/front/image"]["gaps"] == [{"start_s": 3.5, "seconds": 3.5}]
    assert "sizes" not in topics["/ground_truth/label_info"]
    assert data["truth"] == {
        "topic": "/ground_truth/labels",
        "classes": {"1": "road", "2": "sky"},
        "labels": 10,
        "matched_images": 10,
    }


def test_truth_of_another_name(bag: Path) -> None:
    info = inspect_bag(bag, labels_topic="/front/image", quick=True)
    assert info.cameras == ["/rear/image/compressed"]
    with pytest.raises(BagError, match="no image topic '/nothing'"):
        inspect_bag(bag, labels_topic="/nothing")
