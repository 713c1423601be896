"""From a path to a bag: every format and compression, split, damaged and mixed-up folders."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.storage_file import BagError

from .bag_builders import SECOND, TOPIC, noise, storage_file, write_ros1, write_rosbag2

MCAP, SQLITE = StoragePlugin.MCAP, StoragePlugin.SQLITE3


def read(path: Path) -> tuple[list[int], list[str]]:
    """The stamps (s) of the images, each checked pixel by pixel, and the warnings."""
    stamps = []
    with Bag(path) as bag:
        for message in bag.messages([TOPIC]):
            stamps.append(message.stamp_ns // SECOND)
            assert np.array_equal(bag.decode_image(message), noise(stamps[-1]))
        return stamps, bag.warnings


@pytest.mark.parametrize(
    ("plugin", "mode", "compression"),
    [
        (MCAP, CompressionMode.NONE, "none"),
        (MCAP, CompressionMode.STORAGE, "zstd"),
        (MCAP, CompressionMode.MESSAGE, "zstd"),
        (MCAP, CompressionMode.FILE, "zstd"),
        (SQLITE, CompressionMode.NONE, "none"),
        (SQLITE, CompressionMode.MESSAGE, "zstd"),
        (SQLITE, CompressionMode.FILE, "zstd"),
    ],
)
def test_every_compression_of_rosbag2(
    tmp_path: Path, plugin: StoragePlugin, mode: CompressionMode, compression: str
) -> None:
    path = write_rosbag2(tmp_path / "bag", plugin, mode)
    assert read(path) == ([*range(1, 21)], [])
    with Bag(path) as bag:
        assert bag.storage == {MCAP: "mcap", SQLITE: "sqlite3"}[plugin]
        assert bag.topic(TOPIC).count == 20
        next(bag.messages([TOPIC]))
        assert bag.compression == compression


@pytest.mark.parametrize(("given", "compression"), [(None, "none"), ("BZ2", "bz2"), ("LZ4", "lz4")])
def test_every_compression_of_ros1(tmp_path: Path, given: str | None, compression: str) -> None:
    path = write_ros1(tmp_path / "old.bag", given)
    assert read(path) == ([*range(1, 21)], [])
    with Bag(path) as bag:
        assert (bag.storage, bag.compression) == ("ros1", compression)


def split_bag(path: Path, plugin: StoragePlugin) -> Path:
    """A bag of three files, as a recorder splits it."""
    path.mkdir()
    names = []
    for number, start in enumerate((0, 7, 14)):
        part = write_rosbag2(path / "part", plugin, times=range(start, start + 7))
        file = storage_file(part)
        names.append(f"bag_{number}{file.suffix}")
        file.rename(path / names[-1])
        metadata = yaml.safe_load((part / "metadata.yaml").read_text())
        shutil.rmtree(part)
    metadata["rosbag2_bagfile_information"] |= {
        "relative_file_paths": names,
        "message_count": 21,
        "starting_time": {"nanoseconds_since_epoch": SECOND},
        "duration": {"nanoseconds": 20 * SECOND},
    }
    (path / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    return path


@pytest.mark.parametrize("plugin", [MCAP, SQLITE])
class TestSplitBags:
    def test_all_files_are_read_in_order(self, tmp_path: Path, plugin: StoragePlugin) -> None:
        path = split_bag(tmp_path / "bag", plugin)
        assert read(path) == ([*range(1, 22)], [])
        with Bag(path) as bag:
            assert (bag.start_ns, bag.end_ns, len(bag.files)) == (SECOND, 21 * SECOND, 3)
            assert bag.topic(TOPIC).count == 21
            assert bag.topic(TOPIC).rate == pytest.approx(1.0)

    def test_without_metadata_files_of_one_name_belong_together(
        self, tmp_path: Path, plugin: StoragePlugin
    ) -> None:
        path = split_bag(tmp_path / "bag", plugin)
        (path / "metadata.yaml").unlink()
        stamps, warnings = read(path)
        assert stamps == [*range(1, 22)]
        assert warnings == [
            "bag: there is no metadata.yaml, so the recording may not have been ended properly"
        ]

    def test_a_missing_file_is_reported(self, tmp_path: Path, plugin: StoragePlugin) -> None:
        path = split_bag(tmp_path / "bag", plugin)
        (missing,) = path.glob("bag_1.*")
        missing.unlink()
        stamps, warnings = read(path)
        assert stamps == [*range(1, 8), *range(15, 22)]
        assert warnings == [f"bag: metadata.yaml names files that are missing: {missing.name}"]

    def test_a_file_of_rubbish_is_left_out_and_reported(self, tmp_path: Path, plugin: StoragePlugin) -> None:
        path = split_bag(tmp_path / "bag", plugin)
        (file,) = path.glob("bag_1.*")
        file.write_bytes(b"rubbish" * 100)
        stamps, (warning,) = read(path)
        assert stamps == [*range(1, 8), *range(15, 22)]
        assert warning.startswith(f"bag: left out: {file} cannot be read")


def test_files_that_metadata_does_not_name_are_reported(tmp_path: Path) -> None:
    path = write_rosbag2(tmp_path / "bag", MCAP)
    shutil.copy(path / "bag.mcap", path / "other.mcap")
    assert read(path) == ([*range(1, 21)], ["bag: not read, as metadata.yaml does not name them: other.mcap"])


def test_two_bags_in_one_folder_ask_for_a_choice(tmp_path: Path) -> None:
    path = write_rosbag2(tmp_path / "bag", MCAP)
    (path / "metadata.yaml").unlink()
    shutil.copy(path / "bag.mcap", path / "other.mcap")
    with pytest.raises(BagError, match=r"files of several bags[\s\S]*bag\.mcap[\s\S]*other\.mcap"):
        read(path)
    assert read(path / "other.mcap")[0] == [*range(1, 21)]


def test_a_folder_of_bags_names_them(tmp_path: Path) -> None:
    write_rosbag2(tmp_path / "first", MCAP)
    write_rosbag2(tmp_path / "second", MCAP)
    with pytest.raises(BagError, match=r"is no bag: .*it holds 2 folders that are bags: first, second"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content", ["", "rosbag2_bagfile_information: {}", "a: [", "rosbag2_bagfile_information: 3"]
)
def test_metadata_that_cannot_be_read_is_passed_over(tmp_path: Path, content: str) -> None:
    path = write_rosbag2(tmp_path / "bag", MCAP)
    (path / "metadata.yaml").write_text(content)
    stamps, (warning,) = read(path)
    assert stamps == [*range(1, 21)]
    assert "metadata.yaml cannot be read" in warning


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    "write",
    [
        lambda path: storage_file(write_rosbag2(path, MCAP)),
        lambda path: storage_file(write_rosbag2(path, MCAP, CompressionMode.STORAGE)),
        lambda path: storage_file(write_rosbag2(path, SQLITE)),
        lambda path: write_ros1(path.with_suffix(".bag")),
        lambda path: write_ros1(path.with_suffix(".bag"), "LZ4"),
    ],
    ids=["mcap", "mcap-zstd", "sqlite3", "ros1", "ros1-lz4"],
)
def test_a_recording_that_was_cut_off_is_read_up_to_the_cut(
    tmp_path: Path, write: Callable[[Path], Path], share: float
) -> None:
    file = write(tmp_path / "bag")
    cut(file, share)
    stamps, warnings = read(file)
    assert stamps == [*range(1, len(stamps) + 1)]
    # All but the message at the cut, and what the end of the file holds besides messages.
    assert 20 * share - 2.5 <= len(stamps) <= 20
    assert any(
        re.search(rf"is not intact .*: {len(stamps)} messages can be read; .*ros2 bag reindex", warning)
        or "is damaged" in warning
        for warning in warnings
    )


@pytest.mark.parametrize("share", [0.0, 0.001])
@pytest.mark.parametrize("plugin", [MCAP, SQLITE])
def test_a_file_of_which_nothing_is_left_is_an_error(
    tmp_path: Path, plugin: StoragePlugin, share: float
) -> None:
    file = storage_file(write_rosbag2(tmp_path / "bag", plugin))
    cut(file, share)
    with pytest.raises(BagError, match=r"cannot be read: .*ros2 bag reindex"):
        read(tmp_path / "bag")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: storage_file(write_rosbag2(path, MCAP, CompressionMode.STORAGE, range(400))),
        lambda path: storage_file(write_rosbag2(path, SQLITE, times=range(400))),
    ],
    ids=["mcap", "sqlite3"],
)
def test_a_hole_in_the_middle_costs_only_what_is_in_it(tmp_path: Path, write: Callable[[Path], Path]) -> None:
    file = write(tmp_path / "bag")
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 8192] = b"\xff" * 8192
    file.write_bytes(content)
    with Bag(file) as bag:
        stamps = [message.stamp_ns // SECOND for message in bag.messages([TOPIC])]
        warnings = bag.warnings
    assert stamps == sorted(set(stamps))
    assert 250 <= len(stamps) < 400
    assert stamps[-1] == 400
    assert any(re.search("damaged|not intact", warning) for warning in warnings)
    assert any(re.search("hole|left out", warning) for warning in warnings)


def test_an_active_ros1_recording_is_read(tmp_path: Path) -> None:
    file = write_ros1(tmp_path / "now.bag")
    cut(file, 0.8)
    stamps, _ = read(file.rename(tmp_path / "now.bag.active"))
    assert stamps == [*range(1, len(stamps) + 1)]
    assert len(stamps) >= 14
