"""Loading a CLIP: from a folder, a file, the local hub cache, or by download."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import open_clip
import torch
from huggingface_hub import constants
from open_clip.pretrained import download_pretrained
from torch import Tensor

from ovseg_ros.clipseg.backbone import Backbone
from ovseg_ros.clipseg.config import ModelConfig
from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.methods import TUNABLE
from ovseg_ros.clipseg.runtime import resolve_device, resolve_precision

SHIPPED = Path(__file__).resolve().parent.parent / "models"
"""Folder of the models that come with the package."""

RANDOM = "random"
"""Weights of an architecture that were never trained; the same ones each time."""


@dataclass(frozen=True)
class ClipModel:
    """A frozen CLIP, ready on its device.

    Attributes:
        name: architecture and weights, for humans.
        backbone: the vision tower.
        clip: the open_clip model, whose text tower stays in float32; on a CPU its vision tower has given its
            blocks to `backbone`.
        tokenize: texts to token ids, ``n context_length``.
        embedding: channels of the space that text and image share.
        context_length: tokens of a text that the model reads.
        mean, std: of the normalisation of RGB in 0..1.
        logit_scale: the temperature that the model was trained with, as a factor on cosines.
        device, dtype: where the vision tower computes, and in what it multiplies.
        parameters: number of weights of both towers.
        tuning: numbers of CERA and DSI that were chosen for this model (`methods.TUNABLE`), by its
            configuration; none: the method's own.
    """

    name: str
    backbone: Backbone
    clip: open_clip.CLIP | open_clip.CustomTextCLIP
    tokenize: Callable[[list[str]], Tensor]
    embedding: int
    context_length: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    logit_scale: float
    device: torch.device
    dtype: torch.dtype
    parameters: int
    tuning: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def text_fingerprint(self) -> str:
        """A name for the text tower, from the weights themselves.

        A sample of every weight distinguishes two models even when they share a name or a folder.
        """
        digest = hashlib.sha256(str(self.context_length).encode())
        for name, weight in self.clip.named_parameters():
            if not name.startswith("visual."):
                flat = weight.detach().flatten()
                sample = flat[:: max(1, flat.numel() // 512)].float().cpu().numpy()
                digest.update(f"{name}{tuple(weight.shape)}".encode() + sample.tobytes())
        return digest.hexdigest()


def load_model(config: ModelConfig = ModelConfig(), *, packed: bool = True) -> ClipModel:
    """Load a CLIP and freeze it.

    Args:
        config: which model, and where it runs. A folder may be written with ``local-dir:`` before it, and its
            configuration may have a part ``clipseg`` with numbers of the method (`ClipModel.tuning`). The
            weights ``random`` of an architecture do to measure time. The precision is that of the vision
            tower (`resolve_precision`).
        packed: bring the vision tower into the form that the CPU multiplies fastest; without it, it runs as
            open_clip has it, in float32 or, on CUDA, in the configuration's precision.

    Raises:
        ModelError: what was looked for and where, and what to do.
    """
    name, weights = config.name, config.weights
    place = resolve_device(config.device)
    dtype = resolve_precision(config.precision, place)
    folder = find_folder(name)
    tuning: dict[str, float] = {}
    if folder is not None:
        source, label = f"local-dir:{folder}", folder.name
        tuning = _check_folder(folder)
        settings = {}
    else:
        source, label = name, f"{name}/{Path(weights).name if os.path.sep in weights else weights}"
        settings = _architecture(name, weights, config.allow_download)
    try:
        pretrained = weights != RANDOM or folder is not None
        clip = open_clip.create_model(source, require_pretrained=pretrained, weights_only=True, **settings)
        tokenize = open_clip.get_tokenizer(source)
    except Exception as error:  # open_clip, torch and safetensors raise nearly anything on a bad file
        raise ModelError(
            f"model {label!r} could not be loaded from {settings.get('pretrained') or source}: {error}"
        ) from error
    clip = clip.eval().requires_grad_(False)
    logit_scale = float(clip.logit_scale.float().exp())
    clip.to(place)
    parameters = sum(p.numel() for p in clip.parameters())
    if place.type == "cuda":
        clip.visual.to(dtype)
        packed = False
    elif not packed:
        dtype = torch.float32
    return ClipModel(
        name=label,
        backbone=Backbone(clip.visual, pack=dtype if packed else None),
        clip=clip,
        tokenize=tokenize,
        embedding=clip.visual.output_dim,
        context_length=tokenize([""]).shape[-1],
        mean=tuple(clip.visual.image_mean),
        std=tuple(clip.visual.image_std),
        logit_scale=logit_scale,
        device=place,
        dtype=dtype,
        parameters=parameters,
        tuning=tuning,
    )


def find_folder(name: str) -> Path | None:
    """The folder of a model given by folder or by a shipped name; None if `name` is an architecture.

    Raises:
        ModelError: `name` is written as a path, and nothing is there.
    """
    plain = name.removeprefix("local-dir:")
    folder = Path(plain).expanduser()
    if plain and folder.is_dir():
        return folder.resolve()
    shipped = SHIPPED / plain
    if plain and shipped.parent == SHIPPED and shipped.is_dir():
        return shipped
    if plain != name or plain.startswith(("/", "./", "../", "~")):
        raise ModelError(f"model folder {plain!r} does not exist (looked in {folder.absolute()})")
    return None


def shipped_models() -> dict[str, Path]:
    """Models that come with the package, by name."""
    return {config.parent.name: config.parent for config in sorted(SHIPPED.glob("*/open_clip_config.json"))}


def cached_weights(name: str, tag: str) -> Path | None:
    """The file of an architecture's weights where an earlier download left it, or None."""
    config = open_clip.get_pretrained_cfg(name, tag) or {}
    offline, constants.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE, True  # the hub's local cache alone
    try:
        if found := download_pretrained({key: value for key, value in config.items() if key != "url"}):
            return Path(found)
    except FileNotFoundError:
        pass
    finally:
        constants.HF_HUB_OFFLINE = offline
    file = Path("~/.cache/clip").expanduser() / os.path.basename(config.get("url") or "")
    return file if file.is_file() else None


