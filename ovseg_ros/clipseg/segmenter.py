"""uint8 images in, labels and confidence out."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.backends import Batch, device_errors, start_on_cpu
from ovseg_ros.clipseg.classifier import Classifier, prompts_of
from ovseg_ros.clipseg.config import EngineConfig, MethodConfig
from ovseg_ros.clipseg.cuda.backend import CudaBackend
from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.methods import Method, find_method, layers_of
from ovseg_ros.clipseg.model import ClipModel, load_model
from ovseg_ros.clipseg.resolution import Resolution, plan_resolution, plan_windows, windowed_features
from ovseg_ros.clipseg.segmentation import Segmentation
from ovseg_ros.clipseg.smoothing import SmoothingState
from ovseg_ros.clipseg.text_encoder import TextEncoder
from ovseg_ros.vocabulary import Vocabulary

OutputSize = Literal["input", "model"]


class Segmenter:
    """A model, a method and a resolution.

    Args:
        model: the CLIP.
        config: the method, its numbers and the resolution. Small images are not enlarged to the whole short
            side (`plan_resolution`).
        templates: full, short, plain or auto (`TextEncoder`).
        method: own settings in place of the method that the configuration names; the configuration's numbers
            apply to them too.

    Raises:
        ModelError: as `resolve_method`, and unknown templates.
    """

    def __init__(
        self,
        model: ClipModel,
        config: MethodConfig = MethodConfig(),
        *,
        templates: str = "auto",
        method: Method | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.method = resolve_method(model, config, method)
        self._text = TextEncoder(model, templates)
        on_cuda = model.device.type == "cuda"
        self._start_batch = CudaBackend(model.device).start if on_cuda else start_on_cpu
        self._mean = torch.tensor(model.mean, device=model.device).view(3, 1, 1) * 255
        self._std = torch.tensor(model.std, device=model.device).view(3, 1, 1) * 255

    @property
    def logit_scale(self) -> float:
        """The factor on the cosines in use."""
        return self.config.logit_scale or self.model.logit_scale

    @property
    def short_side(self) -> int:
        """Pixels of the image's short side as the model sees it."""
        return self.config.short_side

    @property
    def description(self) -> dict[str, str]:
        """What runs here, for humans."""
        config = self.config
        device = str(self.model.device)
        if self.model.device.type == "cuda":
            device += f" ({torch.cuda.get_device_name(self.model.device)})"
        return {
            "model": self.model.name,
            "method": self.method.name,
            "device": device,
            "precision": str(self.model.dtype).removeprefix("torch."),
            "short_side": str(self.short_side),
            **({"windows": f"{config.window} at stride {config.stride}"} if config.window else {}),
        }

    def cached(self, vocabulary: Vocabulary) -> bool:
        """Whether `encode` needs no pass of the text tower."""
        return self._text.cached(prompts_of(vocabulary))

    def encode(self, vocabulary: Vocabulary, *, in_background: bool = False) -> Classifier:
        """The classifier of a vocabulary. Slow for new words; may run beside `segment` in another thread.

        `in_background`: images are segmented meanwhile and must hardly wait; it then takes longer.
        """
        return Classifier.of(vocabulary, self.embed(prompts_of(vocabulary), in_background=in_background))

    def embed(self, phrases: Sequence[str], *, in_background: bool = False) -> Float[Tensor, "q e"]:
        """Embeddings of phrases, length 1, on the device; otherwise as `encode`."""
        with device_errors():
            embeddings = torch.from_numpy(self._text.encode(phrases, in_background=in_background))
            return embeddings.to(self.model.device, self.model.backbone.dtype)

    def segment(
        self,
        image: UInt8[np.ndarray, "H W 3"],
        classifier: Classifier,
        *,
        output_size: OutputSize = "input",
        smoothing: SmoothingState | None = None,
    ) -> Segmentation:
        """Segment one RGB image.

        Args:
            image: uint8.
            classifier: the words.
            output_size: of labels and confidence: that of the image, or as the model saw it.
            smoothing: smooth the scores with those of the camera's last images; None: this image alone.

        Raises:
            ModelError: not a uint8 image of three channels.
            OutOfMemory, DeviceLost: the device failed.
        """
        return self.segment_batch([image], classifier, output_size=output_size, smoothing=[smoothing])[0]

    def segment_batch(
        self,
        images: Sequence[UInt8[np.ndarray, "H W 3"]],
        classifier: Classifier,
        *,
        output_size: OutputSize = "input",
        smoothing: Sequence[SmoothingState | None] = (),
    ) -> list[Segmentation]:
        """Segment RGB images of one size in one pass; `smoothing` of each, or none. Raises as `segment`."""
        return self._start(images, classifier, output_size, smoothing)()

    def segment_stream(
        self,
        images: Iterable[UInt8[np.ndarray, "H W 3"]],
        classifier: Classifier,
        *,
        output_size: OutputSize = "input",
    ) -> Iterator[Segmentation]:
        """Segment images one after another, in their order; on CUDA the next travels while one is computed.

        More images a second than by `segment`, each one pass later. Raises as `segment`.
        """
        ahead = 1 if self.model.device.type == "cuda" else 0
        started: list[Callable[[], list[Segmentation]]] = []
        for image in images:
            started.append(self._start([image], classifier, output_size))
            if len(started) > ahead:
                yield started.pop(0)()[0]
        yield from (finish()[0] for finish in started)

    def _start(
        self,
        images: Sequence[np.ndarray],
        classifier: Classifier,
        output_size: OutputSize,
        smoothing: Sequence[SmoothingState | None] = (),
    ) -> Callable[[], list[Segmentation]]:
        """Begin a pass; what is returned waits for its results."""
        begin = time.perf_counter()
        height, width = images[0].shape[:2]
        plan = self.plan(height, width)

        def forward(on_device: Tensor) -> Tensor:
            return self.features(self.normalised(on_device, plan.size))

        def finish() -> list[Segmentation]:
            with torch.inference_mode(), device_errors():
                labels, confidence = pending.finish()
                elapsed_ms = 1e3 * (time.perf_counter() - begin)
                return [
                    Segmentation(
                        labels=labels[place],
                        confidence=confidence[place],
                        vocabulary=classifier.vocabulary,
                        inference_ms=elapsed_ms,
                        input_size=(height, width),
                        grid=plan.grid,
                        scores=pending.output.scores[place],
                        features=pending.output.features[place],
                    )
                    for place in range(len(images))
                ]

        with torch.inference_mode(), device_errors():
            size = (height, width) if output_size == "input" else plan.size
            batch = Batch(images, classifier, plan.grid, size, forward, self.logit_scale, smoothing)
            pending = self._start_batch(batch)
        return finish

    def plan(self, height: int, width: int) -> Resolution:
        """At which size images of `height` x `width` pixels go through the model."""
        backbone = self.model.backbone
        return plan_resolution(height, width, self.config.short_side, backbone.patch, backbone.native_side)

    def features(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n e"]:
        """Features of every patch of normalised images, whole or by windows."""
        backbone = self.model.backbone
        extract = partial(dense_features, backbone, method=self.method)
        window = self.config.window
        if not window:
            return extract(pixels)
        windows = plan_windows(backbone.grid(pixels), backbone.patch, window, self.config.stride)
        return windowed_features(extract, pixels, backbone.patch, windows)

    def smaller(self) -> "Segmenter | None":
        """The same at 70 % of the short side, for a device short of memory; None below four patches."""
        short_side = int(0.7 * self.short_side)
        return self.at(short_side) if short_side >= self.smallest_side else None

    @property
    def smallest_side(self) -> int:
        """Four patches: the short side below which nothing reduces it by itself."""
        return 4 * max(self.model.backbone.patch)

    def at(self, short_side: int) -> "Segmenter":
        """The same at another short side."""
        other = copy.copy(self)
        other.config = replace(self.config, short_side=short_side)
        return other

    def prepare(
        self, images: Sequence[UInt8[np.ndarray, "H W 3"]], size: tuple[int, int]
    ) -> Float[Tensor, "b 3 h w"]:
        """Images to what `features` takes: uploaded as they are, the rest on the device."""
        return self.normalised(torch.from_numpy(np.stack(images)).to(self.model.device), size)

    def normalised(self, images: UInt8[Tensor, "b H W 3"], size: tuple[int, int]) -> Float[Tensor, "b 3 h w"]:
        """Resized with antialiasing, and normalised."""
        pixels = images.permute(0, 3, 1, 2).float()
        pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True, align_corners=False)
        return pixels.clamp_(0, 255).sub_(self._mean).div_(self._std).to(self.model.backbone.dtype)


