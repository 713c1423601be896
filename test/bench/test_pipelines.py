from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ovseg_ros.bench.pipelines import engine_pipeline, random_classifier, random_images, reference_labels
from ovseg_ros.clipseg import MethodConfig, ModelConfig, OutputConfig, Segmentation, Segmenter, load_model


def test_the_reference_does_the_engines_windows(tiny_model_dir: Path) -> None:
    """The same mathematics in another order: the mean of upsampled scores instead of upsampled means."""
    model = load_model(ModelConfig(str(tiny_model_dir), device="cpu"), packed=False)
    engine = Segmenter(model, MethodConfig(window=224, window_stride=112))
    classifier = random_classifier(engine, 7)
    image = random_images(1, (360, 480))[0]
    labels, confidence = reference_labels(model, engine, image, classifier)
    mine = engine.segment(image, classifier)
    assert labels.shape == confidence.shape == image.shape[:2]
    assert labels.dtype == confidence.dtype == np.uint8
    assert (labels == mine.labels).mean() > 0.9  # they differ along the windows' edges
    assert np.abs(confidence.astype(int) - mine.confidence).mean() < 5


def test_random_images_and_words_are_the_same_each_time(tiny_model_dir: Path) -> None:
    segmenter = Segmenter(load_model(ModelConfig(str(tiny_model_dir), device="cpu")))
    images = random_images(2, (24, 32))
    assert [image.shape for image in images] == [(24, 32, 3)] * 2
    assert np.array_equal(images, random_images(2, (24, 32)))
    assert images[0].std() > 10
    one, two = (random_classifier(segmenter, 254) for _ in range(2))
    assert (one.embeddings == two.embeddings).all()
    assert len(one.ids.unique()) == 254


def test_the_output_configuration_is_timed_too(tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter(
        load_model(ModelConfig(str(tiny_model_dir), device="cpu")), MethodConfig(short_side=64)
    )
    seen = []
    whole = Segmenter.segment_batch

    def watched(self: Segmenter, *arguments: Any, **settings: Any) -> list[Segmentation]:
        found = whole(self, *arguments, **settings)
        seen.append((found[0].output_size, settings["smoothing"]))
        return found

    monkeypatch.setattr(Segmenter, "segment_batch", watched)
    images = random_images(2, (96, 128))
    pipeline = engine_pipeline(
        segmenter, random_classifier(segmenter, 3), images, OutputConfig(size="model", smoothing=0.2)
    )
    pipeline.run()
    pipeline.run()
    assert [size for size, _ in seen] == [(64, 80)] * 2
    (first, other), (second, _) = (states for _, states in seen)
    assert first.smoother is second.smoother is not other.smoother
    assert second.stamp_ns > first.stamp_ns
    assert list(pipeline.stages()) == ["prepare", "model", "scores", "labels", "download"]
    assert pipeline.stream is None  # on a CPU a stream is the same as one by one
