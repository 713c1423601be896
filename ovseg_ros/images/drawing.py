"""Pictures for people: class colours over an image, and a legend that stays readable at any image size.

All images are uint8 RGB, [H, W, 3]; labels are uint8 class ids, [h, w]. numpy and OpenCV only.
"""

import math
import unicodedata
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyClass

_STRIP_COLOR = (30, 30, 30)
_TEXT_COLOR = (235, 235, 235)
_FRAME_COLOR = (150, 150, 150)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colorize(labels: np.ndarray, vocabulary: Vocabulary) -> np.ndarray:
    """Labels uint8 [h, w] as colours, uint8 [h, w, 3] RGB: background black, unlabelled grey."""
    if labels.size == 0:
        return np.zeros((*labels.shape, 3), np.uint8)
    return cv2.applyColorMap(labels, vocabulary.palette().reshape(256, 1, 3))


def overlay(image: np.ndarray, labels: np.ndarray, vocabulary: Vocabulary, alpha: float = 0.5) -> np.ndarray:
    """The class colours over an image, with a thin line in full colour along the edge of every class.

    Background is darkened half as much as a class is coloured; unlabelled pixels show the image as it is.

    Args:
        image: uint8 [H, W, 3] RGB; not changed.
        labels: uint8 [h, w] class ids; brought to H x W by nearest neighbour when the size differs.
        vocabulary: whose ids and colours these are.
        alpha: how much of the colour, 0 (only lines) to 1 (only colour).
    Returns:
        uint8 [H, W, 3] RGB.
    Raises:
        ValueError: an array has another shape or type, or alpha is outside 0..1.
    """
    _check(image, labels)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}, expected 0..1")
    height, width = image.shape[:2]
    if labels.shape != (height, width):
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    colors = colorize(labels, vocabulary)
    tinted = cv2.addWeighted(image, 1 - alpha, colors, alpha, 0)
    background = cv2.convertScaleAbs(image, alpha=1 - alpha / 2)
    cv2.copyTo(background, (labels == BACKGROUND_ID).view(np.uint8), tinted)
    edges = _edges(labels)
    edges[labels == BACKGROUND_ID] = 0
    cv2.copyTo(colors, edges, tinted)
    cv2.copyTo(image, (labels == UNLABELLED_ID).view(np.uint8), tinted)
    return tinted


def legend(
    vocabulary: Vocabulary,
    shares: Mapping[int, float] | None = None,
    *,
    width: int = 640,
    text_height: int = 14,
    max_entries: int = 16,
    rows: int | None = None,
) -> np.ndarray:
    """A strip with colour, name and share of each class: uint8 [h, width, 3] RGB.

    Args:
        vocabulary: the classes.
        shares: ids of the classes to show with their share of the pixels (0..1); those with a share of 0 are
            left out, the rest is sorted by share. Ids 0 (background) and 255 (unlabelled) may be among them.
            None shows all classes of the vocabulary without shares.
        width: width of the strip in pixels, at least 1.
        text_height: height of a capital letter in pixels.
        max_entries: with more classes than this, the smallest ones become one "+k more".
        rows: number of rows to make room for; None fits the entries.
    """
    if shares is None:
        entries = [(cls.id, "") for cls in vocabulary.classes]
    else:
        by_share = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
        entries = [(class_id, _percent(share)) for class_id, share in by_share if share > 0]
    sizes = _Sizes(vocabulary, text_height)
    cell_width, columns = sizes.cells(width)
    max_entries = min(max_entries, rows * columns) if rows else max_entries
    shown = entries if len(entries) <= max_entries else entries[: max(max_entries - 1, 0)]
    palette = vocabulary.palette().tolist()
    cells = [(palette[class_id], sizes.names[class_id], share) for class_id, share in shown]
    if len(shown) < len(entries):
        cells.append((None, f"+{len(entries) - len(shown)} more", ""))
    # The font is made of strokes: small text stays legible when it is drawn larger and reduced.
    scale = max(1, round(30 / text_height))
    rows = rows or max(1, math.ceil(len(cells) / columns))
    strip_height = rows * sizes.line + 2 * sizes.padding - (sizes.line - text_height)
    strip = np.full((strip_height * scale, width * scale, 3), _STRIP_COLOR, np.uint8)
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        corner = (sizes.padding + column * cell_width) * scale, (sizes.padding + row * sizes.line) * scale
        _draw_entry(strip, corner, (cell_width - sizes.padding) * scale, text_height * scale, *cell)
    return cv2.resize(strip, (width, strip_height), interpolation=cv2.INTER_AREA)