def _check_folder(folder: Path) -> dict[str, float]:
    """The numbers of the method that a model's folder brings."""
    config = folder / "open_clip_config.json"
    try:
        content = json.loads(config.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"model folder {folder} has no open_clip_config.json") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{config} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or "model_cfg" not in content:
        raise ModelError(f"{config} has no 'model_cfg'; expected an open_clip model configuration")
    if not any(file.suffix in (".safetensors", ".bin", ".pth") for file in folder.iterdir()):
        raise ModelError(f"model folder {folder} holds no weights; expected open_clip_model.safetensors")
    tuning = content.get("clipseg", {})
    if not isinstance(tuning, dict) or not all(
        name in TUNABLE and isinstance(value, int | float) for name, value in tuning.items()
    ):
        raise ModelError(
            f"'clipseg' in {config} is {tuning}; expected numbers for some of {', '.join(TUNABLE)}"
        )
    return {name: float(value) for name, value in tuning.items()}


def _architecture(name: str, weights: str, allow_download: bool) -> dict[str, object]:
    """Settings of `open_clip.create_model` for an architecture with weights of a tag or a file."""
    known = open_clip.list_models()
    if name.replace("/", "-") not in known:
        near = ", ".join(m for m in known if m.startswith("ViT-") and "-" not in m[len("ViT-B-16") :])
        shipped = ", ".join(shipped_models()) or "none"
        raise ModelError(
            f"model {name!r} is neither a folder, nor a shipped model ({shipped}), nor an architecture of "
            f"open_clip such as {near}"
        )
    if weights == RANDOM:
        torch.manual_seed(0)
        return {}
    file = Path(weights).expanduser()
    if file.is_file():
        return {"pretrained": str(file)}
    config = open_clip.get_pretrained_cfg(name, weights)
    if not config:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise ModelError(
            f"weights {weights!r} of {name} are neither a file (looked in {file.absolute()}) nor one of "
            f"open_clip's tags: {tags}"
        )
    found = cached_weights(name, weights)
    if found is None:
        place = config.get("hf_hub") or config.get("url")
        if not allow_download:
            raise ModelError(
                f"weights {weights!r} of {name} ({place}) are not in the local hub cache, and downloading is "
                "not allowed; fetch them once with `ovseg models fetch` or allow the download "
                "(model.allow_download)"
            )
        try:
            found = Path(download_pretrained(config))
        except Exception as error:  # any failure of the network or the hub
            raise ModelError(
                f"weights {weights!r} of {name} ({place}) are not on this machine and could not be "
                f"downloaded: {error}; give a file as weights or a folder as model"
            ) from error
    # The tag knows two things that the file does not: the activation and the normalisation of its training.
    preprocess = {key: config[key] for key in ("mean", "std") if config.get(key) is not None}
    return {
        "pretrained": str(found),
        "force_quick_gelu": bool(config.get("quick_gelu", False)),
        "force_preprocess_cfg": preprocess,
    }
