"""Legends of data sets: shipped tables and lists of classes, of values and of colours."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from jaxtyping import UInt8
from PIL import Image

from ovseg_ros.recordings.datasets.dataset import DatasetError, Legend
from ovseg_ros.recordings.label_map import LabelMap, read_class_list, read_values
from ovseg_ros.vocabulary import UNLABELLED_ID

_TRAIN_IDS = "_train_ids"
"""Tables in whose label files the classes are numbered from 0 without gaps."""


def shipped_table(name: str) -> dict[Any, Any]:
    """A table in `classes/`: `value: class`, None for void, or `class: [R, G, B]`."""
    file = Path(__file__).parent / "classes" / f"{name.removesuffix(_TRAIN_IDS)}.yaml"
    table = dict(yaml.safe_load(file.read_text(encoding="utf-8")))
    return dict(enumerate(filter(None, table.values()))) if name.endswith(_TRAIN_IDS) else table


def shipped_legend(name: str) -> Legend:
    """The legend of a table in `classes/`."""
    table = shipped_table(name)
    return color_legend(table) if isinstance(next(iter(table)), str) else index_legend(table)


def own_legend(folder: Path, *, labelled: bool) -> Legend:
    """The legend of a folder whose classes.txt has a class a line; an empty one for a folder without labels.

    Raises DatasetError, LabelMapError.
    """
    if not labelled:
        return index_legend({})
    file = folder / "classes.txt"
    if not file.is_file():
        raise DatasetError(f"{folder} has labels/ but no classes.txt; expected a class name a line")
    return index_legend(read_class_list(file))


def index_legend(names: Mapping[int, str | None]) -> Legend:
    """The legend of label files whose values stand for classes; None marks void."""
    label_map = LabelMap.numbered(names)
    return Legend(label_map.names, lambda path: label_map.apply(read_values(path)))


def color_legend(colors: Mapping[str, Sequence[int]]) -> Legend:
    """The legend of label files whose colours (RGB) stand for classes; black is void."""
    return Legend(dict(enumerate(colors, start=1)), partial(_read_colors, colors=list(colors.values())))


def _read_colors(path: Path, colors: Sequence[Sequence[int]]) -> UInt8[np.ndarray, "H W"]:
    try:
        with Image.open(path) as picture:
            pixels = np.array(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"cannot be read as an image: {error}") from error
    ids_of = {int(_codes(color)): number for number, color in enumerate(colors, start=1)}
    ids_of[0] = UNLABELLED_ID
    known, ids = (np.array(column) for column in zip(*sorted(ids_of.items()), strict=True))
    found = _codes(pixels)
    places = np.minimum(np.searchsorted(known, found), len(known) - 1)
    if (unknown := known[places] != found).any():
        color = ", ".join(map(str, pixels[unknown][0]))
        raise ValueError(f"has the colour ({color}), which is of none of its classes")
    return ids[places].astype(np.uint8)


def _codes(colors: np.ndarray | Sequence[int]) -> np.ndarray:
    """Each colour of [..., 3] as one number, int64 [...]."""
    codes: np.ndarray = np.asarray(colors, np.int64) @ np.array([65536, 256, 1])
    return codes
