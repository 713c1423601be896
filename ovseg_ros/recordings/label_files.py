"""Label images as PNG files: reading a folder of them, and writing one."""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.label_map import LabelMap, read_class_list, read_values
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyBuilder, VocabularyError

CLASSES_FILE = "classes.json"
CONFIDENCE_FOLDER = "confidence"
_NAMES_FILE = "classes.txt"
_OWN_NAME = re.compile(r"\d{6,}_\d+\.png")


class LabelFileError(OvsegError):
    """Label files that cannot be read."""


class LabelFolder:
    """A folder of single-channel PNG files whose names end in the frame's stamp (`1700000000.png` or
    `000001_1700000000.png`, nanoseconds).

    The folder also says what the values mean: in `classes.json` as `LabelWriter` writes it, or `classes.txt`,
    whose line n (from 0) names the value n (it becomes the id n + 1); else in `label_map`. 255 is void.
    Raises LabelFileError.

    Attributes:
        names: by the ids that `read` gives.
    """

    def __init__(self, path: Path, label_map: LabelMap | None = None) -> None:
        self.path = path
        self._files = {_stamp(file): file for file in sorted(path.glob("*.png"))}
        self._files.pop(None, None)
        if not self._files:
            raise LabelFileError(
                f"{path} has no label image; expected PNG files whose names end in the stamp of their frame "
                "in nanoseconds, such as 000001_1700000000.png"
            )
        self._map = label_map or _map_of(path)
        self.names = self._map.names

    def find(self, stamp_ns: int) -> Path | None:
        """The file of a frame, None where it has none."""
        return self._files.get(stamp_ns)

    def reader(self, stamp_ns: int) -> Callable[[], UInt8[np.ndarray, "H W"]] | None:
        """Reads the ids of a frame as `read` does; None where it has no file."""
        file = self.find(stamp_ns)
        return None if file is None else partial(self.read, file)

    def read(self, file: Path) -> UInt8[np.ndarray, "H W"]:
        """The ids of a file. Raises LabelFileError."""
        try:
            return self._map.apply(read_values(file))
        except ValueError as error:
            raise LabelFileError(f"{file} {error}") from error

    def confidence(self, file: Path) -> UInt8[np.ndarray, "H W"] | None:
        """The confidence (0..255) that was written with a file, None where there is none."""
        beside = self.path / CONFIDENCE_FOLDER / file.name
        return read_values(beside) if beside.exists() else None

    def vocabulary(self) -> Vocabulary | None:
        """The vocabulary that `classes.json` holds, None where there is no such file."""
        file = self.path / CLASSES_FILE
        return _vocabulary(file) if file.exists() else None


class LabelWriter:
    """Writes a label image a frame, `<number>_<stamp>.png`, its confidence below `confidence/`, and
    `classes.json`, which says what the ids mean. Files of an earlier run are deleted. Raises OSError."""

    def __init__(self, folder: Path, vocabulary: Vocabulary) -> None:
        self._folder = folder
        (folder / CONFIDENCE_FOLDER).mkdir(parents=True, exist_ok=True)
        for place in (folder, folder / CONFIDENCE_FOLDER):
            for file in place.glob("*.png"):
                if _OWN_NAME.fullmatch(file.name):
                    file.unlink()
        write_classes(folder / CLASSES_FILE, vocabulary)

    def write(
        self,
        number: int,
        stamp_ns: int,
        labels: UInt8[np.ndarray, "H W"],
        confidence: UInt8[np.ndarray, "H W"] | None,
    ) -> None:
        """Write one frame."""
        name = f"{number:06d}_{stamp_ns}.png"
        _write_grey(self._folder / name, labels)
        if confidence is not None:
            _write_grey(self._folder / CONFIDENCE_FOLDER / name, confidence)


def _write_grey(path: Path, pixels: np.ndarray) -> None:
    path.write_bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())


def _stamp(file: Path) -> int | None:
    digits = file.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else None


def _map_of(folder: Path) -> LabelMap:
    if (folder / CLASSES_FILE).exists():
        classes = _vocabulary(folder / CLASSES_FILE).classes
        return LabelMap.from_names({entry.id: entry.name for entry in classes})
    if (folder / _NAMES_FILE).exists():
        return LabelMap.numbered(read_class_list(folder / _NAMES_FILE))
    raise LabelFileError(
        f"{folder} does not say what its values mean; expected {CLASSES_FILE} (as --write-labels writes it) "
        f"or {_NAMES_FILE} (a name a line) in it, or a mapping file"
    )


def write_classes(path: Path, vocabulary: Vocabulary) -> None:
    """Write what the ids in label images mean, as JSON: the whole vocabulary. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: Mapping[str, Any] = {
        "classes": [
            {"id": entry.id, "name": entry.name, "synonyms": entry.synonyms, "color": entry.color}
            | ({} if entry.threshold is None else {"threshold": entry.threshold})
            | ({} if entry.cost is None else {"cost": entry.cost})
            for entry in vocabulary.classes
        ],
        "background": {"id": BACKGROUND_ID, "prompts": vocabulary.background}
        | ({"cost": vocabulary.default_cost} if vocabulary.default_cost else {}),
        "unlabelled": {"id": UNLABELLED_ID, "threshold": vocabulary.threshold},
    }
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _vocabulary(path: Path) -> Vocabulary:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classes, background = content["classes"], content["background"]
        return VocabularyBuilder().build(
            ["; ".join([entry["name"], *entry["synonyms"]]) for entry in classes],
            [entry["id"] for entry in classes],
            background["prompts"],
            content["unlabelled"]["threshold"],
            thresholds={entry["name"]: entry["threshold"] for entry in classes if "threshold" in entry},
            costs={entry["name"]: entry["cost"] for entry in classes if "cost" in entry},
            default_cost=background.get("cost", 0),
        )
    except (OSError, ValueError, KeyError, TypeError, VocabularyError) as error:
        raise LabelFileError(
            f"{path} cannot be read ({error}); expected the {CLASSES_FILE} that --write-labels writes"
        ) from error
