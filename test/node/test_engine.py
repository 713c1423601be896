from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovseg_ros.clipseg import MethodConfig, ModelConfig, OutOfMemory
from ovseg_ros.node import engine as engine_module
from ovseg_ros.node.engine import Engine, PreparedSegmenter
from ovseg_ros.vocabulary import VocabularyBuilder

IMAGE = np.zeros((4, 6, 3), np.uint8)


class FakeSegmenter:
    """Has memory for `limit` pixels of short sides, of all images of a pass together."""

    def __init__(self, short_side: int, limit: int, tried: list[tuple[int, int]]) -> None:
        self.short_side, self.limit, self.tried = short_side, limit, tried
        self.description = {"short_side": str(short_side)}
        self.smoothing: list[list[Any]] = []

    def segment_batch(
        self, images: Sequence[np.ndarray], classifier: Any, *, output_size: str, smoothing: Sequence[Any]
    ) -> list[str]:
        self.tried.append((len(images), self.short_side))
        self.smoothing.append(list(smoothing))
        if len(images) * self.short_side > self.limit:
            raise OutOfMemory("no memory left")
        return [f"{output_size} at {self.short_side}"] * len(images)

    def smaller(self) -> "FakeSegmenter | None":
        return FakeSegmenter(self.short_side // 2, self.limit, self.tried) if self.short_side > 50 else None


def setup_with(limit: int, short_side: int = 200) -> tuple[PreparedSegmenter, list[tuple[int, int]]]:
    tried: list[tuple[int, int]] = []
    return PreparedSegmenter(FakeSegmenter(short_side, limit, tried), SimpleNamespace()), tried


@pytest.mark.parametrize("count", [1, 3])
def test_with_enough_memory_nothing_is_retried(count: int) -> None:
    setup, tried = setup_with(limit=600)
    assert setup.segment([IMAGE] * count, "input") == ["input at 200"] * count
    assert tried == [(count, 200)]
    assert setup.batches
    assert not setup.shortage


def test_a_smaller_size_that_works_stays() -> None:
    setup, tried = setup_with(limit=100)
    assert [setup.segment([IMAGE], "model") for _ in range(2)] == [["model at 100"]] * 2
    assert tried == [(1, 200), (1, 100), (1, 100)]
    assert "smaller" in setup.shortage
    assert setup.batches
    assert setup.description["short_side"] == "100"


def test_a_batch_goes_one_by_one_before_anything_gets_smaller() -> None:
    setup, tried = setup_with(limit=200)
    assert setup.segment([IMAGE] * 2, "input") == ["input at 200"] * 2
    assert tried == [(2, 200), (1, 200), (1, 200)]
    assert not setup.batches, "the next round need not try again"
    assert "one by one" in setup.shortage


def test_where_one_by_one_does_not_help_it_gets_smaller() -> None:
    setup, tried = setup_with(limit=100)
    assert setup.segment([IMAGE] * 2, "input") == ["input at 100"] * 2
    assert tried == [(2, 200), (1, 200), (1, 100), (1, 100)]
    assert "smaller" in setup.shortage


def test_there_is_one_retry_and_its_failure_is_reported() -> None:
    setup, tried = setup_with(limit=10)
    with pytest.raises(OutOfMemory):
        setup.segment([IMAGE], "input")
    assert tried == [(1, 200), (1, 100)]
    assert not setup.shortage


@pytest.mark.parametrize("count", [1, 2])
def test_where_there_is_no_smaller_size_the_first_failure_is_reported(count: int) -> None:
    setup, tried = setup_with(limit=10, short_side=50)
    with pytest.raises(OutOfMemory):
        setup.segment([IMAGE] * count, "input")
    assert tried == [(2, 50), (1, 50)][2 - count :]


def test_a_change_of_words_keeps_the_segmenter(tiny_model_dir: Any) -> None:
    engine, builder = Engine(ModelConfig(name=str(tiny_model_dir))), VocabularyBuilder()
    method = MethodConfig(short_side=64)
    first = engine.prepare(method, "plain", builder.build(["road"]))
    second = engine.prepare(method, "plain", builder.build(["car"]))
    other = engine.prepare(MethodConfig(short_side=96), "plain", builder.build(["car"]))
    assert first._segmenter is second._segmenter is not other._segmenter
    assert second._classifier.vocabulary.classes[0].name == "car"
    assert [found.labels.shape for found in other.segment([IMAGE] * 2, "input")] == [(4, 6)] * 2


class TimedSegmenter:
    """Takes 100 ms an image at a short side of 336, and time with the square of it."""

    smallest_side = 64
    model = SimpleNamespace(backbone=SimpleNamespace(patch=(16, 16)))

    def __init__(self, short_side: int = 336) -> None:
        self.short_side = short_side
        self.description = {"short_side": str(short_side)}

    def encode(self, vocabulary: Any, *, in_background: bool) -> Any:
        return SimpleNamespace(vocabulary=vocabulary)

    def at(self, short_side: int) -> "TimedSegmenter":
        return TimedSegmenter(short_side)

    def segment_batch(
        self, images: Sequence[np.ndarray], classifier: Any, *, output_size: str, smoothing: Sequence[Any]
    ) -> list[Any]:
        time_ms = len(images) * 100 * (self.short_side / 336) ** 2
        return [SimpleNamespace(inference_ms=time_ms)] * len(images)


@pytest.mark.parametrize("cameras", [1, 2])
def test_a_latency_is_held_and_reported(
    tiny_model_dir: Any, monkeypatch: pytest.MonkeyPatch, cameras: int
) -> None:
    """That of a batch, since its images are there together: of two cameras, frames that come at once."""
    monkeypatch.setattr(engine_module, "Segmenter", lambda *_, **__: TimedSegmenter())
    engine = Engine(ModelConfig(name=str(tiny_model_dir), max_latency_ms=50.0), cameras)
    vocabulary = VocabularyBuilder().build(["road"])
    setup = engine.prepare(MethodConfig(), "plain", vocabulary)
    times = [setup.segment([IMAGE] * cameras, "input")[-1].inference_ms for _ in range(200)]
    assert times[0] <= 50  # known before the first frame
    assert 30 < times[-1] <= 50
    side = round(336 * (times[-1] / cameras / 100) ** 0.5)
    assert setup.description["short_side"] == str(side)
    assert f"short side {side} of at most 336" in setup.description["max_latency"]
    again = engine.prepare(MethodConfig(), "plain", vocabulary)
    assert again.segment([IMAGE] * cameras, "input")[0].inference_ms == times[-1]  # not begun anew


def test_frames_that_come_together_now_and_then_hold_the_latency_too(
    tiny_model_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "Segmenter", lambda *_, **__: TimedSegmenter())
    engine = Engine(ModelConfig(name=str(tiny_model_dir), max_latency_ms=50.0), 2)
    setup = engine.prepare(MethodConfig(), "plain", VocabularyBuilder().build(["road"]))
    pairs = []
    for _ in range(200):
        for count in (1, 1, 2):
            segmentations = setup.segment([IMAGE] * count, "input")
        pairs.append(segmentations[0].inference_ms)
    assert sum(time_ms > 50 for time_ms in pairs) < 10
    assert max(pairs[-20:]) <= 50


def test_each_image_keeps_its_smoothing_when_a_batch_is_taken_apart() -> None:
    segmenter = FakeSegmenter(short_side=200, limit=200, tried=[])
    setup = PreparedSegmenter(segmenter, SimpleNamespace())
    front, rear = setup.next_smoothing(None, 0.2, 10), None
    setup.segment([IMAGE] * 2, "input", [front, rear])
    setup.segment([IMAGE] * 2, "input")
    assert segmenter.smoothing == [[front, rear], [front], [rear], [], [None], [None]]


def test_smoothing_goes_on_with_the_smoother_of_the_one_before() -> None:
    setup, _ = setup_with(limit=200)
    first = setup.next_smoothing(None, 0.2, 10)
    second = setup.next_smoothing(first, 0.5, 20)
    assert (first.stamp_ns, second.stamp_ns) == (10, 20)
    assert second.smoother is first.smoother
    assert second.smoother.seconds == 0.5
    assert setup.next_smoothing(second, 0.0, 30) is None
    assert setup.next_smoothing(None, 0.5, 40).smoother is not first.smoother
