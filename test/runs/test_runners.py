from pathlib import Path

import cv2
import numpy as np
import pytest

from ovseg_ros.clipseg import METHODS, Classifier, MethodConfig, ModelConfig, Segmenter, load_model
from ovseg_ros.runs.runners import SeparateRunner, SharedRunner
from ovseg_ros.vocabulary import VocabularyBuilder

NAMES = ("clipseg", "sclip", "gem", "rfclip")


@pytest.fixture(scope="module")
def segmenters(tiny_model_dir: Path) -> list[Segmenter]:
    model = load_model(ModelConfig(str(tiny_model_dir), device="cpu"))
    return [Segmenter(model, MethodConfig(name=name, short_side=96)) for name in NAMES]


@pytest.fixture(scope="module")
def classifier(segmenters: list[Segmenter]) -> Classifier:
    return segmenters[0].encode(VocabularyBuilder().build(["car; automobile", "dog"], background=["sky"]))


@pytest.fixture
def images() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (3, 6, 8, 3), np.uint8)
    return [cv2.resize(image, (160, 120), interpolation=cv2.INTER_CUBIC) for image in coarse]


def test_a_separate_runner_gives_each_methods_own_labels(
    segmenters: list[Segmenter], classifier: Classifier, images: list[np.ndarray]
) -> None:
    runner = SeparateRunner(segmenters, classifier)
    for image in images:
        found = runner.run(image)
        for segmenter, labelled in zip(segmenters, found, strict=True):
            np.testing.assert_array_equal(labelled.labels, segmenter.segment(image, classifier).labels)
            assert labelled.ms > 0
            assert labelled.peak_mb is None or labelled.peak_mb > 10


def test_methods_take_turns(
    segmenters: list[Segmenter],
    classifier: Classifier,
    images: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    whole = Segmenter.segment

    def noted(self: Segmenter, *arguments: object, **settings: object) -> object:
        order.append(self.method.name)
        return whole(self, *arguments, **settings)

    monkeypatch.setattr(Segmenter, "segment", noted)
    runner = SeparateRunner(segmenters, classifier)
    for image in images:
        runner.run(image)
    passes = [order[start : start + 4] for start in range(0, len(order), 4)]
    a, b, c, d = NAMES
    assert passes == [[a, b, c, d], [a, b, c, d], [b, c, d, a], [c, d, a, b]]  # the first is to get warm


def test_a_shared_runner_gives_the_same_labels(
    segmenters: list[Segmenter], classifier: Classifier, images: list[np.ndarray]
) -> None:
    runner = SharedRunner(segmenters[1], [METHODS[name] for name in NAMES], classifier)
    for image in images:
        found = runner.run(image)
        for segmenter, labelled in zip(segmenters, found, strict=True):
            expected = segmenter.segment(image, classifier).labels
            assert (labelled.labels == expected).mean() > 0.999  # on ties a bit of rounding decides


def test_shared_blocks_run_once_and_count_for_every_row(
    segmenters: list[Segmenter],
    classifier: Classifier,
    images: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backbone = segmenters[0].model.backbone
    calls: list[object] = []
    whole = backbone.blocks

    def counted(*given: object) -> object:
        calls.append(given)
        return whole(*given)

    monkeypatch.setattr(backbone, "blocks", counted)
    now = iter(range(1000))
    monkeypatch.setattr("ovseg_ros.runs.runners.time.perf_counter", lambda: float(next(now)))
    runner = SharedRunner(segmenters[0], [METHODS["sclip"], METHODS["rfclip"]], classifier)
    found = runner.run(images[0])
    assert len(calls) == 2  # once to get warm
    # By the clock that ticks at each look: start, prepared, computed; then begin and end of each method.
    assert [labelled.ms for labelled in found] == [3000.0, 2000.0]
