"""The report's charts as inline SVG."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ovseg_ros.evaluation.findings import FrameFigures, phase_color

_STYLE: dict[Any, Any] = {
    "font.size": 12,
    "svg.fonttype": "path",
    "svg.hashsalt": "ovseg",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def hex_color(color: Iterable[int]) -> str:
    """RGB 0..255 as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in color))


def latency_over_time(frames: Sequence[FrameFigures]) -> Markup:
    """Latency of each answered frame, and ticks for the dropped ones, over the time of sending."""

    def draw(axes: Axes) -> None:
        revisions = sorted({frame.revision for frame in frames if frame.revision is not None})
        for revision in revisions:
            answered = [f for f in frames if f.revision == revision and f.latency_ms is not None]
            axes.plot(
                [f.sent_s for f in answered],
                [f.latency_ms or 0.0 for f in answered],
                "o",
                markersize=4,
                color=hex_color(phase_color(revision)),
                label=f"vocabulary {revision}",
            )
        dropped = [f.sent_s for f in frames if f.revision is None]
        if dropped:
            axes.plot(
                dropped,
                np.zeros(len(dropped)),
                "|",
                markersize=10,
                color="#c53030",
                clip_on=False,
                label="dropped",
            )
        axes.set_ylim(0, 1.08 * max((f.latency_ms or 0.0 for f in frames), default=1.0))
        axes.set_xlabel("time (s)")
        axes.set_ylabel("latency (ms)")
        axes.legend(frameon=False, loc="lower right", fontsize=10)

    return _svg(draw)


def latency_histogram(latencies: Sequence[float]) -> Markup:
    """How often each latency occurs, with median and 95th percentile."""

    def draw(axes: Axes) -> None:
        axes.hist(latencies, bins=min(30, max(5, len(latencies) // 3)), color="#94a3b8")
        for percentile, style in ((50, "-"), (95, "--")):
            value = float(np.percentile(latencies, percentile))
            axes.axvline(value, color="#1a202c", linestyle=style, label=f"p{percentile}: {value:.0f} ms")
        axes.set_xlim(0, 1.08 * max(latencies))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("latency (ms)")
        axes.set_ylabel("frames")
        axes.legend(frameon=False, fontsize=10)

    return _svg(draw)


def _svg(draw: Callable[[Axes], None]) -> Markup:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.1), layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])
