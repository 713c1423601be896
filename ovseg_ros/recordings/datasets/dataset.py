"""What a data set folder and a layout of such folders is, and what the layouts have in common."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from natsort import natsorted

from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import decode_compressed
from ovseg_ros.recordings.datasets.labels import DatasetError, IndexLabels, LabelReader, class_table
from ovseg_ros.vocabulary import UNLABELLED_ID

IMAGE_FORMATS = {".jpg": "jpeg", ".jpeg": "jpeg", ".png": "png"}
"""The suffixes of image files, and their format in a CompressedImage."""

_USUAL_SPLITS = ("val", "validation", "val2017", "test")


@dataclass(frozen=True)
class Item:
    """One image of a dataset with its label file, None where it has none; `name` is unique there."""

    name: str
    image: Path
    labels: Path | None


@dataclass(frozen=True)
class Dataset:
    """The images of a data set folder (of one split of it, where it has splits) in order.

    Class n of `classes`, counted from 0, has the id n + 1 in label images; 255 is void.
    """

    folder: Path
    layout: str
    split: str | None
    classes: tuple[str, ...]
    items: tuple[Item, ...]
    labels: LabelReader

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
        return None if item.labels is None or not self.classes else self.labels.read(item.labels)


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


def choose_split(layout: Layout, root: Path, split: str | None) -> str | None:
    """The split of a dataset to read: the named one (`val` means `validation` and `val2017` too), else that
    for validation, else the first. Raises DatasetError where there is none of that name."""
    splits = layout.splits(root)
    if split is None:
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


def indexed(table: str, *, void: Iterable[int] = (UNLABELLED_ID,)) -> tuple[list[str], IndexLabels]:
    """The classes of a shipped table, and the reader of label files with its values."""
    classes = class_table(table)
    return list(classes.values()), IndexLabels(list(classes), frozenset(void) - set(classes))


def paired(images: Iterable[Path], folder: Path, ending: str = ".png") -> list[Item]:
    """Items of images with the files of the same name and this ending in a folder, where these exist."""
    pairs = [(image, folder / f"{image.stem}{ending}") for image in images]
    return [Item(image.stem, image, labels if labels.is_file() else None) for image, labels in pairs]


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in natural order; none where it does not exist."""
    return natsorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
