"""uint8 images in, labels and confidence out."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.labelling import labels_and_confidence
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.methods import Method, find_method
from ovseg_ros.clipseg.model import ClipModel
from ovseg_ros.clipseg.resolution import plan_resolution
from ovseg_ros.clipseg.runtime import device_errors
from ovseg_ros.clipseg.segmentation import Segmentation
from ovseg_ros.clipseg.text import TextEncoder
from ovseg_ros.vocabulary import BACKGROUND_ID, Vocabulary

OutputSize = Literal["input", "model"]


@dataclass(frozen=True)
class Classifier:
    """A vocabulary in the model's terms; immutable, so that it can be swapped between two frames.

    A row of scores stands for the background (first, where the vocabulary has background prompts) or a class.
    A row's score is the maximum over its prompts: a class's name and synonyms, or the background prompts.

    Attributes:
        vocabulary: what it was made of.
        embeddings: of all prompts, length 1.
        members: for each row its prompts' places in `embeddings`, padded by repeating the first.
        ids: label of each row.
        thresholds: of each row; 0 for the background.
    """

    vocabulary: Vocabulary
    embeddings: Float[Tensor, "q e"]
    members: Tensor
    ids: UInt8[Tensor, " k"]
    thresholds: Float[Tensor, " k"]

    def scores(self, features: Float[Tensor, "b n e"], scale: float) -> Float[Tensor, "b n k"]:
        """Logits in float32: ``scale * max over the row's prompts of cos(feature, prompt)``."""
        cosines = (features @ self.embeddings.T).float()
        if self.members.shape[1] > 1:
            cosines = cosines[..., self.members].amax(dim=-1)
        return scale * cosines


