"""The report's charts as inline SVG, drawn from the result of a run."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from markupsafe import Markup

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.metrics.calibration import ReliabilityBin
from ovseg_ros.report.svg import Axes, document, tag, ticks
from ovseg_ros.runs.results import FrameResult

_MOST_POINTS = 1200
_SLOTS = 240
_NUMBERS_UP_TO = 16
"""Columns of a confusion matrix that leave room for a number in each cell."""

HISTOGRAM_CAPTION = "How often each latency occurs; solid: median, dashed: 95th percentile."


def hex_color(color: Iterable[int]) -> str:
    """RGB 0..255 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in color))


def phase_number(revision: int) -> int:
    """Which of the style sheet's colours stands for a vocabulary revision: 1 to 4, or 0 (the accent) for 0,
    where there are none to tell apart."""
    return (revision - 1) % 4 + 1 if revision else 0


def over_time(
    frames: Sequence[FrameResult], figure: Callable[[FrameResult], float | None], label: str
) -> Markup:
    """A figure of each answered frame, and ticks for the dropped ones, over the time of sending, or over the
    frame's number where frames were not sent but read.

    Beyond 1200 frames they stand together in 240 slots: a line from least to most, a dot for the median.
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
        for column, said in enumerate(columns):
            if count := counts[row][column]:
                x, y = left + column * cell, top + row * cell
                title = f"{name} as {said}: {100 * count / total:.3g} % of its pixels ({count})"
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