def load_segmenter(config: EngineConfig) -> Segmenter:
    """A segmenter with a model of its own.

    Raises:
        ModelError: as `load_model` and `Segmenter`.
    """
    return Segmenter(load_model(config.model), config.method, templates=config.vocabulary.templates)


def resolve_method(model: ClipModel, config: MethodConfig, own: Method | None = None) -> Method:
    """The settings of the last block by a configuration. Quick: nothing is computed.

    They are those of the method that the configuration names, or `own` ones; with the numbers that were
    chosen for the model (not in `own` ones), and over all of them those that the configuration gives.

    Raises:
        ModelError: an unknown method, a number that it cannot have, a short side or a window below one patch,
            a stride that leaves gaps between the windows, layers that the model does not have.
    """
    backbone, patch = model.backbone, model.backbone.patch
    method = (own or find_method(config.name).tuned(model.tuning)).tuned(config.numbers)
    layers_of(method, backbone.depth)
    if config.short_side < max(patch):
        raise ModelError(f"short side is {config.short_side}; expected at least one patch, {patch}")
    if config.window and config.window < max(patch):
        raise ModelError(f"window is {config.window}; expected at least one patch, {patch}, or 0")
    if not 0 <= config.window_stride <= config.window:
        raise ModelError(
            f"window stride is {config.window_stride}; expected 0 to {config.window}, the window's own side, "
            "since the windows together must cover the image"
        )
    return method
