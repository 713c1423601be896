"""The two ways that are timed: the engine and the reference."""

import time

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional as F

from ovseg_ros.bench.reference import Reference
from ovseg_ros.bench.rounds import Timed
from ovseg_ros.clipseg import Classifier, Segmenter
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.runtime import device_errors
from ovseg_ros.vocabulary import VocabularyBuilder


def random_images(count: int, size: tuple[int, int]) -> list[UInt8[np.ndarray, "H W 3"]]:
    """Images of smooth random colours, height and width in pixels."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, 3, 12, 16))).float()
    images = F.interpolate(coarse, size, mode="bicubic").clamp(0, 255).byte().permute(0, 2, 3, 1)
    return [np.ascontiguousarray(image) for image in images.numpy()]


def random_classifier(segmenter: Segmenter, classes: int) -> Classifier:
    """A classifier whose embeddings no text tower made: time does not depend on them."""
    model, device = segmenter.model, segmenter.model.device
    generator = torch.Generator().manual_seed(classes)
    embeddings = F.normalize(torch.randn(classes, model.embedding, generator=generator), dim=-1)
    vocabulary = VocabularyBuilder().build([f"class {number}" for number in range(1, classes + 1)])
    return Classifier(
        vocabulary=vocabulary,
        embeddings=embeddings.to(device, model.backbone.dtype),
        rows=torch.arange(classes, device=device),
        ids=torch.tensor([entry.id for entry in vocabulary.classes], dtype=torch.uint8, device=device),
        thresholds=torch.zeros(classes, device=device),
    )


def engine_way(segmenter: Segmenter, classifier: Classifier, images: list[np.ndarray]) -> Timed:
    """Image bytes to label bytes, all images in one pass."""
    return Timed(
        run=lambda: segmenter.segment_batch(images, classifier),
        stages=lambda: _stages(segmenter, classifier, images),
    )


def reference_way(reference: Reference, classifier: Classifier, images: list[np.ndarray]) -> Timed:
    """Image bytes to label bytes, one image after another."""
    return Timed(run=lambda: [reference.segment(image, classifier) for image in images], stages=lambda: {})


def _stages(segmenter: Segmenter, classifier: Classifier, images: list[np.ndarray]) -> dict[str, float]:
    """The parts of `Segmenter.segment_batch`, each waited for: their sum is a little more than the whole."""
    device, (height, width) = segmenter.model.device, images[0].shape[:2]
    plan = segmenter.plan(height, width)
    clock = [time.perf_counter()]

    def tick() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        clock.append(time.perf_counter())

    with torch.inference_mode(), device_errors():
        pixels = segmenter.prepare(images, plan.size)
        tick()
        features = segmenter.features(pixels)
        tick()
        scores = classifier.scores(features, segmenter.logit_scale)
        tick()
        grid_scores = scores.unflatten(1, plan.grid).permute(0, 3, 1, 2)
        outputs = labels_and_confidence(grid_scores, (height, width), classifier.ids, classifier.thresholds)
        tick()
        for output in outputs:
            output.cpu().numpy()
        tick()
    names = ("prepare", "model", "scores", "labels", "download")
    return {
        name: 1e3 * (after - before) for name, before, after in zip(names, clock, clock[1:], strict=False)
    }
