"""The two pipelines that are timed, the engine's and the reference's, and what they work on."""

import time
from itertools import count

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional as F

from ovseg_ros.bench.reference import Reference
from ovseg_ros.bench.timing import TimedPipeline
from ovseg_ros.clipseg import Classifier, Segmenter, Smoother, SmoothingState
from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.config import OutputConfig
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.segmenter import OutputSize
from ovseg_ros.vocabulary import VocabularyBuilder

FRAME_NS = 33_000_000
"""From one image of a camera to the next, where labels are smoothed."""

STREAMED = 16
"""Images in one stream."""


def random_images(number: int, size: tuple[int, int]) -> list[UInt8[np.ndarray, "H W 3"]]:
    """Images of smooth random colours, height and width in pixels."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.uniform(0, 255, (number, 3, 12, 16))).float()
    images = F.interpolate(coarse, size, mode="bicubic").clamp(0, 255).byte().permute(0, 2, 3, 1)
    return [np.ascontiguousarray(image) for image in images.numpy()]


def random_classifier(segmenter: Segmenter, classes: int) -> Classifier:
    """A classifier whose embeddings no text tower made: time does not depend on them."""
    model = segmenter.model
    generator = torch.Generator().manual_seed(classes)
    embeddings = F.normalize(torch.randn(classes, model.embedding, generator=generator), dim=-1)
    vocabulary = VocabularyBuilder().build([f"class {number}" for number in range(1, classes + 1)])
    return Classifier.of(vocabulary, embeddings.to(model.device, model.backbone.dtype))


def engine_pipeline(
    segmenter: Segmenter,
    classifier: Classifier,
    images: list[np.ndarray],
    output: OutputConfig = OutputConfig(),
) -> TimedPipeline:
    """Image bytes to label bytes, all images in one pass; each from a camera of its own, where smoothed."""
    size: OutputSize = "model" if output.size == "model" else "input"
    smoothers = [Smoother(output.smoothing) for _ in images] if output.smoothing else []
    stamps = count(0, FRAME_NS)

    def run() -> None:
        stamp = next(stamps)
        smoothing = [SmoothingState(smoother, stamp) for smoother in smoothers]
        segmenter.segment_batch(images, classifier, output_size=size, smoothing=smoothing)

    def stream() -> float:
        start = time.perf_counter()
        for _ in segmenter.segment_stream([images[0]] * STREAMED, classifier, output_size=size):
            pass
        return 1e3 * (time.perf_counter() - start) / STREAMED

    return TimedPipeline(
        run=run,
        stages=lambda: _stages(segmenter, classifier, images, size),
        stream=stream if segmenter.model.device.type == "cuda" and len(images) == 1 else None,
    )


def reference_pipeline(
    reference: Reference, classifier: Classifier, images: list[np.ndarray]
) -> TimedPipeline:
    """Image bytes to label bytes, one image after another."""
    return TimedPipeline(run=lambda: [reference.segment(image, classifier) for image in images])


def _stages(
    segmenter: Segmenter, classifier: Classifier, images: list[np.ndarray], output_size: OutputSize
) -> dict[str, float]:
    """The parts of `Segmenter.segment_batch`, each waited for: their sum is a little more than the whole.

    Smoothing is no part of them.
    """
    device, (height, width) = segmenter.model.device, images[0].shape[:2]
    plan = segmenter.plan(height, width)
    size = plan.size if output_size == "model" else (height, width)
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
        outputs = labels_and_confidence(grid_scores, size, classifier.ids, classifier.thresholds)
        tick()
        for output in outputs:
            output.cpu().numpy()
        tick()
    names = ("prepare", "model", "scores", "labels", "download")
    return {
        name: 1e3 * (after - before) for name, before, after in zip(names, clock, clock[1:], strict=False)
    }
