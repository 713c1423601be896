"""The report's charts as inline SVG: axes, and what is drawn in them of a run's result.

The page's style sheet colours them, in light and in dark.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.metrics.calibration import ReliabilityBin
from ovseg_ros.runs.results import FrameResult

_MOST_POINTS = 1200
_SLOTS = 240
_NUMBERS_UP_TO = 16
"""Columns of a confusion matrix that leave room for a number in each cell."""

HISTOGRAM_CAPTION = "How often each latency occurs; solid: median, dashed: 95th percentile."


def tag(name: str, title: str = "", text: str = "", **attributes: object) -> Markup:
    """An element; everything is escaped. `class_` is the attribute `class`, `_` in names becomes `-`, numbers
    are rounded to a hundredth, None leaves the attribute out. `title` shows while the pointer rests on it."""
    given = {key: value for key, value in attributes.items() if value is not None}
    parts = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in given.items()
    ]
    inside = Markup("<title>{}</title>").format(title) if title else Markup("")
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(parts), inside + text)


def document(width: float, height: float, label: str, elements: Iterable[Markup]) -> Markup:
    """A drawing that fills its container's width; `label` describes it to screen readers."""
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _number(width), _number(height), label, Markup("").join(elements)
    )


def ticks(low: float, high: float, most: int = 6, whole: bool = False) -> list[float]:
    """Round numbers within low..high, equally spaced by 1, 2 or 5 times a power of ten, at most `most`.
    `whole` allows no fractions. Raises ValueError where high is not above low."""
    if not high > low:
        raise ValueError(f"the axis runs from {low} to {high}; its end must lie above its beginning")
    power = math.floor(math.log10((high - low) / most))
    for step in (factor * 10.0**exponent for exponent in itertools.count(power) for factor in (1, 2, 5)):
        if whole and step < 1:
            continue
        # A hair of tolerance keeps an end that is itself a tick, which rounding may have put outside.
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(index * step, 12) for index in range(first, last + 1)]
    raise AssertionError("steps grow without end")


@dataclass
class Axes:
    """A plot in a drawing of `width` x `height` units, within margins (left, right, top, bottom), whose data
    run over `x` and `y` (low, high)."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float = 400.0
    height: float = 250.0
    margins: tuple[float, float, float, float] = (60.0, 12.0, 10.0, 40.0)
    elements: list[Markup] = field(default_factory=list)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point of the data in the drawing's units."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        left, right, top, bottom = self.margins
        wide, high = self.width - left - right, self.height - top - bottom
        return left + across * wide, self.height - bottom - up * high

    def frame(
        self,
        x_label: str,
        y_label: str,
        x_ticks: Sequence[float] | None = None,
        y_ticks: Sequence[float] | None = None,
        upright: bool = False,
    ) -> None:
        """Draw grid, ticks and labels; the ticks are chosen where none are given. `upright`: lines of the
        grid at the ticks of x too."""
        left, bottom = self.at(self.x[0], self.y[0])
        right, top = self.at(self.x[1], self.y[1])
        for value in ticks(*self.y) if y_ticks is None else y_ticks:
            height = self.at(self.x[0], value)[1]
            self.line((left, height), (right, height), "grid")
            self.text(left - 6, height + 4, f"{value:g}", "end")
        for value in ticks(*self.x) if x_ticks is None else x_ticks:
            place = self.at(value, self.y[0])[0]
            if upright:
                self.line((place, top), (place, bottom), "grid")
            self.text(place, bottom + 16, f"{value:g}")
        self.line((left, bottom), (right, bottom), "axis")
        self.text((left + right) / 2, self.height - 4, x_label)
        if y_label:
            middle = (top + bottom) / 2
            self.text(12, middle, y_label, turn=f"rotate(-90 12 {_number(middle)})")

    def line(self, start: tuple[float, float], end: tuple[float, float], kind: str, title: str = "") -> None:
        """A straight line between two places in the drawing, of a class of the style sheet."""
        self.elements.append(tag("line", title, class_=kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1]))

    def text(self, x: float, y: float, text: str, anchor: str = "middle", turn: str | None = None) -> None:
        """Text at a place in the drawing; `turn` is an SVG transform."""
        self.elements.append(tag("text", text=text, x=x, y=y, text_anchor=anchor, transform=turn))

    def bar(self, x: tuple[float, float], y: tuple[float, float], kind: str, title: str = "") -> None:
        """A bar over a range of x and y, a little apart from its neighbours."""
        left, top = self.at(x[0], y[1])
        right, bottom = self.at(x[1], y[0])
        width, height = max(right - left - 1, 0.5), bottom - top
        self.elements.append(tag("rect", title, class_=kind, x=left + 0.5, y=top, width=width, height=height))

    def point(self, x: float, y: float, kind: str, title: str = "") -> None:
        """A dot."""
        left, top = self.at(x, y)
        self.elements.append(tag("circle", title, class_=kind, cx=left, cy=top, r=3))

    def svg(self, label: str) -> Markup:
        """The drawing; `label` says what it shows."""
        return document(self.width, self.height, label, self.elements)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value


def hex_color(color: Iterable[int]) -> str:
    """RGB 0..255 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in color))


