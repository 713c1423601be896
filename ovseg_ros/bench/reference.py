"""Open-vocabulary CLIP segmentation as published evaluations run it, to be timed next to the engine."""

import numpy as np
import torch
from jaxtyping import UInt8
from torch.nn import functional as F

from ovseg_ros.clipseg import Classifier, ClipModel, Segmenter
from ovseg_ros.clipseg.backends import device_errors
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.resolution import plan_resolution, plan_windows

WINDOW, STRIDE = 224, 112
"""What the published evaluations of the methods use."""


class Reference:
    """Windows one after another, torch's plain operations, and scores of all classes at full size.

    Each window's scores are upsampled to its pixels and summed up in an array of K x h x w; their mean is
    upsampled to the image, and only then comes the maximum. The mathematics of the method is the same.

    Args:
        model: a CLIP that was loaded with ``packed=False``.
        segmenter: the engine; its method, short side and scale are taken.
    """

    def __init__(self, model: ClipModel, segmenter: Segmenter) -> None:
        self._model = model
        self._method = segmenter.method
        self._short_side = segmenter.short_side
        self._scale = segmenter.logit_scale
        self._mean = torch.tensor(model.mean, device=model.device).view(3, 1, 1) * 255
        self._std = torch.tensor(model.std, device=model.device).view(3, 1, 1) * 255

    def segment(
        self, image: UInt8[np.ndarray, "H W 3"], classifier: Classifier
    ) -> tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"]]:
        """Labels and confidence of one image."""
        backbone, patch = self._model.backbone, self._model.backbone.patch
        plan = plan_resolution(image.shape[0], image.shape[1], self._short_side, patch, self._short_side)
        windows = plan_windows(plan.grid, patch, WINDOW, STRIDE)
        with torch.inference_mode(), device_errors():
            pixels = torch.from_numpy(image).to(self._model.device).permute(2, 0, 1)[None].float()
            pixels = F.interpolate(pixels, plan.size, mode="bicubic", antialias=True).clamp_(0, 255)
            pixels = ((pixels - self._mean) / self._std).to(backbone.dtype)
            total = torch.zeros(len(classifier.ids), *plan.size, device=pixels.device)
            times = torch.zeros(plan.size, device=pixels.device)
            height, width = (count * side for count, side in zip(windows.shape, patch, strict=True))
            for row, column in windows.corners:
                rows = slice(row * patch[0], row * patch[0] + height)
                columns = slice(column * patch[1], column * patch[1] + width)
                features = dense_features(backbone, pixels[:, :, rows, columns], self._method)
                scores = classifier.scores(features, self._scale)[0].T.unflatten(-1, windows.shape)
                total[:, rows, columns] += F.interpolate(scores[None], (height, width), mode="bilinear")[0]
                times[rows, columns] += 1
            scores = F.interpolate((total / times)[None], image.shape[:2], mode="bilinear")[0]
            confidence, winner = scores.softmax(dim=0).max(dim=0)
            labels = torch.where(confidence < classifier.thresholds[winner], 255, classifier.ids[winner])
            return labels.byte().cpu().numpy(), (255 * confidence).round().byte().cpu().numpy()
