"""The two pipelines that are timed, the engine's and a plain reference, and what they work on."""

import time
from itertools import count, pairwise

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional as F

from ovseg_ros.bench.timing import TimedPipeline
from ovseg_ros.clipseg import Classifier, ClipModel, Segmenter, Smoother, SmoothingState
from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.config import OutputConfig
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.resolution import plan_resolution, plan_windows
from ovseg_ros.clipseg.runtime import device_clock
from ovseg_ros.clipseg.segmenter import OutputSize
from ovseg_ros.vocabulary import VocabularyBuilder

FRAME_NS = 33_000_000
"""From one image of a camera to the next, where labels are smoothed."""

STREAMED = 16
"""Images in one stream."""

WINDOW, STRIDE = 224, 112
"""Of the reference: what the published evaluations of the methods use."""


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


def reference_labels(
    model: ClipModel, segmenter: Segmenter, image: UInt8[np.ndarray, "H W 3"], classifier: Classifier
) -> tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]]:
    """Labels and confidence of one image as published evaluations of CLIP segmentation compute them.

    Windows one after another, torch's plain operations, and scores of all classes at full size: each window's
    scores are upsampled to its pixels and summed up in an array of K x h x w; their mean is upsampled to the
    image, and only then comes the maximum. The mathematics of the method is the same.

    Args:
        model: a CLIP that was loaded with ``packed=False``.
        segmenter: the engine; its method, short side and scale are taken.
        image: RGB.
        classifier: the words.
    """
    backbone, patch = model.backbone, model.backbone.patch
    short_side = segmenter.config.short_side
    plan = plan_resolution(image.shape[0], image.shape[1], short_side, patch, short_side)
    windows = plan_windows(plan.grid, patch, WINDOW, STRIDE)
    with torch.inference_mode(), device_errors():
        pixels = torch.from_numpy(image).to(model.device).permute(2, 0, 1)[None].float()
        pixels = F.interpolate(pixels, plan.size, mode="bicubic", antialias=True).clamp_(0, 255)
        mean, std = (
            255 * torch.tensor(of, device=model.device).view(3, 1, 1) for of in (model.mean, model.std)
        )
        pixels = ((pixels - mean) / std).to(backbone.dtype)
        total = torch.zeros(len(classifier.ids), *plan.size, device=pixels.device)
        times = torch.zeros(plan.size, device=pixels.device)
        height, width = (count * side for count, side in zip(windows.shape, patch, strict=True))
        for row, column in windows.corners:
            rows = slice(row * patch[0], row * patch[0] + height)
            columns = slice(column * patch[1], column * patch[1] + width)
            features = dense_features(backbone, pixels[:, :, rows, columns], segmenter.method)
            scores = classifier.scores(features, segmenter.logit_scale)[0].T.unflatten(-1, windows.shape)
            total[:, rows, columns] += F.interpolate(scores[None], (height, width), mode="bilinear")[0]
            times[rows, columns] += 1
        scores = F.interpolate((total / times)[None], image.shape[:2], mode="bilinear")[0]
        confidence, winner = scores.softmax(dim=0).max(dim=0)
        labels = torch.where(confidence < classifier.thresholds[winner], 255, classifier.ids[winner])
        return labels.byte().cpu().numpy(), (255 * confidence).round().byte().cpu().numpy()


def reference_pipeline(
    model: ClipModel, segmenter: Segmenter, classifier: Classifier, images: list[np.ndarray]
) -> TimedPipeline:
    """Image bytes to label bytes by `reference_labels`, one image after another."""
    return TimedPipeline(
        run=lambda: [reference_labels(model, segmenter, image, classifier) for image in images]
    )


def _stages(
    segmenter: Segmenter, classifier: Classifier, images: list[np.ndarray], output_size: OutputSize
) -> dict[str, float]:
    """The parts of `Segmenter.segment_batch`, each waited for: their sum is a little more than the whole.

    Smoothing is no part of them.
    """
    device, (height, width) = segmenter.model.device, images[0].shape[:2]
    plan = segmenter.plan(height, width)
    size = plan.size if output_size == "model" else (height, width)
    names = ("prepare", "model", "scores", "labels", "download")
    clock = [time.perf_counter()]
    with torch.inference_mode(), device_errors():
        pixels = segmenter.prepare(images, plan.size)
        clock.append(device_clock(device))
        features = segmenter.features(pixels)
        clock.append(device_clock(device))
        scores = classifier.scores(features, segmenter.logit_scale)
        clock.append(device_clock(device))
        grid_scores = scores.unflatten(1, plan.grid).permute(0, 3, 1, 2)
        outputs = labels_and_confidence(grid_scores, size, classifier.ids, classifier.thresholds)
        clock.append(device_clock(device))
        for output in outputs:
            output.cpu().numpy()
        clock.append(device_clock(device))
    return {
        name: 1e3 * (after - before) for name, (before, after) in zip(names, pairwise(clock), strict=True)
    }
