"""Batches for training, each a function of the seed and its number: a resumed run sees the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import open_clip
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from training.caption import Caption, Meaning, Seen, facts, write_caption
from training.dataset import Pictures
from training.tiny_clip import tokenizer


@dataclass(frozen=True)
class TrainingBatch:
    """Pictures, their captions, and which caption is true of which picture.

    Attributes:
        pictures: RGB.
        tokens: of the captions, one for each picture.
        true: whether caption j (column) is true of picture i (row).
    """

    pictures: UInt8[Tensor, "b 3 h w"]
    tokens: Int[Tensor, "b t"]
    true: Bool[Tensor, "b b"]

    def to(self, device: torch.device) -> "TrainingBatch":
        """The batch on a device."""
        return TrainingBatch(
            *(t.to(device, non_blocking=True) for t in (self.pictures, self.tokens, self.true))
        )


def which_are_true(captions: Sequence[Caption], seen: Sequence[Sequence[Seen]]) -> Bool[Tensor, "p c"]:
    """Whether caption j is true of the picture that shows `seen[i]`."""
    known = [facts(entry) for entry in seen]
    columns: dict[Meaning, list[bool]] = {}
    for caption in captions:
        if caption.meaning not in columns:
            columns[caption.meaning] = [caption.meaning <= entry for entry in known]
    return torch.tensor([columns[caption.meaning] for caption in captions]).T


def merge(parts: Sequence[Sequence[Seen]]) -> list[Seen]:
    """What a mosaic of equally large parts shows, the largest first."""
    shares: dict[tuple[str, str | None], float] = {}
    for part in parts:
        for entry in part:
            key = (entry.kind, entry.adjective)
            shares[key] = shares.get(key, 0.0) + entry.share / len(parts)
    return sorted((Seen(*key, share) for key, share in shares.items()), key=lambda entry: -entry.share)


class BatchMaker(Dataset[TrainingBatch]):
    """The batch of a number: its pictures come from the permutation of its epoch, its captions, mirrorings
    and brightness from a generator of its own.

    Args:
        pictures: to choose from.
        size: pictures in a batch.
        seed: of order and captions.
        mosaics: share of batches whose pictures are each put together of four of the batch, 2 x 2: there the
            model sees as many patches and things as in a frame, and no more has to be rendered or decoded.
    """

    def __init__(self, pictures: Pictures, size: int, seed: int, mosaics: float = 0.0) -> None:
        if len(pictures) < size:
            raise ValueError(f"{len(pictures)} pictures are fewer than one batch of {size}")
        self._pictures = pictures
        self._size = size
        self._seed = seed
        self._mosaics = mosaics
        self._per_epoch = len(pictures) // size
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))
        self._tokenize: open_clip.SimpleTokenizer = tokenizer()

    def __getitem__(self, number: int) -> TrainingBatch:
        epoch, place = divmod(number, self._per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._pictures))
            self._order = (epoch, order)
        chosen = self._order[1][place * self._size : (place + 1) * self._size]
        rng = np.random.default_rng([self._seed, number, 1])
        pictures = np.stack([_vary(self._pictures.decode(index), rng) for index in chosen])
        seen = [self._pictures.seen[index] for index in chosen]
        if rng.random() < self._mosaics:
            pictures, seen = _mosaics(pictures, seen, rng)
        captions = [write_caption(entry, rng) for entry in seen]
        return TrainingBatch(
            torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))),
            self._tokenize([caption.text for caption in captions]),
            which_are_true(captions, seen),
        )


def _mosaics(
    pictures: np.ndarray, seen: Sequence[list[Seen]], rng: np.random.Generator
) -> tuple[np.ndarray, list[list[Seen]]]:
    """As many mosaics as there are pictures, each picture in four of them, once at each corner."""
    corners = [np.arange(len(pictures)), *(rng.permutation(len(pictures)) for _ in range(3))]
    above = np.concatenate([pictures[corners[0]], pictures[corners[1]]], axis=2)
    below = np.concatenate([pictures[corners[2]], pictures[corners[3]]], axis=2)
    return np.concatenate([above, below], axis=1), [
        merge([seen[index] for index in four]) for four in zip(*corners, strict=True)
    ]


def _vary(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, and change the light a little: not so much that a colour needs another word."""
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    # By table rather than by OpenCV, whose threads do not outlive the fork of a worker.
    levels = np.arange(256) * rng.uniform(0.85, 1.15) + rng.uniform(-12, 12)
    return np.clip(levels, 0, 255).astype(np.uint8)[picture]


class _Numbers(Sampler[int]):
    def __init__(self, first: int, last: int) -> None:
        self._range = range(first, last)

    def __iter__(self) -> Iterator[int]:
        return iter(self._range)

    def __len__(self) -> int:
        return len(self._range)


def batches(maker: BatchMaker, first: int, last: int, workers: int) -> DataLoader[TrainingBatch]:
    """Batches `first` to `last - 1`, prepared by `workers` processes (0: by this one)."""
    return DataLoader(
        maker,
        batch_size=None,
        sampler=_Numbers(first, last),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        # Its own, since it would draw from the generator of the training otherwise: a run that goes on
        # makes a loader more than one that does not.
        generator=torch.Generator(),
    )
