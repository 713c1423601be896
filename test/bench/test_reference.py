from pathlib import Path

import numpy as np

from ovseg_ros.bench.reference import Reference
from ovseg_ros.bench.ways import random_classifier, random_images
from ovseg_ros.clipseg import METHODS, MethodConfig, ModelConfig, Segmenter, load_model


def test_the_reference_does_the_engines_windows(tiny_model_dir: Path) -> None:
    """The same mathematics in another order: the mean of upsampled scores instead of upsampled means."""
    model = load_model(ModelConfig(str(tiny_model_dir), device="cpu"), packed=False)
    engine = Segmenter(model, MethodConfig(window=224, window_stride=112))
    classifier = random_classifier(engine, 7)
    image = random_images(1, (360, 480))[0]
    reference = Reference(model, METHODS["clipseg"], 336, engine.logit_scale)
    labels, confidence = reference.segment(image, classifier)
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
