"""What a layout of data set folders is: patterns of its files, and how splits and files are found by them."""

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from natsort import natsorted

from ovseg_ros.recordings.datasets.dataset import DatasetError, Item
from ovseg_ros.recordings.frame import IMAGE_FORMATS

_USUAL_SPLITS = ("val", "validation", "val2017", "test")

_Found = tuple[dict[str, str], Path]
"""A file or folder, with what the placeholders of its pattern stand for."""


@dataclass(frozen=True)
class Layout:
    """One kind of data set folder.

    In patterns `{name}` is the name of an image, `{split}` that of a split, `{group}` a folder between (a
    city, a sequence).

    Attributes:
        images: where the images are, without suffix; the first pattern that exists counts.
        labels: where the label files are, and the table of `classes/` that says what their values mean, "":
            the folder's own list. The first pattern that exists counts.
        lists: text files that name the images of each split. A folder without them is taken whole, as far as
            its images have labels.
        splits: patterns of names of splits, one of which must be there.
        images_alone: whether the images' folders show the layout without labels.
        places: patterns of the sub-folders in which it is looked for too.
    """

    name: str
    images: tuple[str, ...]
    labels: Mapping[str, str]
    lists: str = ""
    splits: tuple[str, ...] = ()
    images_alone: bool = False
    places: tuple[str, ...] = ()

    @property
    def looked_for(self) -> str:
        """What makes a folder one, in words."""
        return f"{' or '.join(self.images)} with {' or '.join(self.labels)}"

    def root(self, folder: Path) -> Path | None:
        """The dataset's own folder at or below a given one, None where it is not there. Raises DatasetError
        where there are several."""
        places = [folder, *(path for place in self.places for path in folder.glob(place))]
        found = [root for root in places if self._fits(root)]
        if len(found) > 1 and found[0] != folder:
            names = ", ".join(str(root.relative_to(folder)) for root in natsorted(found))
            raise DatasetError(f"{folder} holds several datasets; name one of {names}")
        return found[0] if found else None

    def choose_split(self, root: Path, split: str) -> str | None:
        """The split of a dataset to read: the named one (`val` means `validation` and `val2017` too), else
        that for validation, else the first. Raises DatasetError where there is none of that name."""
        splits = self._splits(root)
        if not split:
            return next((name for name in _USUAL_SPLITS if name in splits), splits[0] if splits else None)
        matching = [name for name in splits if name == split] or [n for n in splits if n.startswith(split)]
        if len(matching) != 1:
            there = f"it has {', '.join(splits)}" if splits else "this layout has no splits"
            raise DatasetError(f"{root} has no split {split!r}; {there}")
        return matching[0]

    def items(self, root: Path, split: str | None) -> tuple[list[Item], str]:
        """The images of a split with their label files, in natural order of name (2 before 10) or in that of
        the split's list; and the pattern of the label files, "" where there are none. Raises DatasetError."""
        pattern = next((p for p in self.images if _any(root, _folder(p), split)), self.images[0])
        found = [
            (fields, path) for fields, path in _found(root, pattern + ".{suffix}", split) if _is_image(path)
        ]
        if not found:
            raise DatasetError(f"{root / _folder(pattern).format(split=split)} holds no .jpg or .png file")
        labels = next((p for p in self.labels if _any(root, p, split)), "")
        items = []
        for fields, image in natsorted(found, key=lambda entry: str(entry[1])):
            file = root / labels.format(**fields, split=split)
            items.append(Item(fields["name"], image, file if file.is_file() else None))
        if not self.lists:
            return items, labels
        if split is None:
            return [item for item in items if item.labels], labels
        by_name = {item.name: item for item in items}
        listing = self.lists.format(split=split)
        names = (root / listing).read_text(encoding="utf-8").split()
        if missing := next((name for name in names if name not in by_name), None):
            raise DatasetError(f"{root / pattern.format(name=missing)}.jpg is missing; {listing} names it")
        return [by_name[name] for name in names], labels

    def _splits(self, root: Path) -> list[str]:
        """The names of the splits in natural order; none where the layout or the folder has none."""
        if self.lists:
            return natsorted(fields["split"] for fields, _ in _found(root, self.lists))
        pattern = next((p for p in self.images if _any(root, _folder(p))), self.images[0])
        names = {fields["split"] for fields, _ in _found(root, _folder(pattern)) if "split" in fields}
        if pattern.startswith("{split}"):  # any folder would be one
            names = {name for name in names if any(_any(root, _folder(p), name) for p in self.labels)}
        return natsorted(names)

    def _fits(self, root: Path) -> bool:
        if self.splits and not any(fnmatch(name, p) for name in self._splits(root) for p in self.splits):
            return False
        images = [path for p in self.images for _, path in _found(root, _folder(p)) if _holds_images(path)]
        return bool(images) and (self.images_alone or any(_any(root, _folder(p)) for p in self.labels))


def _found(root: Path, pattern: str, split: str | None = None) -> Iterator[_Found]:
    """The files and folders of a pattern, those of one split where it is given."""
    wildcard, expression = "", ""
    for text, field in re.findall(r"([^{]*)(?:\{(\w+)\})?", pattern):
        known = text + (split if field == "split" and split else "")
        wildcard += glob.escape(known)
        expression += re.escape(known)
        if field and known == text:
            wildcard += "*"
            expression += f"(?P<{field}>[^/]+)"
    for path in root.glob(wildcard):
        if match := re.fullmatch(expression, path.relative_to(root).as_posix()):
            yield match.groupdict(), path


def _any(root: Path, pattern: str, split: str | None = None) -> bool:
    return next(_found(root, pattern, split), None) is not None


def _folder(pattern: str) -> str:
    return pattern.rpartition("/")[0]


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_FORMATS and not path.name.startswith(".")


def _holds_images(folder: Path) -> bool:
    """Whether it is a folder that does not only hold other folders."""
    return folder.is_dir() and (
        any(map(_is_image, folder.iterdir())) or not any(p.is_dir() for p in folder.iterdir())
    )
