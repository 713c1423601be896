"""Data set folders: their images, their label files as ids, and what a layout of such folders is.

In label images class n of a data set, counted from 0, has the id n + 1; void is 255.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import yaml
from natsort import natsorted
from PIL import Image

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import decode_compressed
from ovseg_ros.vocabulary import UNLABELLED_ID

IMAGE_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}
"""The suffixes of image files, and their format in a CompressedImage."""

_USUAL_SPLITS = ("val", "validation", "val2017", "test")
_UNKNOWN = 256

LabelReader = Callable[[Path], np.ndarray]
"""Reads a label file as ids uint8 [H, W]. Raises DatasetError."""


class DatasetError(OvsegError):
    """A dataset folder that is not laid out as expected."""


@dataclass(frozen=True)
class Item:
    """One image of a dataset with its label file, None where it has none; `name` is unique there."""

    name: str
    image: Path
    labels: Path | None


@dataclass(frozen=True)
class Dataset:
    """The images of a data set folder (of one split of it, where it has splits) in order.

    Only a data set with `classes` has label files; `read_label_file` reads them.
    """

    folder: Path
    layout: str
    split: str | None
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    read_label_file: LabelReader

    @property
    def label_names(self) -> dict[int, str]:
        """The names of the classes by id."""
        return dict(enumerate(self.classes, start=1))

    def read_image(self, item: Item) -> np.ndarray:
        """An image, uint8 [H, W, 3] RGB. Raises DatasetError."""
        kind, data = self.encoded(item)
        try:
            return decode_compressed(SimpleNamespace(format=kind, data=data))
        except OvsegError as error:
            raise DatasetError(f"{item.image} cannot be read as an image: {error}") from error

    def encoded(self, item: Item) -> tuple[str, np.ndarray]:
        """The format of an image file and its bytes, as a CompressedImage holds them. Raises DatasetError."""
        try:
            return IMAGE_FORMATS[item.image.suffix.lower()], np.fromfile(item.image, np.uint8)
        except OSError as error:
            raise DatasetError(f"{item.image} cannot be read as an image: {error}") from error

    def read_labels(self, item: Item) -> np.ndarray | None:
        """Ids uint8 [H, W]; None where the image has no labels. Raises DatasetError."""
        return None if item.labels is None else self.read_label_file(item.labels)


Contents = tuple[Sequence[Item], Sequence[str], LabelReader]
"""Images in order, the names of the classes, and how to read label files."""


@dataclass(frozen=True)
class Layout:
    """One kind of dataset folder.

    `looked_for` says in words what makes a folder one, `fits` whether a folder is one; `places` are patterns
    of the sub-folders in which it is looked for too. `splits` lists the splits of one, empty where it has
    none; `load` reads a split and may raise DatasetError.
    """

    name: str
    looked_for: str
    places: tuple[str, ...]
    fits: Callable[[Path], bool]
    splits: Callable[[Path], list[str]]
    load: Callable[[Path, str | None], Contents]

    def root(self, folder: Path) -> Path | None:
        """The dataset's own folder at or below a given one, None where it is not there. Raises DatasetError
        where there are several."""
        places = [folder, *(path for place in self.places for path in folder.glob(place))]
        found = [root for root in places if self.fits(root)]
        if len(found) > 1 and found[0] != folder:
            names = ", ".join(str(root.relative_to(folder)) for root in natsorted(found))
            raise DatasetError(f"{folder} holds several datasets; name one of {names}")
        return found[0] if found else None


def choose_split(layout: Layout, root: Path, split: str) -> str | None:
    """The split of a dataset to read: the named one (`val` means `validation` and `val2017` too), else that
    for validation, else the first. Raises DatasetError where there is none of that name."""
    splits = layout.splits(root)
    if not split:
        return next((name for name in _USUAL_SPLITS if name in splits), splits[0] if splits else None)
    matching = [name for name in splits if name == split] or [n for n in splits if n.startswith(split)]
    if len(matching) != 1:
        there = f"it has {', '.join(splits)}" if splits else "this layout has no splits"
        raise DatasetError(f"{root} has no split {split!r}; {there}")
    return matching[0]


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder in natural order of name (2 before 10). Raises DatasetError."""
    images = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_FORMATS] if folder.is_dir() else []
    if not images:
        raise DatasetError(f"{folder} holds no .jpg or .png file")
    return natsorted(images, key=lambda path: path.name)


