"""Pictures for people: class colours over an image, and a legend that stays readable at any image size.

All images are uint8 RGB, [H, W, 3]; labels are uint8 class ids, [h, w]. numpy and OpenCV only.
"""

import math
import unicodedata
from collections.abc import Mapping

import cv2
import numpy as np

from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary

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
    cell_width, columns = _grid(vocabulary, width, text_height)
    max_entries = min(max_entries, rows * columns) if rows else max_entries
    shown = entries if len(entries) <= max_entries else entries[: max(max_entries - 1, 0)]
    palette = vocabulary.palette()
    # The font is made of strokes: small text stays legible when it is drawn larger and reduced.
    scale = max(1, round(30 / text_height))
    pad, line = _padding(text_height), _line_height(text_height)
    more = [f"+{len(entries) - len(shown)} more"] if len(shown) < len(entries) else []
    rows = rows or max(1, math.ceil((len(shown) + len(more)) / columns))
    strip_height = rows * line + 2 * pad - (line - text_height)
    strip = np.full((strip_height * scale, width * scale, 3), _STRIP_COLOR, np.uint8)
    for place, (class_id, share) in enumerate([*shown, *((None, text) for text in more)]):
        row, column = divmod(place, columns)
        corner = (pad + column * cell_width) * scale, (pad + row * line) * scale
        if class_id is None:
            color, texts = None, (share, "")
        else:
            red, green, blue = palette[class_id].tolist()
            color, texts = (red, green, blue), (_display_name(vocabulary, class_id), share)
        _draw_entry(strip, corner, (cell_width - pad) * scale, text_height * scale, color, texts)
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
    entry_width = _entry_width(vocabulary, text_height) + _padding(text_height)
    beside = height > 1.2 * width
    strip_width = entry_width if beside else max(width, entry_width)
    rows = None
    if beside:
        room = (height - _padding(text_height)) // _line_height(text_height)
        max_entries = min(max_entries, max(1, room))
    elif fixed_size:
        columns = _grid(vocabulary, strip_width, text_height)[1]
        rows = math.ceil(min(len(vocabulary.classes) + 2, max_entries) / columns)
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


def _padding(text_height: int) -> int:
    return max(4, round(0.7 * text_height))


def _line_height(text_height: int) -> int:
    return round(1.9 * text_height)


def _entry_width(vocabulary: Vocabulary, text_height: int) -> int:
    """Width of the widest entry with its padding; long names are cut at 14 text heights."""
    names = [_display_name(vocabulary, cls.id) for cls in vocabulary.classes]
    widest = max(_text_width(name, text_height) for name in [*names, "background", "unlabelled"])
    swatch, share = 2 * text_height, _text_width(" 100%", text_height)
    return min(widest, 14 * text_height) + swatch + share + 2 * _padding(text_height)


def _grid(vocabulary: Vocabulary, width: int, text_height: int) -> tuple[int, int]:
    """Cell width in pixels and number of columns of a legend strip."""
    inner = max(1, width - _padding(text_height))
    columns = max(1, inner // _entry_width(vocabulary, text_height))
    return inner // columns, columns


def _display_name(vocabulary: Vocabulary, class_id: int) -> str:
    """A name in the characters that OpenCV's fonts have: accents dropped, other scripts by id."""
    if class_id == BACKGROUND_ID:
        return "background"
    if class_id == UNLABELLED_ID:
        return "unlabelled"
    decomposed = unicodedata.normalize("NFKD", vocabulary.by_id(class_id).name)
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    ascii_name = plain.encode("ascii", "replace").decode()
    return ascii_name if ascii_name.strip("? ") else f"class {class_id}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.01 else "<1%"


def _font(text_height: int) -> tuple[float, int]:
    """Scale and stroke of the font for capital letters of this height."""
    stroke = max(1, round(text_height / 8))
    return cv2.getFontScaleFromHeight(_FONT, text_height, stroke), stroke


def _text_width(text: str, text_height: int) -> int:
    scale, stroke = _font(text_height)
    return cv2.getTextSize(text, _FONT, scale, stroke)[0][0] + stroke


def _draw_entry(
    strip: np.ndarray,
    corner: tuple[int, int],
    width: int,
    text_height: int,
    color: tuple[int, int, int] | None,
    texts: tuple[str, str],
) -> None:
    """Swatch, name and share of one class into a strip, in place, all in the strip's own pixels."""
    x, y = corner
    scale, stroke = _font(text_height)
    left = x
    if color is not None:
        side = (x + round(1.5 * text_height), y + round(1.1 * text_height))
        cv2.rectangle(strip, (x, y), side, color, cv2.FILLED)
        cv2.rectangle(strip, (x, y), side, _FRAME_COLOR, stroke)
        left = x + 2 * text_height
    name, share = texts
    share_width = cv2.getTextSize(share, _FONT, scale, stroke)[0][0] if share else 0
    name = _shorten(name, x + width - left - share_width - text_height // 2, scale, stroke)
    line = (left, y + text_height)
    cv2.putText(strip, name, line, _FONT, scale, _TEXT_COLOR, stroke, cv2.LINE_AA)
    right = (x + width - share_width, y + text_height)
    cv2.putText(strip, share, right, _FONT, scale, _TEXT_COLOR, stroke, cv2.LINE_AA)


def _shorten(text: str, width: int, scale: float, stroke: int) -> str:
    """The text, cut and ended with dots where it is wider than `width`."""
    if cv2.getTextSize(text, _FONT, scale, stroke)[0][0] <= width:
        return text
    while text and cv2.getTextSize(f"{text}...", _FONT, scale, stroke)[0][0] > width:
        text = text[:-1]
    return f"{text}..."