def with_legend(
    image: np.ndarray,
    vocabulary: Vocabulary,
    labels: np.ndarray,
    *,
    max_entries: int = 16,
    fixed_size: bool = False,
) -> np.ndarray:
    """An image with a legend strip of the classes in its labels, the largest first.

    The strip is below the image, or to the right of an upright one. An image narrower than a legend
    entry is set in a wider picture. Text grows with the image.

    Args:
        image: uint8 [H, W, 3] RGB, for example an overlay.
        vocabulary: whose labels these are.
        labels: uint8 [h, w] class ids, of any size.
        max_entries: see `legend`.
        fixed_size: make room for all classes, so that all pictures of one image size and one vocabulary have
            one size, as a video needs.
    Returns:
        uint8 [H', W', 3] RGB with even H' and W' (video codecs ask for that).
    Raises:
        ValueError: an array has another shape or type.
    """
    _check(image, labels)
    counts = cv2.calcHist([labels], [0], None, [256], [0, 256]).ravel()
    shares = {int(class_id): counts[class_id] / labels.size for class_id in np.flatnonzero(counts)}
    height, width = image.shape[:2]
    text_height = int(np.clip(round(math.sqrt(height * width) / 45), 9, 60))
    sizes = _Sizes(vocabulary, text_height)
    beside = height > 1.2 * width
    entry_width = sizes.entry + sizes.padding
    strip_width = entry_width if beside else max(width, entry_width)
    rows = None
    if beside:
        max_entries = min(max_entries, max(1, (height - sizes.padding) // sizes.line))
    elif fixed_size:
        rows = math.ceil(min(len(vocabulary.classes) + 2, max_entries) / sizes.cells(strip_width)[1])
    strip = legend(
        vocabulary, shares, width=strip_width, text_height=text_height, max_entries=max_entries, rows=rows
    )
    top, left = (0, width) if beside else (height, 0)
    picture_height = max(height, top + strip.shape[0])
    picture_width = left + strip_width
    shape = (picture_height + picture_height % 2, picture_width + picture_width % 2, 3)
    picture = np.full(shape, _STRIP_COLOR, np.uint8)
    margin = 0 if beside else (strip_width - width) // 2
    picture[:height, margin : margin + width] = image
    picture[top : top + strip.shape[0], left : left + strip_width] = strip
    return picture


def _check(image: np.ndarray, labels: np.ndarray) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or image.size == 0:
        raise ValueError(f"the image is {image.dtype} {list(image.shape)}, expected uint8 [H, W, 3]")
    if labels.ndim != 2 or labels.dtype != np.uint8 or labels.size == 0:
        raise ValueError(f"the labels are {labels.dtype} {list(labels.shape)}, expected uint8 [h, w]")


def _edges(labels: np.ndarray) -> np.ndarray:
    """Pixels with another label in their neighbourhood as a mask; the line grows with the image."""
    reach = max(1, round(labels.shape[0] / 800))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, kernel)


class _Sizes:
    """What a legend's sizes in pixels follow from: the names of its classes and the height of a capital."""

    def __init__(self, vocabulary: Vocabulary, text_height: int) -> None:
        self.names = {BACKGROUND_ID: "background", UNLABELLED_ID: "unlabelled"}
        self.names |= {cls.id: _printable(cls) for cls in vocabulary.classes}
        self.padding = max(4, round(0.7 * text_height))
        self.line = round(1.9 * text_height)
        font = _, stroke = _font(text_height)
        name = min(max(_width(text, font) for text in self.names.values()) + stroke, 14 * text_height)
        swatch, share = 2 * text_height, _width(" 100%", font) + stroke
        self.entry = swatch + name + share + 2 * self.padding

    def cells(self, width: int) -> tuple[int, int]:
        """Width of a cell and number of columns of a strip."""
        inner = max(1, width - self.padding)
        columns = max(1, inner // self.entry)
        return inner // columns, columns


def _printable(cls: VocabularyClass) -> str:
    """A name in the characters that OpenCV's fonts have: accents dropped, other scripts by id."""
    decomposed = unicodedata.normalize("NFKD", cls.name)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    ascii_name = plain.encode("ascii", "replace").decode()
    return ascii_name if ascii_name.strip("? ") else f"class {cls.id}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.01 else "<1%"


def _font(text_height: int) -> tuple[float, int]:
    """Scale and stroke of the font for capital letters of this height."""
    stroke = max(1, round(text_height / 8))
    return cv2.getFontScaleFromHeight(_FONT, text_height, stroke), stroke


def _width(text: str, font: tuple[float, int]) -> int:
    return cv2.getTextSize(text, _FONT, *font)[0][0] if text else 0


def _draw_entry(
    strip: np.ndarray,
    corner: tuple[int, int],
    width: int,
    text_height: int,
    color: Sequence[int] | None,
    name: str,
    share: str,
) -> None:
    """Swatch, name and share of one class into a strip, in place, all in the strip's own pixels."""
    x, y = left, _ = corner
    font = _, stroke = _font(text_height)
    if color is not None:
        side = (x + round(1.5 * text_height), y + round(1.1 * text_height))
        cv2.rectangle(strip, corner, side, color, cv2.FILLED)
        cv2.rectangle(strip, corner, side, _FRAME_COLOR, stroke)
        left = x + 2 * text_height
    right = x + width - _width(share, font)
    room = right - left - text_height // 2
    if _width(name, font) > room:
        while name and _width(f"{name}...", font) > room:
            name = name[:-1]
        name += "..."
    for text, start in ((name, left), (share, right)):
        cv2.putText(strip, text, (start, y + text_height), _FONT, font[0], _TEXT_COLOR, stroke, cv2.LINE_AA)
