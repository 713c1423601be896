"""Axes in inline SVG: scales, ticks and labels. The page's style sheet colours them, in light and in dark."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup


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
    """A drawing as wide as what it stands in; `label` says to a screen reader what it shows."""
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
        """Where a point lies in the drawing."""
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
        self.elements.append(
            tag(
                "rect",
                title,
                class_=kind,
                x=left + 0.5,
                y=top,
                width=max(right - left - 1, 0.5),
                height=bottom - top,
            )
        )

    def point(self, x: float, y: float, kind: str, title: str = "") -> None:
        """A dot."""
        left, top = self.at(x, y)
        self.elements.append(tag("circle", title, class_=kind, cx=left, cy=top, r=3))

    def svg(self, label: str) -> Markup:
        """The drawing; `label` says what it shows."""
        return document(self.width, self.height, label, self.elements)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
