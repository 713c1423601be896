"""The ids of label images: which recorded number is which class, and what counts as void."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from PIL import Image

from ovseg_ros.errors import OvsegError
from ovseg_ros.vocabulary import MAX_CLASSES, UNLABELLED_ID

_DTYPES: dict[str, np.dtype] = {
    "mono8": np.dtype(np.uint8),
    "8UC1": np.dtype(np.uint8),
    "mono16": np.dtype(np.uint16),
    "16UC1": np.dtype(np.uint16),
    "16SC1": np.dtype(np.int16),
}
_NO_ID = 256
_VOID_16 = 65535
_PALETTE = 3
"""The colour type of a PNG file whose pixels are indices."""


class LabelMapError(OvsegError):
    """A mapping file that cannot be used."""


@dataclass(frozen=True)
class LabelMap:
    """Recorded ids to ids 0..254, and the names of these.

    `names` has the name of each id in decoded label images; `ids` the decoded id of every
    recorded id that has a name, 255 for those that are void. A recorded id without a name is an error where
    the names are `complete`; else it stays what it is where that is 0..254 and no other class has taken the
    number. Always void are 255, negative ids, and 65535 in unsigned 16-bit images.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    ids: Mapping[int, int] = field(default_factory=dict)
    complete: bool = False

    @classmethod
    def from_names(cls, names: Mapping[int, str | None]) -> "LabelMap":
        """A map of recorded ids and their names; None marks an id as void.

        Ids of 0..254 stay; greater ones get free numbers. Ids of one name become one class. Raises
        LabelMapError for an id beyond 16 bits or more classes than 254.
        """
        ids: dict[int, int] = {}
        by_name: dict[str, int] = {}
        taken = {number for number, name in names.items() if name and 0 <= number < UNLABELLED_ID}
        free = iter(number for number in range(1, UNLABELLED_ID) if number not in taken)
        for number, name in sorted(names.items()):
            if not -(2**15) <= number < 2**16:
                raise LabelMapError(f"the label id {number} does not fit into 16 bits")
            if not name or number < 0 or number == UNLABELLED_ID:
                ids[number] = UNLABELLED_ID
                continue
            if name not in by_name:
                own = number if number < UNLABELLED_ID else next(free, None)
                if own is None:
                    raise LabelMapError(f"there are more than {MAX_CLASSES} classes with names")
                by_name[name] = own
            ids[number] = by_name[name]
        return cls({number: name for name, number in by_name.items()}, ids)

    @classmethod
    def numbered(cls, names: Mapping[int, str | None]) -> "LabelMap":
        """A complete map of recorded ids 0..65534 and their names, in whose order the classes get the ids 1,
        2, 3 and so on; None marks an id as void."""
        numbers = {value: number for number, value in enumerate((v for v in names if names[v]), start=1)}
        ids = {value: numbers.get(value, UNLABELLED_ID) for value in names}
        return cls({number: names[value] or "" for value, number in numbers.items()}, ids, complete=True)

    @classmethod
    def read(cls, path: Path | str) -> "LabelMap":
        """A mapping file: YAML or JSON with `id: name` lines; a name of `null` or `~` marks void.

        Raises LabelMapError.
        """
        try:
            content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise LabelMapError(f"{path} cannot be read as a mapping of label ids: {error}") from error
        form = "expected `id: name` lines such as `7: road`, and `0: null` for void"
        if not isinstance(content, dict) or not content:
            raise LabelMapError(f"{path} is no mapping of label ids; {form}")
        names: dict[int, str | None] = {}
        for key, name in content.items():
            # In JSON keys are always strings.
            number = int(key) if isinstance(key, str) and key.lstrip("-").isdigit() else key
            if isinstance(number, bool) or not isinstance(number, int):
                raise LabelMapError(f"{path} has {key!r} for a label id; {form}")
            if name is not None and (not isinstance(name, str) or not name.strip()):
                raise LabelMapError(
                    f"{path} names the id {number} {name!r}; {form}; quote a name such as 'on'"
                )
            names[number] = None if name is None else name.strip()
        try:
            return cls.from_names(names)
        except LabelMapError as error:
            raise LabelMapError(f"{path}: {error}") from error

    def apply(self, recorded: np.ndarray) -> np.ndarray:
        """Recorded ids, uint8, uint16 or int16 [H, W], as uint8 [H, W].

        A view where nothing changes. Raises ValueError for an id beyond 254 that has no name.
        """
        if recorded.dtype == np.uint8:
            if self._keeps_bytes:
                return recorded
            found = self._unsigned[recorded]
        else:
            table = self._signed if recorded.dtype.kind == "i" else self._unsigned
            found = table[recorded.astype(recorded.dtype.newbyteorder("=")).view(np.uint16)]
        if (wrong := found == _NO_ID).any():
            number = int(recorded[wrong][0])
            if self.complete:
                classes = [value for value, own in self.ids.items() if own != UNLABELLED_ID]
                void = {UNLABELLED_ID, *self.ids} - {*classes}
                raise ValueError(
                    f"has the value {number}, which is of no class; the {len(classes)} classes have "
                    f"{_ranges(classes)}, void has {_ranges(void)}"
                )
            raise ValueError(
                f"has the id {number}, but ids go to {MAX_CLASSES} (255 is void); give it a name, and with "
                f"it a number of its own, by a line `{number}: NAME` in a mapping file, or make it void by "
                f"`{number}: null`"
            )
        return found.astype(np.uint8)

    @cached_property
    def _unsigned(self) -> np.ndarray:
        """Decoded id by recorded id, uint16 [65536]; 256 where there is none."""
        table = np.full(65536, _NO_ID, np.uint16)
        if not self.complete:
            table[:UNLABELLED_ID] = np.arange(UNLABELLED_ID)
            # A number that a class was given is no longer free for pixels which had it without a name.
            moved = [own for number, own in self.ids.items() if number != own]
            table[moved] = UNLABELLED_ID
        table[[UNLABELLED_ID, _VOID_16]] = UNLABELLED_ID
        for number, own in self.ids.items():
            if number >= 0:
                table[number] = own
        return table

    @cached_property
    def _signed(self) -> np.ndarray:
        """The same for int16 seen as uint16: the upper half are the negative ids."""
        table = self._unsigned.copy()
        table[32768:] = UNLABELLED_ID
        return table

    @cached_property
    def _keeps_bytes(self) -> bool:
        return bool((self._unsigned[:256] == np.arange(256)).all())