class Segmenter:
    """A model, a method and a resolution.

    Args:
        model: the CLIP.
        method: a name of `METHODS` or own settings.
        short_side: pixels of the image's short side as the model sees it.
        templates: full, short, plain or auto (`TextEncoder`).
        logit_scale: factor on the cosines before the softmax; 0 takes the model's own.

    Raises:
        ModelError: unknown method or templates, a short side below one patch, a negative scale, layers that
            the model does not have.
    """

    def __init__(
        self,
        model: ClipModel,
        method: str | Method = "clipseg",
        *,
        short_side: int = 336,
        templates: str = "auto",
        logit_scale: float = 0.0,
    ) -> None:
        self.model = model
        self.method = find_method(method) if isinstance(method, str) else method
        self.method.coherence_layers(model.backbone.depth)
        self.method.deep_layers(model.backbone.depth)
        if short_side < max(model.backbone.patch):
            raise ModelError(
                f"short side is {short_side}; expected at least one patch, {model.backbone.patch}"
            )
        if not 0.0 <= logit_scale < float("inf"):
            raise ModelError(
                f"logit scale is {logit_scale}; expected a positive number, or 0 for the model's own"
            )
        self.short_side = short_side
        self._given_scale = logit_scale
        self._text = TextEncoder(model, templates)
        self._mean = torch.tensor(model.mean, device=model.device).view(3, 1, 1) * 255
        self._std = torch.tensor(model.std, device=model.device).view(3, 1, 1) * 255

    @property
    def logit_scale(self) -> float:
        """The factor on the cosines in use."""
        return self._given_scale or self.model.logit_scale

    @property
    def description(self) -> dict[str, str]:
        """What runs here, for humans."""
        device = str(self.model.device)
        if self.model.device.type == "cuda":
            device += f" ({torch.cuda.get_device_name(self.model.device)})"
        return {
            "model": self.model.name,
            "method": self.method.name,
            "device": device,
            "precision": str(self.model.dtype).removeprefix("torch."),
            "short_side": str(self.short_side),
        }

    def cached(self, vocabulary: Vocabulary) -> bool:
        """Whether `encode` needs no pass of the text tower."""
        return self._text.cached(list(chain.from_iterable(_groups(vocabulary))))

    def encode(self, vocabulary: Vocabulary) -> Classifier:
        """The classifier of a vocabulary. Slow for new words; may run beside `segment` in another thread."""
        groups = _groups(vocabulary)
        with device_errors():
            embeddings = torch.from_numpy(self._text.encode(list(chain.from_iterable(groups))))
        longest = max(len(group) for group in groups)
        members, start = [], 0
        for group in groups:
            places = list(range(start, start + len(group)))
            members.append(places + [start] * (longest - len(group)))
            start += len(group)
        first = [BACKGROUND_ID] if vocabulary.background else []
        thresholds = [0.0] * len(first) + [vocabulary.threshold_of(entry) for entry in vocabulary.classes]
        device = self.model.device
        return Classifier(
            vocabulary=vocabulary,
            embeddings=embeddings.to(device, self.model.dtype),
            members=torch.tensor(members, device=device),
            ids=torch.tensor(
                first + [entry.id for entry in vocabulary.classes], dtype=torch.uint8, device=device
            ),
            thresholds=torch.tensor(thresholds, device=device),
        )

    def segment(
        self, image: UInt8[np.ndarray, "H W 3"], classifier: Classifier, *, output_size: OutputSize = "input"
    ) -> Segmentation:
        """Segment one RGB image.

        Raises:
            ModelError: not a uint8 image of three channels.
            OutOfMemory, DeviceLost: the device failed.
        """
        return self.segment_batch([image], classifier, output_size=output_size)[0]

    def segment_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "H W 3"]],
        classifier: Classifier,
        *,
        output_size: OutputSize = "input",
    ) -> list[Segmentation]:
        """Segment RGB images of one size in one pass. Raises as `segment`."""
        start = time.perf_counter()
        for image in images:
            if (
                image.dtype != np.uint8
                or image.ndim != 3
                or image.shape[2] != 3
                or image.shape != images[0].shape
            ):
                raise ModelError(
                    f"image is {image.dtype} of shape {image.shape}; expected uint8, height x width x 3, "
                    "and one size in a batch"
                )
        height, width = images[0].shape[:2]
        plan = plan_resolution(height, width, self.short_side, self.model.backbone.patch)
        size = (height, width) if output_size == "input" else plan.size
        with torch.inference_mode(), device_errors():
            pixels = self._prepare(images, plan.size)
            features = dense_features(self.model.backbone, pixels, self.method)
            scores = classifier.scores(features, self.logit_scale).transpose(1, 2)
            scores = scores.unflatten(-1, plan.grid).contiguous()
            arrays = []
            for grid_scores in scores:
                labels, confidence = labels_and_confidence(
                    grid_scores, size, classifier.ids, classifier.thresholds
                )
                arrays.append((labels.cpu().numpy(), confidence.cpu().numpy()))
        elapsed_ms = 1e3 * (time.perf_counter() - start)
        return [
            Segmentation(
                labels=labels,
                confidence=confidence,
                vocabulary=classifier.vocabulary,
                inference_ms=elapsed_ms,
                input_size=(height, width),
                grid=plan.grid,
                scores=grid_scores,
            )
            for (labels, confidence), grid_scores in zip(arrays, scores, strict=True)
        ]

    def smaller(self) -> "Segmenter | None":
        """The same at 70 % of the short side, for a device short of memory; None below four patches."""
        short_side = int(0.7 * self.short_side)
        if short_side < 4 * max(self.model.backbone.patch):
            return None
        smaller = copy.copy(self)
        smaller.short_side = short_side
        return smaller

    def _prepare(self, images: Sequence[np.ndarray], size: tuple[int, int]) -> Float[Tensor, "b 3 h w"]:
        """Upload as uint8; resize with antialiasing and normalise on the device."""
        stacked = images[0][None] if len(images) == 1 else np.stack(images)
        if not stacked.flags.writeable:  # torch warns of views on read-only message buffers
            stacked = stacked.copy()
        pixels = torch.from_numpy(np.ascontiguousarray(stacked)).to(self.model.device)
        pixels = pixels.permute(0, 3, 1, 2).float()
        pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True, align_corners=False).clamp_(
            0, 255
        )
        return pixels.sub_(self._mean).div_(self._std).to(self.model.dtype)


def _groups(vocabulary: Vocabulary) -> list[tuple[str, ...]]:
    """The prompts of each row of scores: the background's, where there are any, then each class's."""
    background = [vocabulary.background] if vocabulary.background else []
    return [*background, *(entry.prompts for entry in vocabulary.classes)]
