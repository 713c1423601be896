"""How well a model knows pictures it never saw: retrieval by caption, and naming the largest thing."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from open_clip.model import CLIP
from torch import Tensor
from torch.nn import functional as F

from training.caption import facts, write_caption
from training.catalogue import KINDS, label_of
from training.dataset import Pictures
from training.tiny_clip import prepare

GALLERY = 256
"""Pictures among which a caption's own is looked for."""

_DOMINANT = 0.5


@dataclass(frozen=True)
class ZeroShot:
    """Figures in percent.

    Attributes:
        retrieval: captions of which the first of `GALLERY` pictures is their own, or another that they are
            true of.
        retrieval_5: the same, among the first five.
        naming: pictures half of which is one kind, and that kind is the best of all kinds.
    """

    retrieval: float
    retrieval_5: float
    naming: float


def measure(
    model: CLIP,
    tokenize: Callable[[list[str]], Tensor],
    pictures: Pictures,
    device: torch.device,
    seed: int = 0,
) -> ZeroShot:
    """Zero-shot figures on pictures of a split that was not trained on.

    Raises:
        ValueError: fewer than `GALLERY` pictures.
    """
    if len(pictures) < GALLERY:
        raise ValueError(f"{len(pictures)} pictures are fewer than the gallery of {GALLERY}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pictures))
    first, fifth = [], []
    for start in range(0, min(len(order), 4 * GALLERY) - GALLERY + 1, GALLERY):
        chosen = order[start : start + GALLERY]
        captions = [write_caption(pictures.seen[index], rng, full=True) for index in chosen]
        images = embed_pictures(model, np.stack([pictures.decode(index) for index in chosen]), device)
        texts = embed_texts(model, tokenize([caption.text for caption in captions]), device)
        ranked = (texts @ images.T).argsort(dim=1, descending=True)[:, :5].cpu().numpy()
        for caption, best in zip(captions, ranked, strict=True):
            hits = [caption.meaning <= facts(pictures.seen[chosen[place]]) for place in best]
            first.append(hits[0])
            fifth.append(any(hits))
    return ZeroShot(
        100 * float(np.mean(first)),
        100 * float(np.mean(fifth)),
        _naming(model, tokenize, pictures, device, order),
    )


def _naming(
    model: CLIP,
    tokenize: Callable[[list[str]], Tensor],
    pictures: Pictures,
    device: torch.device,
    order: np.ndarray,
) -> float:
    chosen = [index for index in order if pictures.seen[index][0].share > _DOMINANT][: 4 * GALLERY]
    if not chosen:
        return float("nan")
    texts = embed_texts(model, tokenize([f"a photo of a {kind.name}." for kind in KINDS]), device)
    right: list[bool] = []
    for start in range(0, len(chosen), GALLERY):
        part = chosen[start : start + GALLERY]
        images = embed_pictures(model, np.stack([pictures.decode(index) for index in part]), device)
        named = (images @ texts.T).argmax(dim=1).cpu().numpy() + 1
        right += [
            label_of(pictures.seen[index][0].kind) == name for index, name in zip(part, named, strict=True)
        ]
    return 100 * float(np.mean(right))


@torch.inference_mode()
def embed_pictures(
    model: CLIP, pictures: UInt8[np.ndarray, "b h w 3"], device: torch.device
) -> Float[Tensor, "b e"]:
    """Embeddings of whole pictures, length 1."""
    model.eval()
    pixels = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))).to(device)
    return F.normalize(model.encode_image(prepare(pixels, model.visual.image_size)).float(), dim=-1)


@torch.inference_mode()
def embed_texts(model: CLIP, tokens: Int[Tensor, "b t"], device: torch.device) -> Float[Tensor, "b e"]:
    """Embeddings of captions, length 1."""
    model.eval()
    return F.normalize(model.encode_text(tokens.to(device)).float(), dim=-1)
