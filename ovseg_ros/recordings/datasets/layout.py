"""What a layout of dataset folders is, and what the layouts have in common."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from natsort import natsorted

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
class Contents:
    """What a folder holds: its images in order, the names of the classes, and how to read label files."""

    items: Sequence[Item]
    classes: Sequence[str]
    reader: LabelReader


@dataclass(frozen=True)
class Layout:
    """One kind of dataset folder.

    `looked_for` says in words what makes a folder one; `root` finds the dataset's own folder at or below a
    given one, None where it is not there; `splits` lists its parts, empty where it has none; `load` reads one
    part of it. Both may raise DatasetError.
    """

    name: str
    looked_for: str
    root: Callable[[Path], Path | None]
    splits: Callable[[Path], list[str]]
    load: Callable[[Path, str | None], Contents]


def choose_split(layout: Layout, root: Path, split: str | None) -> str | None:
    """The part of a dataset to read: the named one (`val` means `validation` and `val2017` too), else the
    validation part, else the first. Raises DatasetError where there is none of that name."""
    splits = layout.splits(root)
    if split is None:
        return next((name for name in _USUAL_SPLITS if name in splits), splits[0] if splits else None)
    matching = [name for name in splits if name == split] or [n for n in splits if n.startswith(split)]
    if len(matching) != 1:
        there = f"it has {', '.join(splits)}" if splits else "this layout has no parts"
        raise DatasetError(f"{root} has no part {split!r}; {there}")
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


def below(*places: str) -> Callable[[Path, Callable[[Path], bool]], Path | None]:
    """Looks for a dataset in a folder itself and in sub-folders of the usual names (patterns)."""

    def find(folder: Path, fits: Callable[[Path], bool]) -> Path | None:
        found = [
            root for root in [folder, *(p for place in places for p in folder.glob(place))] if fits(root)
        ]
        if len(found) > 1 and found[0] != folder:
            names = ", ".join(str(root.relative_to(folder)) for root in natsorted(found))
            raise DatasetError(f"{folder} holds several datasets; name one of {names}")
        return found[0] if found else None

    return find


def paired(images: Iterable[Path], labels_of: Callable[[Path], Path]) -> list[Item]:
    """Items of images with the label files beside them, where these exist."""
    pairs = [(image, labels_of(image)) for image in images]
    return [Item(image.stem, image, labels if labels.is_file() else None) for image, labels in pairs]


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in natural order; none where it does not exist."""
    return natsorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