def indexed(table: str, *, void: Iterable[int] = (UNLABELLED_ID,)) -> tuple[list[str], LabelReader]:
    """The classes of a shipped table `value: class`, and the reader of label files with its values."""
    classes = class_table(table)
    reader = partial(read_index_labels, values=list(classes), void=set(void) - set(classes))
    return list(classes.values()), reader


def paired(images: Iterable[Path], folder: Path, ending: str = ".png") -> list[Item]:
    """Items of images with the files of the same name and this ending in a folder, where these exist."""
    pairs = [(image, folder / f"{image.stem}{ending}") for image in images]
    return [Item(image.stem, image, labels if labels.is_file() else None) for image, labels in pairs]


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in natural order; none where it does not exist."""
    return natsorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def class_table(name: str) -> dict[Any, Any]:
    """A shipped table in the order of the classes: `value: class`, or `class: colour` (RGB)."""
    file = Path(__file__).parent / "classes" / f"{name}.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def read_index_labels(
    path: Path, values: Sequence[int], void: Collection[int] = (UNLABELLED_ID,)
) -> np.ndarray:
    """Ids uint8 [H, W] of a single-channel 8-bit file, grey or palette, whose values stand for classes.

    `values` holds the value of class 0, 1, 2 and so on; `void` the values that are of no class. Raises
    DatasetError, for every other value too.
    """
    picture = _open(path)
    if picture.mode not in ("L", "P"):
        raise DatasetError(
            f"{path} has pixels of kind {picture.mode}; expected one 8-bit channel (grey or palette)"
        )
    table = np.full(256, _UNKNOWN, np.uint16)
    table[list(void)] = UNLABELLED_ID
    table[list(values)] = np.arange(1, len(values) + 1)
    pixels = np.array(picture, np.uint8)
    ids = table[pixels]
    if (unknown := ids == _UNKNOWN).any():
        raise DatasetError(
            f"{path} has the value {int(pixels[unknown][0])}, which is of no class; the "
            f"{len(values)} classes have {_ranges(values)}, void has {_ranges(void)}"
        )
    return ids.astype(np.uint8)


def read_color_labels(
    path: Path, colors: Sequence[Sequence[int]], void: Sequence[int] = (0, 0, 0)
) -> np.ndarray:
    """Ids uint8 [H, W] of an RGB file whose colours stand for classes: `colors` of class 0, 1, 2 and so on,
    `void` for none. Raises DatasetError, for every other colour too."""
    pixels = np.array(_open(path).convert("RGB"))
    ids_of = {int(_codes(color)): number for number, color in enumerate(colors, start=1)}
    ids_of[int(_codes(void))] = UNLABELLED_ID
    known, ids = (np.array(column) for column in zip(*sorted(ids_of.items()), strict=True))
    found = _codes(pixels)
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    if (unknown := known[places] != found).any():
        color = ", ".join(map(str, pixels[unknown][0]))
        raise DatasetError(f"{path} has the colour ({color}), which is of none of its classes")
    return ids[places].astype(np.uint8)


def _codes(colors: np.ndarray | Sequence[int]) -> np.ndarray:
    """Each colour of [..., 3] as one number, int64 [...]."""
    codes: np.ndarray = np.asarray(colors, np.int64) @ np.array([65536, 256, 1])
    return codes


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{path} cannot be read as an image: {error}") from error


def _ranges(values: Collection[int]) -> str:
    """Numbers as ranges: 0 to 10, 255."""
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][-1] + 1:
            ranges[-1][1:] = [value]
        else:
            ranges.append([value])
    return ", ".join(" to ".join(map(str, part)) for part in ranges)
