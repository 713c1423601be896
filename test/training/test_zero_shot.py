"""Retrieval and naming of models whose answers are known."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from training.caption import Seen
from training.catalogue import KINDS
from training.dataset import PICTURE_SIDE, Pictures
from training.zero_shot import measure

CPU = torch.device("cpu")
NAMES = [kind.name for kind in KINDS if not kind.synonyms][:12]


class Oracle:
    """Sees the number that a picture's brightness stands for, and reads the number of its kind's word."""

    visual = SimpleNamespace(image_size=(PICTURE_SIDE, PICTURE_SIDE))

    def eval(self) -> "Oracle":
        return self

    def encode_image(self, pixels: Tensor) -> Tensor:
        level = pixels[:, 0].mean(dim=(1, 2))
        levels = torch.tensor([(20.0 * n - 0.48145466 * 255) / (0.26862954 * 255) for n in range(len(NAMES))])
        return torch.eye(len(NAMES))[(level[:, None] - levels).abs().argmin(dim=1)]

    def encode_text(self, tokens: Tensor) -> Tensor:
        known = torch.cat([torch.eye(len(NAMES)), torch.zeros(1, len(NAMES))])
        return known[tokens[:, 0]]


def read(texts: list[str]) -> Tensor:
    """The number of the kind that a text names."""
    return torch.tensor([[next((i for i, n in enumerate(NAMES) if n in text), len(NAMES))] for text in texts])


def never(texts: list[str]) -> Tensor:
    """The number after the right one."""
    return (read(texts) + 1) % len(NAMES)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Any:
    def decode(self: Pictures, index: int) -> np.ndarray:
        return np.full((PICTURE_SIDE, PICTURE_SIDE, 3), 20 * (index % len(NAMES)), np.uint8)

    monkeypatch.setattr(Pictures, "decode", decode)
    return Pictures([np.zeros(1)] * 300, [[Seen(NAMES[i % len(NAMES)], None, 0.9)] for i in range(300)])


def test_one_who_knows_gets_all(pictures: Pictures) -> None:
    figures = measure(Oracle(), read, pictures, CPU)
    assert (figures.retrieval, figures.retrieval_5, figures.naming) == (100, 100, 100)


def test_one_who_is_always_wrong_gets_none(pictures: Pictures) -> None:
    figures = measure(Oracle(), never, pictures, CPU)
    assert (figures.retrieval, figures.retrieval_5, figures.naming) == (0, 0, 0)


def test_a_gallery_needs_enough_pictures() -> None:
    with pytest.raises(ValueError, match="fewer than the gallery of 256"):
        measure(Oracle(), read, Pictures([], []), CPU)