def read_class_list(file: Path) -> dict[int, str]:
    """The classes of a text file, one a line, by the number of the line from 0. Raises LabelMapError."""
    try:
        names = [line.strip() for line in file.read_text(encoding="utf-8").rstrip().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise LabelMapError(f"{file} cannot be read as a list of classes: {error}") from error
    for number, name in enumerate(names, start=1):
        if not name:
            raise LabelMapError(f"{file}: line {number} is blank; expected a class name")
        if name in names[: number - 1]:
            raise LabelMapError(f"{file}: line {number} names {name!r} a second time")
    if not 1 <= len(names) <= MAX_CLASSES:
        raise LabelMapError(f"{file} names {len(names)} classes; expected 1 to {MAX_CLASSES}")
    return dict(enumerate(names))


def decode_label_image(message: Any, label_map: LabelMap) -> np.ndarray:
    """Label ids uint8 [H, W] of an Image (mono8, 8UC1, mono16, 16UC1, 16SC1) or of a CompressedImage that
    is a grey PNG. A view on the message's data where possible.

    Raises ValueError, its text to follow the topic's name.
    """
    return label_map.apply(_png(message) if hasattr(message, "format") else _plain(message))


def _plain(message: Any) -> np.ndarray:
    if message.encoding not in _DTYPES:
        raise ValueError(
            f"has the encoding {message.encoding!r}; labels must be mono8 or one of {', '.join(_DTYPES)}"
        )
    dtype: np.dtype = _DTYPES[message.encoding].newbyteorder(">" if message.is_bigendian else "<")
    height, width, step = int(message.height), int(message.width), int(message.step)
    row = width * dtype.itemsize
    if not height or not width:
        raise ValueError(f"has a message of {width} x {height} pixels")
    if step < row or message.data.size < step * height:
        raise ValueError(
            f"has a message whose data is too short: {message.data.size} bytes for {height} rows of {step}"
        )
    rows = message.data[: step * height].reshape(height, step)[:, :row]
    return rows if dtype.itemsize == 1 else np.ascontiguousarray(rows).view(dtype)


def _png(message: Any) -> np.ndarray:
    data = np.asarray(message.data, np.uint8)
    if data[:4].tobytes() != b"\x89PNG":
        raise ValueError(
            f"has compressed images of the format {message.format!r}; compressed labels must be PNG, as a "
            "lossy format changes ids"
        )
    pixels = _decode_values(data)
    return pixels.view(np.int16) if message.format.startswith("16SC1") else pixels


def read_values(path: Path) -> np.ndarray:
    """The values of an image file of one channel (grey or palette), uint8 or uint16 [H, W].

    Raises ValueError, its text to follow the file's name.
    """
    try:
        return _decode_values(np.fromfile(path, np.uint8))
    except OSError as error:
        raise ValueError(f"cannot be read: {error}") from error


def _decode_values(data: np.ndarray) -> np.ndarray:
    try:
        # OpenCV turns a palette into colours; PIL keeps the indices, but is five times slower.
        if data[:4].tobytes() == b"\x89PNG" and data.size > 25 and data[25] == _PALETTE:
            with Image.open(BytesIO(data.tobytes())) as picture:
                pixels: np.ndarray | None = np.array(picture)
        else:
            pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, SyntaxError, ValueError, cv2.error):
        pixels = None
    if pixels is None:
        raise ValueError("cannot be read as an image; it is damaged, empty or of another format")
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"has {1 if pixels.ndim == 2 else pixels.shape[2]} channels of {pixels.dtype}; expected an image "
            "of one channel (grey or palette) with 8 or 16 bits"
        )
    return pixels


def _ranges(values: Iterable[int]) -> str:
    """Numbers as ranges: 0 to 10, 255."""
    ranges: list[list[int]] = []
    for value in sorted(values):
        if ranges and value == ranges[-1][-1] + 1:
            ranges[-1][1:] = [value]
        else:
            ranges.append([value])
    return ", ".join(" to ".join(map(str, part)) for part in ranges)
