"""`ovseg segment`: what it reads, writes and says, and how it takes trouble."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

from ovseg_ros.clipseg import DeviceLost, OutOfMemory, Smoother

from .stand_ins import FakeSegmenter, read_video, save_picture, save_video

Run = Callable[..., Result]
WORDS = ("--classes", "red thing; ruby, dark thing")


def written(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_image_through_a_real_model(ovseg: Run, tiny_model_dir: Path, tmp_path: Path) -> None:
    photo, out = save_picture(tmp_path / "photo.png"), tmp_path / "out"
    result = ovseg(
        "segment", photo, "--model", tiny_model_dir, "--device", "cpu", "--short-side", 64, "--output", out,
        "--classes", "road, person; pedestrian", "--background", "sky, sea", "--confidence",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert written(out) == ["classes.json", "photo_confidence.png", "photo_labels.png", "photo_overlay.png"]
    labels = cv2.imread(str(out / "photo_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels.shape, labels.dtype) == ((60, 80), np.uint8)
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert "1 frames in" in result.stdout
    assert f"results in {out}" in result.stdout


def test_the_outputs_of_an_image(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    photo, out = save_picture(tmp_path / "photo.png", red=0.25), tmp_path / "out"
    result = ovseg("segment", photo, *WORDS, "--output", out, "--confidence", "--background", "sky")
    assert result.exit_code == 0, result.output
    labels = cv2.imread(str(out / "photo_labels.png"), cv2.IMREAD_UNCHANGED)
    assert (labels[:, :20] == 1).all()
    assert (labels[:, 20:] == 2).all()
    assert (cv2.imread(str(out / "photo_confidence.png"), cv2.IMREAD_UNCHANGED) == 51).all()
    overlay = cv2.imread(str(out / "photo_overlay.png"))
    assert overlay.shape[0] > 60
    assert overlay.shape[1] >= 80
    meaning = json.loads((out / "classes.json").read_text())
    assert [(cls["id"], cls["name"], cls["synonyms"]) for cls in meaning["classes"]] == [
        (1, "red thing", ["ruby"]),
        (2, "dark thing", []),
    ]
    assert all(len(cls["color"]) == 3 for cls in meaning["classes"])
    assert meaning["background"] == {"id": 0, "prompts": ["sky"]}
    assert meaning["unlabelled"] == {"id": 255, "threshold": 0.0}
    assert "25.0%" in result.stdout
    assert "75.0%" in result.stdout


def test_photographs_give_jpeg_overlays(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    ovseg(
        "segment", save_picture(tmp_path / "photo.jpg"), *WORDS, "--output", tmp_path / "out", "--no-labels"
    )
    assert written(tmp_path / "out") == ["classes.json", "photo_overlay.jpg"]


def test_alpha_reaches_the_picture(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "photo.png", red=0, size=(240, 320))
    overlays = []
    for alpha in ("0", "1"):
        out = tmp_path / alpha
        assert ovseg("segment", photo, *WORDS, "--output", out, "--overlay-alpha", alpha).exit_code == 0
        overlays.append(cv2.imread(str(out / "photo_overlay.png"))[:240, :320])
    assert overlays[0].max() == 0
    assert overlays[1].max() > 100


def test_a_folder_keeps_its_order_and_its_levels(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    for name, red in {"img10.png": 0.3, "img2.png": 0.2, "deep/img1.png": 0.1, ".hidden/x.png": 0.9}.items():
        save_picture(tmp_path / "in" / name, red)
    (tmp_path / "in/notes.txt").write_text("no image")
    result = ovseg("segment", tmp_path / "in", *WORDS, "--output", tmp_path / "out", "--no-overlay")
    assert result.exit_code == 0, result.output
    assert written(tmp_path / "out") == [
        "classes.json", "deep/img1_labels.png", "img10_labels.png", "img2_labels.png",
    ]  # fmt: skip
    assert [round(float((image[..., 0] > 0).mean()), 2) for image in fake_segmenter.images] == [0.1, 0.2, 0.3]


def test_inputs_with_one_stem_do_not_overwrite_each_other(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    inputs = [
        save_picture(tmp_path / "a/x.png", 0.1),
        save_picture(tmp_path / "b/x.png", 0.2),
        save_picture(tmp_path / "b/X.jpg", 0.3),
        save_video(tmp_path / "x.mp4", 1),
    ]
    out = tmp_path / "out"
    assert ovseg("segment", *inputs, *WORDS, "--output", out, "--no-overlay").exit_code == 0
    assert written(out) == [
        "X_3_labels.png", "classes.json", "x_2_labels.png", "x_4_labels/000000.png", "x_labels.png",
    ]  # fmt: skip
    assert (cv2.imread(str(out / "x_2_labels.png"), cv2.IMREAD_UNCHANGED) == 1).mean() == 0.2


def test_an_output_folder_inside_the_input_is_not_read_again(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    save_picture(tmp_path / "photo.png")
    for _ in range(2):
        assert ovseg("segment", tmp_path, *WORDS, "--output", tmp_path / "out").exit_code == 0
    assert len(written(tmp_path / "out")) == 3
    result = ovseg("segment", tmp_path, *WORDS, "--output", tmp_path)
    assert result.exit_code == 1
    assert "is both input and output" in result.stderr


def test_a_video(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    video, out = save_video(tmp_path / "drive.mp4", 10), tmp_path / "out"
    result = ovseg("segment", video, *WORDS, "--output", out, "--every", 3, "--limit", 3)
    assert result.exit_code == 0, result.output
    assert written(out) == [
        "classes.json", "drive_labels/000000.png", "drive_labels/000003.png", "drive_labels/000006.png",
        "drive_overlay.webm",
    ]  # fmt: skip
    frames = read_video(out / "drive_overlay.webm")
    assert len(frames) == 3
    assert frames[0].shape[0] > 60
    assert cv2.VideoCapture(str(out / "drive_overlay.webm")).get(cv2.CAP_PROP_FPS) == pytest.approx(
        8 / 3, rel=0.01
    )
    labels = cv2.imread(str(out / "drive_labels/000006.png"), cv2.IMREAD_UNCHANGED)
    assert (labels == 1).mean() == pytest.approx(0.6, abs=0.05)


def test_a_bag(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    for number in range(3):
        save_picture(tmp_path / f"dataset/images/{number}.png", number / 4)
    bag, out = tmp_path / "bag", tmp_path / "out"
    assert ovseg("bag", "make", tmp_path / "dataset", "--output", bag, "--rate", 4).exit_code == 0
    result = ovseg("segment", bag, *WORDS, "--output", out, "--topic", "/camera/image/compressed")
    assert result.exit_code == 0, result.output
    names = written(out)
    assert names[0] == "bag_labels/000000_1000000000000.png"
    assert names[1].startswith("bag_labels/000001_")
    assert len(read_video(out / "bag_overlay.webm")) == 3
    assert (cv2.imread(str(out / names[2]), cv2.IMREAD_UNCHANGED) == 1).mean() == 0.5
    result = ovseg("segment", bag, *WORDS, "--output", out, "--topic", "/rear/image")
    assert result.exit_code == 1
    assert "no image topic '/rear/image'" in result.stderr


def test_videos_are_smoothed_each_by_itself(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resets: list[int] = []
    monkeypatch.setattr(Smoother, "reset", lambda self: resets.append(len(fake_segmenter.images)))
    videos = [save_video(tmp_path / name, 2) for name in ("a.mp4", "b.mp4")]
    result = ovseg("segment", *videos, *WORDS, "--output", tmp_path / "out", "--smoothing", 0.3)
    assert result.exit_code == 0, result.output
    assert resets == [0, 2]
    states = [settings["smoothing"] for settings in fake_segmenter.settings]
    assert [state.smoother.seconds for state in states] == [0.3] * 4
    assert states[0].stamp_ns < states[1].stamp_ns


def test_limit_and_every_count_all_images_together(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    for number in range(9):
        save_picture(tmp_path / f"in/{number}.png")
    out = tmp_path / "out"
    ovseg("segment", tmp_path / "in", *WORDS, "--output", out, "--every", 4, "--limit", 2, "--no-overlay")
    assert written(out) == ["0_labels.png", "4_labels.png", "classes.json"]


def test_broken_files_are_named_and_left_behind(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    save_picture(folder / "good.png")
    (folder / "[red] empty.png").write_bytes(b"")
    (folder / "text.jpg").write_text("hello")
    cut = save_picture(folder / "cut.jpg")
    cut.write_bytes(cut.read_bytes()[:-20])
    (folder / "clip.mp4").write_bytes(b"\0" * 500)
    numbers = tmp_path / "numbers.json"
    result = ovseg("segment", folder, *WORDS, "--output", tmp_path / "out", "--json", numbers)
    assert result.exit_code == 1
    assert written(tmp_path / "out") == ["classes.json", "good_labels.png", "good_overlay.png"]
    for name in ("[red] empty.png", "text.jpg", "cut.jpg", "clip.mp4"):
        assert f"warning: {folder / name}:" in result.stderr
    assert "error: 4 failed, 1 succeeded" in result.stderr
    assert "Traceback" not in result.output
    content = json.loads(numbers.read_text())
    assert (content["frames"], len(content["failed"])) == (1, 4)


def test_many_failures_of_one_input_are_said_in_short(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    def fail(number: int) -> None:
        if number <= 15:
            raise OutOfMemory("no memory left for this image")

    fake_segmenter.before = fail
    result = ovseg("segment", save_video(tmp_path / "v.avi", 17), *WORDS, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.count("no memory left") == 10
    assert "v.avi: 5 more frames failed" in result.stderr
    assert len(read_video(tmp_path / "out/v_overlay.webm")) == 2


def test_a_lost_device_ends_the_work(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    def lose(number: int) -> None:
        if number == 2:
            raise DeviceLost("the device is gone")

    fake_segmenter.before = lose
    for number in range(4):
        save_picture(tmp_path / f"in/{number}.png")
    result = ovseg("segment", tmp_path / "in", *WORDS, "--output", tmp_path / "out", "--no-overlay")
    assert result.exit_code == 1
    assert written(tmp_path / "out") == ["0_labels.png", "classes.json"]
    assert "the device is gone" in result.stderr


def test_an_interrupt_keeps_what_is_done(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    def interrupt(number: int) -> None:
        if number == 4:
            raise KeyboardInterrupt

    fake_segmenter.before = interrupt
    numbers = tmp_path / "numbers.json"
    video = save_video(tmp_path / "drive.mp4", 10)
    result = ovseg("segment", video, *WORDS, "--output", tmp_path / "out", "--json", numbers)
    assert result.exit_code == 130
    assert len(read_video(tmp_path / "out/drive_overlay.webm")) == 3
    assert "3 frames in" in result.stdout
    assert "interrupted" in result.stderr
    assert json.loads(numbers.read_text())["frames"] == 3


def test_the_numbers_as_json(ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path) -> None:
    photos = [save_picture(tmp_path / f"{number}.png", red) for number, red in enumerate((0.0, 0.5))]
    numbers = tmp_path / "deep/numbers.json"
    assert ovseg("segment", *photos, *WORDS, "--output", tmp_path / "out", "--json", numbers).exit_code == 0
    content = json.loads(numbers.read_text())
    assert content["model"] == "fake"
    assert content["inference_ms"] == {"p50": 1.5, "p95": pytest.approx(1.95)}
    assert content["classes"][0] == {
        "id": 1, "name": "red thing", "share": 0.25, "mean_confidence": pytest.approx(0.2), "frames": 1,
    }  # fmt: skip
    assert [entry["classes"][0]["share"] for entry in content["inputs"]] == [0.0, 0.5]
    assert [(entry["path"], entry["kind"]) for entry in content["inputs"]] == [
        (str(photo), "image") for photo in photos
    ]


def test_a_vocabulary_by_name_with_own_background_and_threshold(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    photo, out = save_picture(tmp_path / "photo.png"), tmp_path / "out"
    result = ovseg(
        "segment",
        photo,
        "--vocabulary",
        "indoor",
        "--background",
        "garden",
        "--threshold",
        0.4,
        "--output",
        out,
    )
    assert result.exit_code == 0, result.output
    meaning = json.loads((out / "classes.json").read_text())
    assert "sofa" in [cls["name"] for cls in meaning["classes"]]
    assert meaning["background"]["prompts"] == ["garden"]
    assert meaning["unlabelled"]["threshold"] == 0.4


def test_classes_may_be_given_several_times(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    photo, out = save_picture(tmp_path / "photo.png"), tmp_path / "out"
    ovseg("segment", photo, "--classes", "a, b; c", "--classes", "d", "--output", out)
    meaning = json.loads((out / "classes.json").read_text())
    assert [cls["name"] for cls in meaning["classes"]] == ["a", "b", "d"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 2, "give either --classes or --vocabulary"),
        (("--classes", "a", "--vocabulary", "indoor"), 2, "give either --classes or --vocabulary"),
        (("--classes", "a", "--overlay-alpha", "1.5"), 2, "--overlay-alpha"),
        (("--classes", "a", "--every", "0"), 2, "--every"),
        (("--classes", "a", "--limit", "-1"), 2, "--limit"),
        (("--classes", "road, , car"), 1, "error: class 2 '' is blank"),
        (("--classes", "road, Road"), 1, "error: class 2 'Road' is a duplicate of class 1 'road'"),
        (("--classes", "a", "--threshold", "nan"), 2, "--threshold"),
        (("--vocabulary", "indor"), 1, "did you mean 'indoor'"),
        (("--classes", "a", "--model", "no-such-model"), 1, "error: model 'no-such-model'"),
    ],
)
def test_bad_use_is_one_clear_line(
    ovseg: Run, tmp_path: Path, arguments: tuple[str, ...], status: int, message: str
) -> None:
    photo = save_picture(tmp_path / "photo.png")
    result = ovseg("segment", photo, *arguments, "--output", tmp_path / "out", "--device", "cpu")
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


def test_results_that_cannot_be_written_end_the_work_in_one_line(
    ovseg: Run, fake_segmenter: FakeSegmenter, tmp_path: Path
) -> None:
    photo = save_picture(tmp_path / "photo.png")
    (tmp_path / "out").write_text("a file, no folder")
    result = ovseg("segment", photo, *WORDS, "--output", tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert str(tmp_path / "out") in result.stderr
