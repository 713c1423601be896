"""A comparison of methods as people read it: its table, a Markdown page, and a picture."""

from collections.abc import Sequence

from markupsafe import Markup

from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.report.charts import Axes, tag
from ovseg_ros.report.templates import from_template
from ovseg_ros.runs.comparison import ComparisonResult, MethodResult

COLUMNS = ("method", "mean IoU", "difference", "pixel accuracy", "ms", "p95 ms", "peak MB")

_ROW, _TOP, _BOTTOM, _GAP = 26.0, 26.0, 44.0, 30.0
_PANEL, _NUMBER = 330.0, 52.0
_LETTER = 7.2
_STYLE = (
    "text { font: 13px system-ui, sans-serif; fill: #4a5568 } .name, .own { fill: #1a202c } "
    ".grid { stroke: #e2e8f0 } .axis { stroke: #94a3b8 } .spread { stroke: #2b6cb0; stroke-width: 2 } "
    ".dot { fill: #2b6cb0 } .bar { fill: #94a3b8 } .own { font-weight: 600 }"
)


def cells(row: MethodResult, reference: str) -> tuple[str, ...]:
    """A row of the table, by `COLUMNS`; shares in percent, with their intervals."""
    difference = ""
    if row.name != reference:
        ends = row.miou_difference_interval
        mark = "*" if ends is not None and (ends.low > 0 or ends.high < 0) else ""
        difference = _percent(row.miou_difference, ends, "+") + mark
    return (
        row.name,
        _percent(row.miou, row.miou_interval),
        difference,
        _percent(row.pixel_accuracy, row.pixel_accuracy_interval),
        "-" if row.p50_ms is None else f"{row.p50_ms:.1f}",
        "-" if row.p95_ms is None else f"{row.p95_ms:.1f}",
        "-" if row.peak_mb is None else f"{row.peak_mb:.0f}",
    )


def notes(comparison: ComparisonResult) -> list[str]:
    """What one must know to read the table, a sentence each."""
    found = []
    if draws := comparison.bootstrap:
        found.append(
            f"{comparison.frames} frames. In brackets the {100 * draws.level:.0f} % interval over "
            f"{draws.draws} bootstrap draws of frames (seed {draws.seed}); neighbouring frames of a video "
            "are alike, so there it is narrower than it should be."
        )
    found.append(
        f"Difference: of the mean IoU to {comparison.reference}, over the same draws; * where the interval "
        "leaves out 0."
    )
    found.append(comparison.timing)
    if comparison.ignored_classes:
        found.append(f"Not counted, since no class claims it: {', '.join(comparison.ignored_classes)}.")
    if comparison.left_out:
        found.append(f"{len(comparison.left_out)} frames were left out; the first: {comparison.left_out[0]}.")
    if comparison.interrupted:
        found.append("Interrupted: these are the frames up to then.")
    return found


def methods_as_markdown(comparison: ComparisonResult) -> str:
    """The whole comparison as a Markdown page."""
    rows = comparison.rows
    names = dict.fromkeys(name for row in rows for name in row.per_class_iou)
    return from_template(
        "methods.md.jinja",
        comparison=comparison,
        columns=COLUMNS,
        rows=[cells(row, comparison.reference) for row in rows],
        notes=notes(comparison),
        names=["class", *(row.name for row in rows)],
        ious=[(name, *(_percent(row.per_class_iou.get(name), None) for row in rows)) for name in names],
    )


def methods_as_svg(comparison: ComparisonResult) -> str:
    """A picture of its own (SVG), a line a method: mean IoU with its interval, and the time of a frame."""
    rows = comparison.rows
    drawn: list[Markup] = []
    left = 20 + _LETTER * max(len(row.name) for row in rows)
    time_left = left + _PANEL + _NUMBER + _GAP
    width, height = time_left + _PANEL + _NUMBER + 10, _TOP + _ROW * len(rows) + _BOTTOM

    def panel(at: float, scale: tuple[float, float], label: str) -> Axes:
        margins = (at, width - at - _PANEL, _TOP, _BOTTOM)
        axes = Axes(scale, (0.0, len(rows)), width, height, margins, drawn)
        axes.frame(label, "", y_ticks=(), upright=True)
        return axes

    quality = panel(left, _range(rows), "mean IoU (%), with its 95 % interval")
    slowest = 1.05 * max(row.p50_ms or 0.0 for row in rows) or 1.0
    time = panel(time_left, (0.0, slowest), "median time of a frame (ms)")
    for place, row in enumerate(rows):
        middle = len(rows) - place - 0.5
        y = quality.at(0.0, middle)[1] + 4
        kind = "own" if row.name == comparison.reference else "name"
        drawn.append(tag("text", text=row.name, class_=kind, x=left - 10, y=y, text_anchor="end"))
        if row.miou is not None and (ends := row.miou_interval) is not None:
            low, high = quality.at(100 * ends.low, middle), quality.at(100 * ends.high, middle)
            title = f"{row.name}: {100 * row.miou:.2f} [{100 * ends.low:.2f}, {100 * ends.high:.2f}]"
            quality.line(low, high, "spread", title)
            quality.point(100 * row.miou, middle, "dot", title)
            quality.text(high[0] + 8, y, f"{100 * row.miou:.1f}", "start")
        if row.p50_ms is not None:
            time.bar((0.0, row.p50_ms), (middle - 0.27, middle + 0.27), "bar")
            time.text(time.at(row.p50_ms, middle)[0] + 6, y, f"{row.p50_ms:.1f}", "start")
    label = f"{len(rows)} methods over {comparison.frames} frames"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" '
        'height="{1:.0f}" role="img" aria-label="{2}"><style>{3}</style>'
        '<rect x="0" y="0" width="{0:.0f}" height="{1:.0f}" fill="#ffffff"></rect>{4}</svg>\n'
    ).format(width, height, label, _STYLE, Markup("").join(drawn))


def _percent(value: float | None, interval: Interval | None, sign: str = "") -> str:
    if value is None:
        return "-"
    text = f"{100 * value:{sign}.1f}"
    if interval is None:
        return text
    return f"{text} [{100 * interval.low:{sign}.1f}, {100 * interval.high:{sign}.1f}]"


def _range(rows: Sequence[MethodResult]) -> tuple[float, float]:
    """The scale of the mean IoU in percent: from the lowest to the highest end, with some room."""
    there = [100 * end for row in rows for end in row.miou_interval or ()] or [0.0, 100.0]
    room = max(1.0, 0.06 * (max(there) - min(there)))
    return max(0.0, min(there) - room), min(100.0, max(there) + room)
