"""Finding and reading images, videos and bags."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.recordings.inputs import (
    USUAL_RATE,
    ImageSource,
    InputError,
    Selection,
    VideoSource,
    find_sources,
    read_image,
)

from ..commands.stand_ins import picture, save_picture, save_video

ALL = Selection()


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 9), st.none() | st.integers(1, 9))
def test_a_selection_takes_what_it_counts(total: int, every: int, limit: int | None) -> None:
    selection = Selection(every, limit)
    asked = []
    chosen = list(selection.take(asked.append(n) or n for n in range(total)))  # type: ignore[func-returns-value]
    assert chosen == list(range(total))[::every][:limit]
    assert selection.count(total) == len(chosen)
    if limit is not None and len(chosen) == limit:
        assert asked[-1] == chosen[-1]


def test_names_are_sorted_as_people_count(tmp_path: Path) -> None:
    names = ["b1.png", "B02.png", "a10b2.png", "a10b10.png", "a9.png", "2.png", "10.png", "x/1.png"]
    for name in reversed(names):
        save_picture(tmp_path / "in" / name)
    found = [source.name for source in find_sources([tmp_path / "in"], tmp_path / "out", ALL)]
    assert found == ["2", "10", "a9", "a10b2", "a10b10", "b1", "B02", "x/1"]


def test_an_input_given_twice_is_taken_once(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "in/a.png")
    sources = find_sources([photo, tmp_path / "in", tmp_path / "in/../in/a.png"], tmp_path / "out", ALL)
    assert [source.path for source in sources] == [photo]


def test_every_kind_finds_its_reader(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.Mp4", "c.mcap", "d.bag"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "e.1").mkdir()
    (tmp_path / "e.1/metadata.yaml").write_text("")
    sources = find_sources(sorted(tmp_path.iterdir()), tmp_path / "out", Selection(2, 3), "/image")
    assert [(source.name, source.kind) for source in sources] == [
        ("a", "image"), ("b", "video"), ("c", "bag"), ("d", "bag"), ("e.1", "bag"),
    ]  # fmt: skip
    assert all(source.selection == Selection(2, 3) for source in sources[1:])  # type: ignore[attr-defined]
    assert all(source.topic == "/image" for source in sources[2:])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "does not exist"),
        ("notes.doc", "suffix is not known"),
        ("empty", "holds no image or video"),
    ],
)
def test_what_is_no_input(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "notes.doc").write_text("")
    (tmp_path / "empty/.hidden").mkdir(parents=True)
    save_picture(tmp_path / "empty/.hidden/a.png")
    with pytest.raises(InputError, match=message):
        find_sources([tmp_path / name], tmp_path / "out", ALL)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp"])
def test_images_of_every_kind_are_read_as_rgb(tmp_path: Path, suffix: str) -> None:
    image = read_image(save_picture(tmp_path / f"a{suffix}", size=(40, 60)))
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert image[20, 5].tolist() == pytest.approx([255, 0, 0], abs=8)
    assert image[20, 55].tolist() == pytest.approx([0, 0, 0], abs=8)


@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 4)])
def test_grey_deep_and_transparent_images_become_rgb(tmp_path: Path, shape: tuple[int, ...]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full(shape, 0x8000, np.uint16))
    image = read_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((8, 6, 3), np.uint8)
    assert abs(int(image[0, 0, 0]) - 128) <= 1


def test_a_turned_photograph_is_put_upright(tmp_path: Path) -> None:
    jpeg = cv2.imencode(".jpg", picture(size=(40, 60)))[1].tobytes()
    quarter_turn = b"\xff\xe1\x00\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + quarter_turn + jpeg[2:])
    image = read_image(tmp_path / "a.jpg")
    assert image.shape == (60, 40, 3)
    assert image[5, 20, 0] > 200
    assert image[55, 20, 0] < 50


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "a.png")


def test_frames_of_a_video(tmp_path: Path) -> None:
    video = VideoSource(save_video(tmp_path / "a.mp4", 10, rate=8), "a", Selection(every=4))
    frames = [(frame.index, frame.stamp_ns, frame.read()) for frame in video.frames()]
    assert [index for index, _, _ in frames] == [0, 4, 8]
    for index, stamp, image in frames:
        assert stamp is None
        assert (image[..., 0] > 127).mean() == pytest.approx(index / 10, abs=0.05)
    assert video.count() == 3
    assert video.rate() == pytest.approx(2.0)


def test_a_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    video = VideoSource(tmp_path / "a.mp4", "a")
    for use in (lambda: list(video.frames()), video.count, video.rate):
        with pytest.raises(InputError, match=r"a\.mp4: cannot be opened as a video"):
            use()


def test_an_image_says_its_usual_rate(tmp_path: Path) -> None:
    source = ImageSource(save_picture(tmp_path / "a.png"), "a")
    assert source.count() == len(list(source.frames())) == 1
    assert source.rate() == USUAL_RATE
    assert math.isfinite(USUAL_RATE)
