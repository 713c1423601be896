"""A comparison of methods as a picture: mean IoU with its interval, and the time of a frame."""

from markupsafe import Markup

from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.report.svg import tag, ticks
from ovseg_ros.runs.comparison import Comparison, ComparisonRow

_ROW, _TOP, _BOTTOM, _GAP = 26.0, 34.0, 44.0, 30.0
_PANEL, _NUMBER = 330.0, 52.0
_LETTER = 7.2
_STYLE = (
    "text { font: 13px system-ui, sans-serif; fill: #1a202c } .quiet { fill: #4a5568 } "
    ".grid { stroke: #e2e8f0 } .zero { stroke: #94a3b8 } .spread { stroke: #2b6cb0; stroke-width: 2 } "
    ".dot { fill: #2b6cb0 } .bar { fill: #94a3b8 } .own { font-weight: 600 }"
)


def comparison_svg(comparison: Comparison) -> str:
    """A picture of its own (SVG), a line a method."""
    rows = comparison.rows
    left = 20 + _LETTER * max(len(row.name) for row in rows)
    time_left = left + _PANEL + _NUMBER + _GAP
    width, height = time_left + _PANEL + _NUMBER + 10, _TOP + _ROW * len(rows) + _BOTTOM
    quality = _Panel(left, *_range(rows))
    time = _Panel(time_left, 0.0, 1.05 * max(row.ms for row in rows) or 1.0)
    bottom = _TOP + _ROW * len(rows)
    drawn = [
        tag("style", text=_STYLE),
        tag("rect", x=0, y=0, width=width, height=height, fill="#ffffff"),
        *quality.axis(bottom, "mean IoU (%), with its 95 % interval"),
        *time.axis(bottom, "median time of a frame (ms)"),
    ]
    for place, row in enumerate(rows):
        middle = _TOP + (place + 0.5) * _ROW
        kind = "own" if row.name == comparison.reference else "name"
        drawn.append(tag("text", text=row.name, class_=kind, x=left - 10, y=middle + 4, text_anchor="end"))
        if row.miou_interval is not None:
            drawn += _miou(quality, row, row.miou_interval, middle)
        end = time.at(row.ms)
        drawn.append(tag("rect", class_="bar", x=time.left, y=middle - 7, width=end - time.left, height=14))
        drawn.append(tag("text", text=f"{row.ms:.1f}", class_="quiet", x=end + 6, y=middle + 4))
    label = f"{len(rows)} methods over {comparison.frames} frames"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0:.0f} {1:.0f}" width="{0:.0f}" '
        'height="{1:.0f}" role="img" aria-label="{2}">{3}</svg>\n'
    ).format(width, height, label, Markup("").join(drawn))


class _Panel:
    """A horizontal scale from `low` to `high`."""

    def __init__(self, left: float, low: float, high: float) -> None:
        self.left, self._low, self._high = left, low, high

    def at(self, value: float) -> float:
        return self.left + (value - self._low) / (self._high - self._low) * _PANEL

    def axis(self, bottom: float, label: str) -> list[Markup]:
        drawn = []
        for value in ticks(self._low, self._high):
            place = self.at(value)
            drawn.append(tag("line", class_="grid", x1=place, y1=_TOP - 8, x2=place, y2=bottom))
            drawn.append(
                tag("text", text=f"{value:g}", class_="quiet", x=place, y=bottom + 18, text_anchor="middle")
            )
        drawn.append(tag("text", text=label, x=self.left + _PANEL / 2, y=bottom + 38, text_anchor="middle"))
        return drawn


def _miou(panel: _Panel, row: ComparisonRow, ends: Interval, middle: float) -> list[Markup]:
    title = f"{row.name}: {100 * row.miou:.2f} [{100 * ends.low:.2f}, {100 * ends.high:.2f}]"
    low, high, place = (panel.at(100 * value) for value in (ends.low, ends.high, row.miou))
    return [
        tag("line", title, class_="spread", x1=low, y1=middle, x2=high, y2=middle),
        tag("circle", title, class_="dot", cx=place, cy=middle, r=4.5),
        tag("text", text=f"{100 * row.miou:.1f}", class_="quiet", x=high + 8, y=middle + 4),
    ]


def _range(rows: tuple[ComparisonRow, ...]) -> tuple[float, float]:
    """The scale of the mean IoU in percent: from the lowest to the highest end, with some room."""
    there = [100 * end for row in rows for end in row.miou_interval or ()] or [0.0, 100.0]
    room = max(1.0, 0.06 * (max(there) - min(there)))
    return max(0.0, min(there) - room), min(100.0, max(there) + room)
