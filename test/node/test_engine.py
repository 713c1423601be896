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
