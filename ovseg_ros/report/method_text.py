"""A comparison of methods as people read it: a table for Markdown and for the terminal."""

import math
from collections.abc import Mapping

from ovseg_ros.metrics.bootstrap import LEVEL, Interval
from ovseg_ros.runs.comparison import Comparison, ComparisonRow

COLUMNS = ("method", "mean IoU", "difference", "pixel accuracy", "ms", "p95 ms", "peak MB")


def cells(row: ComparisonRow, reference: str) -> tuple[str, ...]:
    """A row of the table, by `COLUMNS`; shares in percent, with their intervals."""
    difference = "" if row.name == reference else _signed(row.difference, row.difference_interval)
    return (
        row.name,
        _percent(row.miou, row.miou_interval),
        difference,
        _percent(row.pixel_accuracy, row.accuracy_interval),
        f"{row.ms:.1f}",
        f"{row.p95_ms:.1f}",
        "-" if row.peak_mb is None else f"{row.peak_mb:.0f}",
    )


def notes(comparison: Comparison, timing: str) -> list[str]:
    """What one must know to read the table, a sentence each."""
    found = [
        f"{comparison.frames} frames. In brackets the {100 * LEVEL:.0f} % interval over {comparison.draws} "
        f"bootstrap draws of frames (seed {comparison.seed}); neighbouring frames of a video are alike, so "
        "there it is narrower than it should be.",
        f"Difference: of the mean IoU to {comparison.reference}, over the same draws; * where the interval "
        "leaves out 0.",
        timing,
    ]
    if comparison.ignored:
        found.append(f"Not counted, since no class claims it: {', '.join(comparison.ignored)}.")
    if comparison.left_out:
        found.append(f"{len(comparison.left_out)} frames were left out; the first: {comparison.left_out[0]}.")
    if comparison.interrupted:
        found.append("Interrupted: these are the frames up to then.")
    return found


def markdown(comparison: Comparison, setup: Mapping[str, str], timing: str) -> str:
    """The whole comparison as a Markdown page."""
    lines = ["# Comparison of methods", ""]
    lines += [f"- {key}: {_escaped(value)}" for key, value in setup.items()]
    lines += ["", _line(COLUMNS), _line(["---", *["---:"] * (len(COLUMNS) - 1)])]
    lines += [_line(cells(row, comparison.reference)) for row in comparison.rows]
    lines += ["", *(line for note in notes(comparison, timing) for line in (_escaped(note), ""))]
    lines += ["## IoU by class", "", _line(["class", *(row.name for row in comparison.rows)])]
    lines.append(_line(["---", *["---:"] * len(comparison.rows)]))
    for name in comparison.rows[0].per_class_iou:
        ious = [row.per_class_iou[name] for row in comparison.rows]
        lines.append(_line([name, *("-" if iou is None else f"{100 * iou:.1f}" for iou in ious)]))
    return "\n".join(lines) + "\n"


def _percent(value: float, interval: Interval | None) -> str:
    if math.isnan(value) or interval is None:
        return "-"
    return f"{100 * value:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _signed(value: float, interval: Interval | None) -> str:
    if math.isnan(value) or interval is None:
        return "-"
    mark = "*" if interval.low > 0 or interval.high < 0 else ""
    return f"{100 * value:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]{mark}"


def _line(parts: "tuple[str, ...] | list[str]") -> str:
    return "| " + " | ".join(_escaped(part) for part in parts) + " |"


def _escaped(text: str) -> str:
    for sign in ("\\", "|", "*", "_", "<"):
        text = text.replace(sign, "\\" + sign)
    return text