def phase_number(revision: int) -> int:
    """The number of the style sheet's colour for a vocabulary revision: 1 to 4; 0 (the accent) for 0, where
    there is only one."""
    return (revision - 1) % 4 + 1 if revision else 0


def over_time(
    frames: Sequence[FrameResult], figure: Callable[[FrameResult], float | None], label: str
) -> Markup:
    """A figure of each answered frame, and ticks for the dropped ones, over the time of sending, or over the
    frame's number where frames were not sent but read.

    More than 1200 frames are grouped in 240 slots: a line from least to most, a dot for the median.
    """
    times = [frame.sent_s for frame in frames if frame.sent_s is not None]
    timed = len(times) == len(frames)
    places = times if timed else [frame.number + 1.0 for frame in frames]
    shown = [
        (place, float(value), frame)
        for place, frame in zip(places, frames, strict=True)
        if (value := figure(frame)) is not None
    ]
    first, last = min(places), max(places)
    highest = max((value for _, value, _ in shown), default=1.0)
    axes = Axes((first, last if last > first else first + 1), (0.0, 1.05 * highest or 1.0))
    axes.frame("time (s)" if timed else "frame", label)
    if len(shown) > _MOST_POINTS:
        _slots(axes, [(place, value) for place, value, _ in shown], label)
    else:
        for place, value, frame in shown:
            title = f"frame {frame.number + 1}: {value:.4g}"
            axes.point(place, value, f"phase-{phase_number(frame.revision or 1)}", title)
    for place, frame in zip(places, frames, strict=True):
        if frame.revision is None:
            left, bottom = axes.at(place, 0.0)
            axes.line((left, bottom + 4), (left, bottom - 6), "dropped")
    return axes.svg(f"{label} over time")


