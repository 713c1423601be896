"""Heat maps of free texts against a twin, and what they are compared with."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from ovseg_ros.clipseg import MethodConfig, ModelConfig, Segmentation, Segmenter, load_model, locate
from ovseg_ros.clipseg.locating import OTHERS
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

VOCABULARY = VocabularyBuilder().build(["floor", "Mug; cup", "sofa; couch"], background=["wall", "sky"])


@pytest.fixture(scope="module")
def segmenter(tiny_model_dir: Path) -> Segmenter:
    return Segmenter(
        load_model(ModelConfig(str(tiny_model_dir), device="cpu")),
        MethodConfig(short_side=96, logit_scale=30.0),
    )


def segmented(segmenter: Segmenter, vocabulary: Vocabulary = VOCABULARY, seed: int = 0) -> Segmentation:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    image = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    return segmenter.segment(image, segmenter.encode(vocabulary))


def twin(segmenter: Segmenter, segmentation: Segmentation, own: list[str], others: list[str]) -> np.ndarray:
    """The probability at every patch, by hand, in float64."""
    rows, columns = segmentation.grid
    features = segmentation.features.double().numpy().reshape(rows, columns, -1)
    vectors = {phrase: segmenter.embed([phrase])[0].double().numpy() for phrase in own + others}
    probability = np.empty((rows, columns))
    for row in range(rows):
        for column in range(columns):
            around = [
                features[r, c]
                for r in range(max(0, row - 1), min(rows, row + 2))
                for c in range(max(0, column - 1), min(columns, column + 2))
            ]
            score = {p: 30 * sum(float(f @ v) for f in around) / len(around) for p, v in vectors.items()}
            margin = max(score[p] for p in own) - max(score[p] for p in others)
            probability[row, column] = 1 / (1 + math.exp(-margin))
    return probability


def test_the_best_rival_decides(segmenter: Segmenter) -> None:
    segmentation = segmented(segmenter)
    (heat,) = locate(segmenter, segmentation, [("fire extinguisher", "red cylinder")])
    others = ["floor", "Mug", "cup", "sofa", "couch", "wall", "sky", *(p for row in OTHERS for p in row)]
    expected = twin(segmenter, segmentation, ["fire extinguisher", "red cylinder"], others)
    assert heat.score == pytest.approx(expected.max(), abs=1e-4)
    assert heat.probability.shape == (120, 160)
    assert heat.probability.dtype == np.uint8
    # At the centres of patches the map is the patch's own value; 160 x 120 are 8 x 6 patches of 20 pixels.
    at_centres = heat.probability.reshape(6, 20, 8, 20)[:, 9:11, :, 9:11].mean(axis=(1, 3)) / 255
    assert np.abs(at_centres - expected).max() < 0.02
    assert 0.02 < expected.min() < expected.max() < 0.98


def test_words_for_the_same_thing_are_no_rivals(segmenter: Segmenter) -> None:
    """Also a class's synonyms, a background prompt, and what is always compared with."""
    segmentation = segmented(segmenter)
    everything = [*(e.prompts for e in VOCABULARY.classes), ("wall",), ("sky",), *OTHERS]
    for text in ("CUP", "sofa", "wall", "house"):
        (heat,) = locate(segmenter, segmentation, [(text,)])
        others = [p for row in everything if text.lower() not in map(str.lower, row) for p in row]
        expected = twin(segmenter, segmentation, [text], list(dict.fromkeys(others)))
        assert heat.score == pytest.approx(expected.max(), abs=1e-4), text


def test_texts_of_one_call_do_not_compete(segmenter: Segmenter) -> None:
    segmentation = segmented(segmenter)
    texts = [("red chair",), ("chair",), ("red chair", "chair")]
    together = locate(segmenter, segmentation, texts)
    for text, heat in zip(texts, together, strict=True):
        (alone,) = locate(segmenter, segmentation, [text])
        assert heat.score == pytest.approx(alone.score, abs=1e-6)
        assert np.array_equal(heat.probability, alone.probability)


def test_the_image_is_not_looked_at_again(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    segmentation = segmented(segmenter)
    monkeypatch.setattr(Segmenter, "features", lambda *_: pytest.fail("the image was passed again"))
    assert len(locate(segmenter, segmentation, [("a",), ("b",)])) == 2


def test_photographs(photo_mini_dir: Path, shared_data: Path) -> None:
    """Things that are there have higher scores than things that are not."""
    segmenter = Segmenter(
        load_model(ModelConfig(str(photo_mini_dir), device="cpu")), MethodConfig(short_side=196)
    )
    names = (shared_data / "msrc" / "classes.txt").read_text().split()
    words = segmenter.encode(VocabularyBuilder().build(["road", "building"], background=["sky"]))
    asked = ["cow", "aeroplane", "car", "sheep", "grass", "flower", "tree", "chair"]
    present: list[float] = []
    absent: list[float] = []
    for path in sorted((shared_data / "msrc" / "images").iterdir())[::75]:
        truth = cv2.imread(str(shared_data / "msrc" / "labels" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        image = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
        segmentation = segmenter.segment(image, words)
        for name, heat in zip(asked, locate(segmenter, segmentation, [(n,) for n in asked]), strict=True):
            (present if (truth == names.index(name)).mean() > 0.01 else absent).append(heat.score)
    assert present
    assert np.median(present) > 0.5 > np.median(absent)
