"""Data set folders: their images, and their label files as ids.

In label images class n of a data set, counted from 0, has the id n + 1; void is 255.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.errors import OvsegError


class DatasetError(OvsegError):
    """A dataset folder that is not laid out as expected."""


@dataclass(frozen=True)
class Item:
    """One image of a dataset with its label file, None where it has none; `name` is unique there."""

    name: str
    image: Path
    labels: Path | None


@dataclass(frozen=True)
class Legend:
    """What labels mean: the names of the classes by id, and the reader of label files as ids uint8 [H, W],
    which raises ValueError, its text to follow the file's name."""

    names: Mapping[int, str]
    read: Callable[[Path], UInt8[np.ndarray, "H W"]]


@dataclass(frozen=True)
class Dataset:
    """The images of a data set folder (of one split of it, where it has splits) in order, and what its label
    files mean."""

    folder: Path
    layout: str
    split: str | None
    items: tuple[Item, ...]
    legend: Legend

    def read_labels(self, item: Item) -> UInt8[np.ndarray, "H W"]:
        """The ids of an image with labels. Raises DatasetError."""
        if item.labels is None:
            raise DatasetError(f"{item.image} has no label file")
        try:
            return self.legend.read(item.labels)
        except ValueError as error:
            raise DatasetError(f"{item.labels} {error}") from error
