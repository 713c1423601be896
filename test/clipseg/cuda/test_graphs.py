from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ovseg_ros.clipseg import Classifier, MethodConfig, ModelConfig, Segmenter, load_model
from ovseg_ros.clipseg.backends import start_on_cpu
from ovseg_ros.clipseg.cuda.backend import PROMPTS, ROWS, CudaBackend, PromptBuffer
from ovseg_ros.vocabulary import VocabularyBuilder

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def words(seed: int, classes: int, synonyms: int) -> Classifier:
    generator = torch.Generator().manual_seed(seed)
    count = classes * (1 + synonyms)
    return Classifier(
        vocabulary=VocabularyBuilder().build([f"class {number}" for number in range(classes)]),
        embeddings=F.normalize(torch.randn(count, 32, generator=generator), dim=-1),
        rows=torch.arange(classes).repeat_interleave(1 + synonyms),
        ids=torch.arange(1, classes + 1, dtype=torch.uint8),
        thresholds=torch.zeros(classes),
    )


def test_any_words_in_one_place_give_their_own_scores() -> None:
    """More words, then fewer: nothing of the earlier ones is left."""
    features = F.normalize(torch.randn(2, 15, 32, generator=torch.Generator().manual_seed(9)), dim=-1)
    place = PromptBuffer.room_for(words(0, 200, 0))
    shape = place.embeddings.shape
    for seed, (classes, synonyms) in enumerate([(200, 0), (3, 2), (1, 0), (254, 0), (60, 3), (2, 0)]):
        classifier = words(seed, classes, synonyms)
        assert place.fits(classifier)
        place.take(classifier)
        scores = place.scores(features, 100.0)
        assert scores.shape == (2, 15, ROWS)
        assert place.embeddings.shape == shape
        torch.testing.assert_close(scores[..., :classes], classifier.scores(features, 100.0))


def test_room_grows_only_where_it_must() -> None:
    place = PromptBuffer.room_for(words(0, 2, 0))
    assert len(place.rows) == PROMPTS[0]
    many = words(0, 254, 3)
    assert not place.fits(many)
    assert len(PromptBuffer.room_for(many).rows) == PROMPTS[1]


def small_segmenter(folder: Path, device: str) -> Segmenter:
    return Segmenter(load_model(ModelConfig(str(folder), device=device)), MethodConfig(short_side=64))


def test_the_cpu_has_its_own_way(tiny_model_dir: Path) -> None:
    segmenter = small_segmenter(tiny_model_dir, "cpu")
    assert segmenter._start_batch is start_on_cpu


def test_a_stream_gives_what_single_images_give(tiny_model_dir: Path) -> None:
    stream_equals_singles(small_segmenter(tiny_model_dir, "cpu"))


def stream_equals_singles(segmenter: Segmenter) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (60, 80 + 10 * (number % 2), 3), np.uint8) for number in range(5)]
    classifier = segmenter.encode(VocabularyBuilder().build(["car", "dog", "tree"]))
    assert list(segmenter.segment_stream([], classifier)) == []
    for image, streamed in zip(images, segmenter.segment_stream(iter(images), classifier), strict=True):
        assert np.array_equal(segmenter.segment(image, classifier).labels, streamed.labels)


@needs_cuda
def test_a_stream_on_cuda(tiny_model_dir: Path) -> None:
    stream_equals_singles(small_segmenter(tiny_model_dir, "cuda"))


@needs_cuda
@pytest.mark.parametrize("method", ["clipseg", "sclip", "naclip"])
def test_captured_backend_equal_the_cpus(tiny_model_dir: Path, method: str) -> None:
    """Also after a change of words, for which nothing is captured anew, and at another size."""
    rng = np.random.default_rng(0)
    cpu, cuda = (
        Segmenter(
            load_model(ModelConfig(str(tiny_model_dir), device=device, precision="float32")),
            MethodConfig(name=method, short_side=96, logit_scale=20.0),
        )
        for device in ("cpu", "cuda")
    )
    for shape in ((120, 160, 3), (160, 120, 3)):
        image = rng.integers(0, 256, shape, np.uint8)
        captured = []
        for vocabulary in (["car", "dog"], ["tree; oak; elm", "dog", "road"], ["cup"]):
            built = VocabularyBuilder().build(vocabulary)
            mine = cuda.segment(image, cuda.encode(built))
            theirs = cpu.segment(image, cpu.encode(built))
            assert (mine.labels == theirs.labels).mean() > 0.995
            assert np.abs(mine.confidence.astype(int) - theirs.confidence).max() <= 2
            backend = cuda._start_batch.__self__  # type: ignore[attr-defined]
            assert isinstance(backend, CudaBackend)
            captured.append(len(backend._captured))
        assert captured[0] == captured[-1]
