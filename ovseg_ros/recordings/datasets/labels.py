"""Label files of datasets as ids: class n, counted from 0, becomes n + 1; void is 255."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml
from PIL import Image

from ovseg_ros.errors import OvsegError
from ovseg_ros.vocabulary import UNLABELLED_ID

_UNKNOWN = 256


class DatasetError(OvsegError):
    """A dataset folder that is not laid out as expected."""


class LabelReader(Protocol):
    """Reads the label files of one dataset."""

    def read(self, path: Path) -> np.ndarray:
        """Ids uint8 [H, W]. Raises DatasetError."""


@dataclass(frozen=True)
class IndexLabels:
    """Single-channel 8-bit files, grey or palette, whose values stand for classes.

    `values` holds the value of class 0, 1, 2 and so on; `void` the values that are of no class. Every other
    value is an error.
    """

    values: Sequence[int]
    void: frozenset[int] = frozenset({UNLABELLED_ID})

    def read(self, path: Path) -> np.ndarray:
        """Ids uint8 [H, W]. Raises DatasetError."""
        picture = _open(path)
        if picture.mode not in ("L", "P"):
            raise DatasetError(
                f"{path} has pixels of kind {picture.mode}; expected one 8-bit channel (grey or palette)"
            )
        table = np.full(256, _UNKNOWN, np.uint16)
        table[list(self.void)] = UNLABELLED_ID
        table[list(self.values)] = np.arange(1, len(self.values) + 1)
        pixels = np.array(picture, np.uint8)
        ids = table[pixels]
        if (unknown := ids == _UNKNOWN).any():
            raise DatasetError(
                f"{path} has the value {int(pixels[unknown][0])}, which is of no class; the "
                f"{len(self.values)} classes have {_ranges(self.values)}, void has {_ranges(self.void)}"
            )
        return ids.astype(np.uint8)


@dataclass(frozen=True)
class ColorLabels:
    """RGB files whose colours stand for classes: `colors` of class 0, 1, 2 and so on; `void` is one more."""

    colors: Sequence[tuple[int, int, int]]
    void: tuple[int, int, int] = (0, 0, 0)

    def read(self, path: Path) -> np.ndarray:
        """Ids uint8 [H, W]. Raises DatasetError."""
        pixels = np.array(_open(path).convert("RGB"))
        ids_of = {_code(np.array(color)): number for number, color in enumerate(self.colors, start=1)}
        ids_of[_code(np.array(self.void))] = UNLABELLED_ID
        codes, ids = (np.array(column) for column in zip(*sorted(ids_of.items()), strict=True))
        found = _codes(pixels)
        places = np.minimum(np.searchsorted(codes, found), len(codes) - 1)
        if (unknown := codes[places] != found).any():
            color = ", ".join(map(str, pixels[unknown][0]))
            raise DatasetError(f"{path} has the colour ({color}), which is of none of its classes")
        return ids[places].astype(np.uint8)


def class_table(name: str) -> Mapping[int, str]:
    """A shipped table `value: class`, in the order of the classes."""
    return yaml.safe_load(_table(name))


def color_table(name: str) -> Mapping[str, tuple[int, int, int]]:
    """A shipped table `class: colour`, RGB, in the order of the classes."""
    return {key: (color[0], color[1], color[2]) for key, color in yaml.safe_load(_table(name)).items()}


def _table(name: str) -> str:
    return (Path(__file__).parent / "classes" / f"{name}.yaml").read_text(encoding="utf-8")


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error


def _codes(pixels: np.ndarray) -> np.ndarray:
    """A number for each colour of uint8 [..., 3]."""
    red, green, blue = (pixels[..., channel].astype(np.int64) for channel in range(3))
    return red * 65536 + green * 256 + blue


def _code(color: np.ndarray) -> int:
    return int(_codes(color))


def _ranges(values: Sequence[int] | frozenset[int]) -> str:
    """Numbers as ranges: 0 to 10, 255."""
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][-1] + 1:
            ranges[-1][1:] = [value]
        else:
            ranges.append([value])
    return ", ".join(" to ".join(map(str, part)) for part in ranges)
