from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovseg_ros.clipseg import OutOfMemory
from ovseg_ros.node.engine import Engine, Setup
from ovseg_ros.node.settings import MethodSettings, ModelSettings
from ovseg_ros.vocabulary import VocabularyBuilder

IMAGE = np.zeros((4, 6, 3), np.uint8)


class FakeSegmenter:
    """Has memory for a short side up to `limit`."""

    def __init__(self, short_side: int, limit: int, tried: list[int]) -> None:
        self.short_side, self.limit, self.tried = short_side, limit, tried
        self.description = {"short_side": str(short_side)}

    def segment(self, image: np.ndarray, classifier: Any, *, output_size: str) -> str:
        self.tried.append(self.short_side)
        if self.short_side > self.limit:
            raise OutOfMemory("no memory left")
        return f"{output_size} at {self.short_side}"

    def smaller(self) -> "FakeSegmenter | None":
        return FakeSegmenter(self.short_side // 2, self.limit, self.tried) if self.short_side > 50 else None


def setup_with(limit: int, short_side: int = 200) -> tuple[Setup, list[int]]:
    tried: list[int] = []
    return Setup(FakeSegmenter(short_side, limit, tried), SimpleNamespace()), tried


def test_with_enough_memory_nothing_is_retried() -> None:
    setup, tried = setup_with(limit=200)
    assert setup.segment(IMAGE, "input") == "input at 200"
    assert tried == [200]
    assert not setup.reduced


def test_a_smaller_size_that_works_stays() -> None:
    setup, tried = setup_with(limit=100)
    assert [setup.segment(IMAGE, "model") for _ in range(2)] == ["model at 100"] * 2
    assert tried == [200, 100, 100]
    assert setup.reduced
    assert setup.description["short_side"] == "100"


def test_there_is_one_retry_and_its_failure_is_told() -> None:
    setup, tried = setup_with(limit=10)
    with pytest.raises(OutOfMemory):
        setup.segment(IMAGE, "input")
    assert tried == [200, 100]
    assert not setup.reduced


def test_where_there_is_no_smaller_size_the_first_failure_is_told() -> None:
    setup, tried = setup_with(limit=10, short_side=50)
    with pytest.raises(OutOfMemory):
        setup.segment(IMAGE, "input")
    assert tried == [50]


def test_a_change_of_words_keeps_the_segmenter(tiny_model_dir: Any) -> None:
    engine, builder = Engine(ModelSettings(name=str(tiny_model_dir))), VocabularyBuilder()
    method = MethodSettings(short_side=64)
    first = engine.prepare(method, "plain", builder.build(["road"]))
    second = engine.prepare(method, "plain", builder.build(["car"]))
    other = engine.prepare(MethodSettings(short_side=96), "plain", builder.build(["car"]))
    assert first._segmenter is second._segmenter is not other._segmenter
    assert second.vocabulary.classes[0].name == "car"
    assert other.segment(IMAGE, "input").labels.shape == (4, 6)


class TimedSegmenter:
    """Takes 100 ms at a short side of 336, and time with the square of it."""

    smallest_side = 64
    model = SimpleNamespace(backbone=SimpleNamespace(patch=(16, 16)))

    def __init__(self, short_side: int = 336) -> None:
        self.short_side = short_side
        self.description = {"short_side": str(short_side)}

    def encode(self, vocabulary: Any, *, aside: bool) -> Any:
        return SimpleNamespace(vocabulary=vocabulary)

    def at(self, short_side: int) -> "TimedSegmenter":
        return TimedSegmenter(short_side)

    def segment(self, image: np.ndarray, classifier: Any, *, output_size: str) -> Any:
        return SimpleNamespace(inference_ms=100 * (self.short_side / 336) ** 2)


def test_a_latency_is_held_and_told(tiny_model_dir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "_make", lambda *settings: TimedSegmenter())
    engine = Engine(ModelSettings(name=str(tiny_model_dir), max_latency_ms=50.0))
    vocabulary = VocabularyBuilder().build(["road"])
    setup = engine.prepare(MethodSettings(), "plain", vocabulary)
    times = [setup.segment(IMAGE, "input").inference_ms for _ in range(200)]
    assert times[0] < 100  # known before the first frame
    assert 30 < times[-1] <= 50
    side = round(336 * (times[-1] / 100) ** 0.5)
    assert setup.description["short_side"] == str(side)
    assert f"short side {side} of at most 336" in setup.description["max_latency"]
    again = engine.prepare(MethodSettings(), "plain", vocabulary)
    assert again.segment(IMAGE, "input").inference_ms == times[-1]  # new words do not start anew
