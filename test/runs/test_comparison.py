import json
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ovseg_ros.clipseg import DeviceLost, ModelError
from ovseg_ros.metrics import TruthMapping, bootstrap
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.runs.compare import compare_frames
from ovseg_ros.runs.comparison import BootstrapSettings, CompareError, ComparisonCounts, ComparisonResult
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.runners import RunnerResult
from ovseg_ros.vocabulary import VocabularyBuilder

NAMES = {1: "road", 2: "sky", 3: "car", 4: "dog", 255: "void"}
WORDS = VocabularyBuilder().build(["road", "vehicle; car", "sky"], background=["tree"])
MAPPING = TruthMapping.by_name(NAMES, WORDS)


def truth(seed: int) -> np.ndarray:
    values = np.array([1, 2, 3, 4, 255], np.uint8)
    return values[np.random.default_rng(seed).integers(0, 5, (12, 16))]


def labels(seed: int, right: float) -> np.ndarray:
    """Labels in the vocabulary's ids, of which a share is right."""
    generator = np.random.default_rng(100 + seed)
    guess = generator.integers(0, 4, (12, 16)).astype(np.uint8)
    return np.where(generator.random((12, 16)) < right, MAPPING.table[truth(seed)], guess)


def counts_of(frames: int, *shares: float) -> ComparisonCounts:
    counts = ComparisonCounts([f"method {share}" for share in shares], MAPPING)
    for seed in range(frames):
        found = [labels(seed, share) for share in shares]
        counts.add(truth(seed), found, [float(seed), 10.0 + seed][: len(shares)], [50.0 + seed] * len(shares))
    return counts


def test_figures_equal_those_of_the_evaluation() -> None:
    found = counts_of(9, 0.3, 0.8).compute("method 0.3")
    for row, share in zip(found.rows, (0.3, 0.8), strict=True):
        meter = SegmentationAccumulator(NAMES)
        for seed in range(9):
            meter.update(truth(seed), labels(seed, share), None, WORDS)
        quality = meter.compute()
        assert row.miou == pytest.approx(quality.miou, abs=1e-12)
        assert row.pixel_accuracy == pytest.approx(quality.pixel_accuracy, abs=1e-12)
        assert row.per_class_iou == pytest.approx(quality.per_class_iou, abs=1e-12)
        assert row.miou_interval.low < row.miou < row.miou_interval.high
    assert found.frames == 9
    assert found.ignored_classes == ("dog", "void")


def test_difference_time_and_memory() -> None:
    found = counts_of(5, 0.3, 0.8).compute("method 0.3", draws=200, seed=3)
    base, other = found.rows
    assert (base.miou_difference, base.miou_difference_interval) == (0.0, bootstrap.Interval(0.0, 0.0))
    assert other.miou_difference == pytest.approx(other.miou - base.miou)
    assert (
        0 < other.miou_difference_interval.low < other.miou_difference < other.miou_difference_interval.high
    )
    assert (base.p50_ms, other.p50_ms, other.p95_ms) == (2.0, 12.0, pytest.approx(13.8))
    assert base.peak_mb == 54.0
    assert found.bootstrap == BootstrapSettings(200, 3, 0.95)


def test_a_run_without_any_frame_says_why() -> None:
    with pytest.raises(CompareError, match=r"no frame .* broken file"):
        counts_of(0, 0.5).compute("method 0.5", left_out=["frame 0: broken file"])


def test_json_holds_plain_numbers() -> None:
    found = replace(counts_of(3, 0.5).compute("method 0.5"))
    nothing = replace(found.rows[0], miou=None, peak_mb=None)
    figures = json.loads(to_json(replace(found, rows=(nothing,))))
    assert figures["rows"][0]["miou"] is None
    assert figures["rows"][0]["peak_mb"] is None
    assert figures["frames"] == 3
    assert figures["rows"][0]["pixel_accuracy_interval"][0] < figures["rows"][0]["pixel_accuracy"] < 1


class FakeRunner:
    """Two methods; `before` may raise."""

    def __init__(self, before: Callable[[int], None] = lambda number: None) -> None:
        self.number = 0
        self.before = before

    def run(self, image: np.ndarray) -> list[RunnerResult]:
        self.before(self.number)
        self.number += 1
        return [RunnerResult(labels(0, 0.5), 5.0, 1.0), RunnerResult(labels(0, 0.9), 6.0, None)]


def frames(count: int, **changes: object) -> list[SimpleNamespace]:
    return [
        SimpleNamespace(
            **{
                "number": number,
                "image": lambda: np.zeros((12, 16, 3), np.uint8),
                "truth": lambda: truth(0),
                **changes,
            }
        )
        for number in range(count)
    ]


def run(runner: FakeRunner, source: list[SimpleNamespace]) -> tuple[ComparisonCounts, list[str], bool, int]:
    counts, calls = ComparisonCounts(["a", "b"], MAPPING), []
    left_out, interrupted = compare_frames(source, runner, counts, on_frame=lambda: calls.append(1))
    return counts, left_out, interrupted, len(calls)


def test_every_frame_is_counted() -> None:
    counts, left_out, interrupted, calls = run(FakeRunner(), frames(3))
    assert (counts.frames, left_out, interrupted, calls) == (3, [], False, 3)
    rows = counts.compute("a").rows
    assert [row.p50_ms for row in rows] == [5.0, 6.0]
    assert [row.peak_mb for row in rows] == [1.0, None]


def test_what_cannot_be_used_is_left_out_and_told() -> None:
    def broken() -> np.ndarray:
        raise ModelError("cut off")

    source = [
        *frames(1),
        *frames(1, truth=None),
        *frames(1, image=broken),
        *frames(1, truth=lambda: np.zeros((3, 3), np.uint8)),
        *frames(1),
    ]
    counts, left_out, interrupted, calls = run(FakeRunner(), source)
    assert (counts.frames, interrupted, calls) == (2, False, 5)
    assert [reason.split(": ", 1)[1] for reason in left_out] == [
        "no ground truth",
        "cut off",
        "the image is 12 x 16 and its truth 3 x 3",
    ]


def test_an_interrupt_keeps_whole_frames_only() -> None:
    def before(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    counts, _, interrupted, _ = run(FakeRunner(before), frames(5))
    assert (counts.frames, interrupted) == (2, True)
    found: ComparisonResult = counts.compute("b", interrupted=True)
    assert found.interrupted


def test_a_lost_device_ends_the_run() -> None:
    def before(number: int) -> None:
        raise DeviceLost("gone")

    with pytest.raises(DeviceLost):
        run(FakeRunner(before), frames(2))
