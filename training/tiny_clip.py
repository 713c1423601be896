"""The architecture of ovseg-tiny, and how it is written to a folder that open_clip loads."""

import json
import math
from pathlib import Path
from typing import Any

import open_clip
import torch
from jaxtyping import Float, UInt8
from open_clip.model import CLIP
from open_clip.transformer import VisionTransformer
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from ovseg_ros.clipseg.backbone import resized_positions

CONTEXT = 24
"""Tokens of a caption that the text tower reads."""

MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": 192,
    "vision_cfg": {
        "image_size": 96,
        "patch_size": 16,
        "width": 192,
        "layers": 12,
        "head_width": 32,
    },
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49408,
        "width": 64,
        "heads": 4,
        "layers": 4,
    },
}
"""ovseg-tiny. Half of the text tower is the embedding of CLIP's 49,408 tokens, so its width is small."""

PREPROCESS: dict[str, Any] = {
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}
"""CLIP's own normalisation."""


TUNING = {"gamma": 20.0, "lam": 0.9}
"""What suits ovseg-tiny, chosen on validation scenes: its last block's queries and keys hardly tell patches
apart, so that CERA has to be sharper and to weigh more."""


def build(config: dict[str, Any], patch_dropout: float = 0.0) -> CLIP:
    """A CLIP of random weights.

    Args:
        config: as `MODEL_CONFIG`.
        patch_dropout: share of the patches left out of each picture in training.
    """
    vision = {**config["vision_cfg"], "patch_dropout": patch_dropout}
    return CLIP(config["embed_dim"], vision, config["text_cfg"])


def tokenizer() -> open_clip.SimpleTokenizer:
    """CLIP's tokenizer at the context of ovseg-tiny."""
    return open_clip.SimpleTokenizer(context_length=CONTEXT)


def export(model: CLIP, config: dict[str, Any], folder: Path, card: str) -> None:
    """Write a model in half precision, with its configuration and a card, as a folder for `load_model`."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: (value.half() if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in model.state_dict().items()
        if name != "attn_mask"
    }
    save_file(weights, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    content = {"model_cfg": config, "preprocess_cfg": PREPROCESS, "clipseg": TUNING}
    (folder / "open_clip_config.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")


def prepare(pictures: UInt8[Tensor, "b 3 h w"], size: tuple[int, int]) -> Float[Tensor, "b 3 s s"]:
    """RGB pictures as the model wants them: resized as the engine resizes frames, and normalised."""
    mean = torch.tensor(PREPROCESS["mean"], device=pictures.device).view(3, 1, 1) * 255
    std = torch.tensor(PREPROCESS["std"], device=pictures.device).view(3, 1, 1) * 255
    pixels = pictures.float()
    if pixels.shape[-2:] != size:
        pixels = F.interpolate(pixels, size, mode="bicubic", antialias=True, align_corners=False)
    return (pixels.clamp(0, 255) - mean) / std


def encode_pictures(model: CLIP, pixels: Float[Tensor, "b 3 h w"], first_look: int) -> Float[Tensor, "b e"]:
    """Embeddings of length 1 of prepared pictures, whose class token looks at the patches late.

    In the first `first_look` blocks the class token sees itself alone, and the patches do not see it. A class
    token that can gather all it needs in early blocks leaves nothing for the last one to say about places;
    what it can gather late only, the patches have to keep. With 0, and in the model's own size, this is the
    ordinary forward pass.
    """
    visual = model.visual
    tokens = visual.ln_pre(visual.patch_dropout(_embed(visual, pixels)))
    count = tokens.shape[1]
    apart = torch.zeros(count, count, dtype=torch.bool, device=tokens.device)
    apart[0, 1:] = apart[1:, 0] = True
    mask = torch.zeros(apart.shape, dtype=tokens.dtype, device=tokens.device).masked_fill(apart, -math.inf)
    for number, block in enumerate(visual.transformer.resblocks):
        tokens = block(tokens, attn_mask=mask if number < first_look else None)
    pooled, _ = visual._pool(tokens)
    return F.normalize(pooled @ visual.proj, dim=-1)


def _embed(visual: VisionTransformer, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1+n c"]:
    """Class token and patches with their places, which are resized to the grid as the engine does it."""
    patches = visual.conv1(pixels)
    places, grid = visual.positional_embedding, (patches.shape[2], patches.shape[3])
    if grid != visual.grid_size:
        places = resized_positions(places, visual.grid_size, grid)
    patches = patches.flatten(2).transpose(1, 2)
    first = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    return torch.cat([first, patches], dim=1) + places.to(patches.dtype)