def latency_histogram(latencies: Sequence[float], reach: tuple[float, float] | None = None) -> Markup:
    """How often each latency (ms) occurs, with lines at median (solid) and 95th percentile (dashed); the bins
    span `reach`, or what occurs."""
    counts, edges = np.histogram(latencies, bins=min(40, max(5, len(latencies) // 3)), range=reach)
    low, high, top = float(edges[0]), float(edges[-1]), 1.15 * float(counts.max())
    margin = 0.05 * (high - low)
    axes = Axes((max(0.0, low - margin), high + margin), (0.0, top))
    axes.frame("latency (ms)", "frames", y_ticks=ticks(0.0, top, whole=True))
    for count, left, right in zip(counts.tolist(), edges, edges[1:], strict=False):
        if count:
            axes.bar((left, right), (0, count), "count", f"{left:.4g} to {right:.4g} ms: {count} frames")
    for name in (50, 95):
        value = float(np.percentile(latencies, name))
        axes.line(axes.at(value, 0.0), axes.at(value, top), f"mark p{name}", f"p{name}: {value:.4g} ms")
    return axes.svg("histogram of the latency")


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Accuracy over confidence (0..1), one bar a bin, with the gap to the diagonal of a calibrated model, and
    below the share of the pixels in each bin. Guo et al., On Calibration of Modern Neural Networks, 2017."""
    total = max(sum(entry.pixels for entry in bins), 1)
    fullest = max((entry.pixels for entry in bins), default=0) / total
    scale = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    upper = Axes((0.0, 1.0), (0.0, 1.0), height=270.0)
    upper.frame("confidence", "accuracy", scale, scale)
    lower = Axes((0.0, 1.0), (0.0, max(110 * fullest, 1.0)), height=120.0)
    lower.frame("confidence", "% of pixels", scale, ticks(*lower.y, most=4))
    for entry in bins:
        pixels, confidence, accuracy = entry.pixels, entry.confidence, entry.accuracy
        if not pixels or confidence is None or accuracy is None:
            continue
        reach, share = (entry.low, entry.high), 100 * pixels / total
        where = f"confidence {reach[0]:.2f} to {reach[1]:.2f}"
        title = f"{where} (mean {confidence:.3f}): accuracy {accuracy:.3f}"
        least, most = sorted((accuracy, confidence))
        upper.bar(reach, (0, least), "accuracy", title)
        upper.bar(reach, (least, most), "over" if accuracy < confidence else "under", title)
        lower.bar(reach, (0, share), "count", f"{where}: {pixels} pixels ({share:.1f} %)")
    upper.line(upper.at(0, 0), upper.at(1, 1), "diagonal")
    return upper.svg("reliability diagram") + lower.svg("share of the pixels by confidence")


def confusion_matrix(confusion: ConfusionTable) -> Markup:
    """Which class (column) the pixels of each true class (row) got, as shares of the row; a cell without
    pixels stays empty. The columns begin with the rows' classes: on the diagonal the label is right."""
    rows, columns, counts = confusion.truth, confusion.predicted, confusion.counts
    cell = 38.0 if len(columns) <= _NUMBERS_UP_TO else 22.0 if len(columns) <= 30 else 14.0
    font = 12.0 if cell > 20 else 10.0
    left = 14 + 0.6 * font * min(24, max(map(len, rows)))
    top = 14 + 0.6 * font * min(24, max(map(len, columns)))
    elements = []
    for index, name in enumerate(rows):
        middle = top + (index + 0.5) * cell
        elements.append(_name(name, left - 8, middle + font / 3, font))
    for index, name in enumerate(columns):
        middle = left + (index + 0.5) * cell + font / 3
        elements.append(
            _name(name, middle, top - 8, font, "start", turn=f"rotate(-90 {middle:.2f} {top - 8:.2f})")
        )
    wide, high = len(columns) * cell, len(rows) * cell
    elements.append(tag("rect", class_="field", x=left, y=top, width=wide, height=high))
    for row, name in enumerate(rows):
        total = sum(counts[row])
        for column, predicted in enumerate(columns):
            if count := counts[row][column]:
                x, y = left + column * cell, top + row * cell
                title = f"{name} as {predicted}: {100 * count / total:.3g} % of its pixels ({count})"
                elements += _cell(title, count / total, row == column, (x, y), cell)
    width, height = left + wide + 4, top + high + 4
    picture = document(width, height, "confusion matrix", elements)
    # Names and cells keep a size that can be read; what does not fit on a narrow screen is scrolled to.
    return Markup('<div class="matrix" style="min-width: {:.0f}px; max-width: {:.0f}px">{}</div>').format(
        width, 1.35 * width, picture
    )


def _cell(title: str, share: float, right: bool, corner: tuple[float, float], size: float) -> list[Markup]:
    (x, y), kind, strength = corner, "right" if right else "wrong", f"{0.08 + 0.92 * share:.3f}"
    cell = tag("rect", title, class_=kind, x=x, y=y, width=size - 1, height=size - 1, fill_opacity=strength)
    if size < 30 or share < 0.005:
        return [cell]
    shade = "strong" if share > 0.55 else "cell"
    middle, base, text = x + size / 2, y + size / 2 + 4, f"{100 * share:.0f}"
    return [cell, tag("text", text=text, class_=shade, x=middle, y=base, text_anchor="middle")]


def _name(name: str, x: float, y: float, size: float, anchor: str = "end", turn: str | None = None) -> Markup:
    short = name if len(name) <= 24 else name[:23] + "…"
    title = name if short != name else ""
    return tag("text", title, short, x=x, y=y, text_anchor=anchor, font_size=size, transform=turn)


def _slots(axes: Axes, points: Sequence[tuple[float, float]], label: str) -> None:
    """Many points as one line and dot for each slot of the x axis."""
    places, values = np.array(points).T
    low, high = axes.x
    slots = np.minimum(((places - low) / (high - low) * _SLOTS).astype(int), _SLOTS - 1)
    for slot in np.unique(slots).tolist():
        inside = values[slots == slot]
        middle = low + (slot + 0.5) * (high - low) / _SLOTS
        least, median, most = inside.min(), float(np.median(inside)), inside.max()
        axes.line(axes.at(middle, float(least)), axes.at(middle, float(most)), "spread")
        title = f"{inside.size} frames: {label} from {least:.4g} to {most:.4g}, median {median:.4g}"
        axes.point(middle, median, "phase-1", title)
