"""`ovseg evaluate`: figures against a count from the written label images; what it takes and refuses."""

import json
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import Result

from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.messages import COMPRESSED_IMAGE, IMAGE, image_message
from ovseg_ros.recordings.writer import BagWriter, make_bag
from ovseg_ros.runs import calibrate, predictors

Run = Callable[..., Result]
CLASSES = ("road", "sky", "red box", "kerb")
FRAMES = 9
FIRST_NS, STEP_NS = 1_000_000_000_000, 100_000_000


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Nine frames of random blocks; the truth changes in parts only from frame to frame."""
    folder = tmp_path / "drive"
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    random = np.random.default_rng(5)
    blocks = random.integers(0, len(CLASSES), (6, 8)).astype(np.uint8)
    for number in range(FRAMES):
        blocks[random.random(blocks.shape) < 0.2] = random.integers(0, len(CLASSES))
        labels = np.kron(blocks, np.ones((8, 8), np.uint8))
        labels[random.random(labels.shape) < 0.05] = 255
        image = cv2.resize(random.integers(0, 256, (6, 8, 3)).astype(np.uint8), (64, 48))
        cv2.imwrite(str(folder / "images" / f"{number:03d}.png"), image)
        cv2.imwrite(str(folder / "labels" / f"{number:03d}.png"), labels)
    return folder


@pytest.fixture
def model(tiny_model_dir: Path) -> tuple[object, ...]:
    return "--model", tiny_model_dir, "--device", "cpu", "--short-side", 64


def counted_apart(labels: Path, dataset: Path, numbers: list[int]) -> dict[str, Any]:
    """The figures from the PNG files alone, class by class in float64."""
    classes = json.loads((labels / "classes.json").read_text(encoding="utf-8"))
    ours = {entry["name"]: entry["id"] for entry in classes["classes"]}
    hits, unions, truths = (dict.fromkeys(CLASSES, 0) for _ in range(3))
    right = total = steady = changed = 0
    brier = 0.0
    bins = np.zeros((15, 3))
    frames = []
    for number in numbers:
        name = f"{number:06d}_{FIRST_NS + number * STEP_NS}.png"
        said = np.array(Image.open(labels / name)).astype(int)
        sure = np.array(Image.open(labels / "confidence" / name)).astype(float) / 255
        truth = np.array(Image.open(dataset / "labels" / f"{number:03d}.png")).astype(int)
        counted = truth != 255
        good = np.zeros(truth.shape, bool)
        for index, word in enumerate(CLASSES):
            true, shown = truth == index, (said == ours[word]) & counted
            hits[word] += int((true & shown).sum())
            unions[word] += int((true | shown).sum())
            truths[word] += int(true.sum())
            good |= true & shown
        right, total = right + int(good.sum()), total + int(counted.sum())
        brier += float(((sure - good) ** 2)[counted].sum())
        for c, g in zip(sure[counted], good[counted], strict=True):
            bins[min(14, int(c * 15 + 1e-9))] += (1, g, c)
        frames.append((truth, said))
    for (t0, p0), (t1, p1) in pairwise(frames):
        same = (t0 == t1) & (t0 != 255)
        steady += int(same.sum())
        changed += int((same & (p0 != p1)).sum())
    iou = {word: hits[word] / unions[word] if unions[word] else None for word in CLASSES}
    there = [value for value in iou.values() if value is not None]
    return {
        "per_class_iou": iou,
        "miou": sum(there) / len(there),
        "pixel_accuracy": right / total,
        "mean_accuracy": sum(hits[w] / truths[w] for w in CLASSES) / len(CLASSES),
        "frequency_weighted_iou": sum(truths[w] * (iou[w] or 0.0) for w in CLASSES) / total,
        "ece": float(np.abs(bins[:, 1] - bins[:, 2]).sum() / total),
        "brier": brier / total,
        "flicker": changed / steady,
        "pixels": total,
    }


def figures_of(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def quality_of(metrics: dict[str, Any]) -> dict[str, Any]:
    """What depends on labels, confidence and truth alone."""
    names = ("miou", "per_class_iou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "ece")
    names += ("boundary_f", "brier", "flicker", "confusion", "reliability", "best_threshold", "frames")
    return {name: metrics[name] for name in names}


def test_figures_equal_a_count_from_the_written_labels(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    make_bag(dataset, tmp_path / "bag")
    results = {}
    for kind, source in (("bag", tmp_path / "bag"), ("folder", dataset)):
        labels, numbers = tmp_path / f"{kind}_labels", tmp_path / f"{kind}.json"
        result = ovseg("evaluate", source, *model, "--write-labels", labels, "--json", numbers, "--every", 2)
        assert result.exit_code == 0, result.output
        results[kind] = figures_of(numbers)
        apart = counted_apart(labels, dataset, [0, 2, 4, 6, 8])
        for name, value in apart.items():
            assert results[kind][name] == pytest.approx(value, abs=1e-9), name
    metrics = results["bag"]
    assert quality_of(metrics) == quality_of(results["folder"])
    assert metrics["frames"] == metrics["frames_with_truth"] == 5
    assert set(metrics["latency_ms"]) == {"p50", "p95", "p99", "max"}
    assert metrics["method"] == "clipseg"
    assert metrics["kind"] == "evaluate"
    assert metrics["peak_mb"] is None or metrics["peak_mb"] > 0
    assert "--every" in metrics["command"] or metrics["command"]


def test_smoothing_steadies_what_moves_on_and_leaves_cuts_alone(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    def evaluated(seconds: float) -> dict[str, Any]:
        numbers = tmp_path / f"{seconds}.json"
        result = ovseg("evaluate", dataset, *model, "--smoothing", seconds, "--json", numbers)
        assert result.exit_code == 0, result.output
        metrics = figures_of(numbers)
        assert metrics["configuration"]["smoothing"] == seconds
        assert ("flicker along the motion" in result.stdout) == (metrics["flicker_along_motion"] is not None)
        return metrics

    # Each image is another scene, so nothing can be followed.
    cuts = evaluated(0.0)
    assert cuts["flicker_along_motion"] is None
    assert quality_of(cuts) == quality_of(evaluated(0.3))
    random = np.random.default_rng(8)
    still = cv2.resize(random.integers(0, 256, (12, 16, 3)).astype(np.float32), (64, 48))
    for number in range(FRAMES):
        noisy = np.clip(still + random.normal(0, 30, still.shape), 0, 255)
        cv2.imwrite(str(dataset / "images" / f"{number:03d}.png"), noisy)
    alone, steady = evaluated(0.0), evaluated(0.3)
    assert quality_of(alone) != quality_of(cuts)
    assert 0 < steady["flicker_along_motion"] < 0.6 * alone["flicker_along_motion"]
    assert 0 < steady["flicker"] < 0.6 * alone["flicker"]
    assert alone["flicker_along_motion"] == pytest.approx(alone["flicker"], rel=0.2)


def test_recorded_labels_give_the_same_figures(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    bag, output, labels = tmp_path / "bag", tmp_path / "out", tmp_path / "labels"
    make_bag(dataset, bag)
    words = ("--classes", "street; road, sky, red box", "--background", "kerb, wall")
    result = ovseg("evaluate", bag, *model, *words, "--output", output, "--write-labels", labels)
    assert result.exit_code == 0, result.output
    first = figures_of(output / "metrics.json")
    assert set(first["per_class_iou"]) == set(CLASSES)
    files = {path.name for path in output.iterdir()}
    assert {"index.html", "metrics.json", "overlay.webm", "labelled", "report.md"} <= files
    for again in (
        ("evaluate", bag, "--predictions", labels),
        ("evaluate", dataset, "--predictions", labels),
        ("evaluate", output / "labelled", "--predictions", "/segmenter/labels"),
        (
            "evaluate",
            output / "labelled",
            "--predictions",
            "/segmenter/labels",
            "--output",
            tmp_path / "out2",
        ),
    ):
        result = ovseg(*again, "--json", tmp_path / "again.json")
        assert result.exit_code == 0, result.output
        assert quality_of(figures_of(tmp_path / "again.json")) == quality_of(first)
    recorded = figures_of(tmp_path / "again.json")
    assert recorded["latency_ms"]["p50"] == pytest.approx(first["latency_ms"]["p50"], rel=1e-6)
    assert (tmp_path / "out2" / "index.html").exists()


def test_a_mapping_brings_other_names_together(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text("kerb: street\nroad: street\nsky: background\nred box: ignore\n", encoding="utf-8")
    numbers = tmp_path / "numbers.json"
    result = ovseg(
        "evaluate", dataset, *model, "--classes", "street, tree", "--background", "air",
        "--mapping", mapping, "--json", numbers,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    metrics = figures_of(numbers)
    assert set(metrics["per_class_iou"]) == {"road + kerb", "sky"}
    assert metrics["confusion"]["predicted"] == ["road + kerb", "sky", "background", "unlabelled", "other"]
    assert "red box" in " ".join(metrics["notes"])
    assert "red box" in result.stdout


def test_interruption_gives_what_there_is(
    ovseg: Run,
    dataset: Path,
    model: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare = predictors.ModelPredictor.prepare

    def interrupted(self: Any, frame: Any) -> Any:
        if frame.number == 3:
            signal.raise_signal(signal.SIGINT)
        return prepare(self, frame)

    monkeypatch.setattr(predictors.ModelPredictor, "prepare", interrupted)
    numbers = tmp_path / "numbers.json"
    result = ovseg(
        "evaluate", dataset, *model, "--workers", 0, "--json", numbers, "--output", tmp_path / "out"
    )
    assert result.exit_code == 130, result.output
    assert "interrupted after 4 frames" in result.stderr
    metrics = figures_of(numbers)
    assert (metrics["frames"], metrics["interrupted"]) == (4, True)
    assert (tmp_path / "out" / "index.html").exists()


def test_interruption_before_the_first_frame_gives_nothing(
    ovseg: Run, dataset: Path, model: tuple[object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = calibrate.Calibrator.add

    def interrupted(self: Any, *arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        add(self, *arguments)

    monkeypatch.setattr(calibrate.Calibrator, "add", interrupted)
    result = ovseg("evaluate", dataset, *model, "--calibrate")
    assert result.exit_code == 130, result.output
    assert "interrupted" in result.stderr


def test_calibrate_reports_on_frames_it_was_not_fitted_on(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    numbers, parameters = tmp_path / "numbers.json", tmp_path / "new" / "fitted.yaml"
    labels = tmp_path / "labels"
    result = ovseg(
        "evaluate", dataset, *model, "--calibrate", "--parameters", parameters, "--json", numbers,
        "--write-labels", labels,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    metrics = figures_of(numbers)
    fitted = metrics["calibration"]
    assert metrics["frames"] == 5
    assert fitted["fitted_on"]["frames"] == 4
    assert len(list(labels.glob("*.png"))) == 5
    assert fitted["before"]["ece"] == metrics["ece"]
    assert fitted["negative_log_likelihood"]["after"] <= fitted["negative_log_likelihood"]["before"]
    assert "first 4 of 9 frames" in metrics["notes"][0]
    written = yaml.safe_load(parameters.read_text(encoding="utf-8"))["/**"]["ros__parameters"]
    assert written["method"]["logit_scale"] == pytest.approx(fitted["logit_scale"], abs=1e-4)
    assert written["vocabulary"]["threshold"] == pytest.approx(fitted["threshold"], abs=1e-4)


def test_a_broken_frame_is_left_out_and_told(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    (dataset / "images" / "004.png").write_bytes(b"torn")
    numbers = tmp_path / "numbers.json"
    result = ovseg("evaluate", dataset, *model, "--json", numbers)
    assert result.exit_code == 0, result.output
    assert figures_of(numbers)["frames"] == 8
    assert figures_of(numbers)["frames_left_out"] == 1
    assert "004.png" in result.stderr


def test_labels_of_another_topic_and_their_names(
    ovseg: Run, dataset: Path, model: tuple[object, ...], tmp_path: Path
) -> None:
    """A bag whose labels are 16 bit, on a topic of their own, without a LabelInfo."""
    make_bag(dataset, tmp_path / "bag")
    with Bag(tmp_path / "bag") as bag, BagWriter(tmp_path / "foreign") as writer:
        writer.add_topic("/cam/compressed", COMPRESSED_IMAGE)
        writer.add_topic("/annotation", IMAGE)
        for message in bag.messages(["/camera/image/compressed", "/ground_truth/labels"]):
            if message.type == IMAGE:
                labels = bag.decode_labels(message).astype(np.uint16)
                labels = np.where(labels == 255, 65535, labels + 1000).astype(np.uint16)
                writer.write("/annotation", image_message(labels, "mono16", message.stamp_ns), message.log_ns)
            else:
                writer.write_cdr("/cam/compressed", message.data, message.log_ns)
    names = tmp_path / "names.yaml"
    names.write_text("".join(f"{1001 + n}: {name}\n" for n, name in enumerate(CLASSES)), encoding="utf-8")
    plain, foreign = tmp_path / "plain.json", tmp_path / "foreign.json"
    assert ovseg("evaluate", tmp_path / "bag", *model, "--json", plain).exit_code == 0
    arguments = ("--topic", "/cam/compressed", "--labels-topic", "/annotation")
    result = ovseg("evaluate", tmp_path / "foreign", *model, *arguments)
    assert result.exit_code == 1
    assert "--label-names" in result.stderr
    result = ovseg(
        "evaluate", tmp_path / "foreign", *model, *arguments, "--label-names", names, "--json", foreign
    )
    assert result.exit_code == 0, result.output
    assert quality_of(figures_of(foreign)) == quality_of(figures_of(plain))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--calibrate", "--predictions", "x"), 2, "leave out --predictions"),
        (("--smoothing", 0.2, "--predictions", "x"), 2, "leave out --predictions"),
        (("--smoothing", 0.2, "--calibrate"), 2, "leave out --smoothing"),
        (("--start", 2, "--end", 1), 2, "not before"),
        (("--classes", "moon, cheese"), 1, "road, sky, red box, kerb"),
        (("--predictions", "/no/topic"), 1, "is no folder"),
    ],
)
def test_what_is_refused(
    arguments: tuple[object, ...], status: int, message: str, ovseg: Run, dataset: Path
) -> None:
    result = ovseg("evaluate", dataset, *arguments)
    assert result.exit_code == status, result.output
    assert message in result.stderr


def test_a_recording_without_truth(ovseg: Run, dataset: Path, tmp_path: Path) -> None:
    for file in [*(dataset / "labels").iterdir(), dataset / "classes.txt"]:
        file.unlink()
    (dataset / "labels").rmdir()
    make_bag(dataset, tmp_path / "bag")
    for source in (dataset, tmp_path / "bag"):
        result = ovseg("evaluate", source)
        assert result.exit_code == 1
        assert "no ground truth" in result.stderr
        assert "--labels-folder" in result.stderr
