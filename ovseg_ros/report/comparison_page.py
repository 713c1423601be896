"""Runs beside each other as one HTML page."""

from collections.abc import Sequence

from markupsafe import Markup

from ovseg_ros.report import charts
from ovseg_ros.report import text as report_text
from ovseg_ros.report.compare import Comparison
from ovseg_ros.report.metrics_file import Run
from ovseg_ros.report.page import page


def render_comparison(runs: Sequence[Run], comparison: Comparison) -> str:
    """The page as text; `comparison` is that of the runs."""
    return page(
        "comparison.html.jinja",
        title=" and ".join(comparison.labels) if len(runs) < 4 else f"{len(runs)} runs",
        comparison=comparison,
        diagrams=_diagrams(runs),
        histograms=_histograms(runs),
        histogram_caption=charts.HISTOGRAM_CAPTION,
    )


def _diagrams(runs: Sequence[Run]) -> list[tuple[str, str, Markup, int]]:
    return [
        (
            run.label,
            report_text.calibration(run.metrics),
            charts.reliability_diagram(run.metrics["reliability"]),
            charts.phase_number(number),
        )
        for number, run in enumerate(runs, start=1)
        if run.metrics.get("reliability")
    ]


def _histograms(runs: Sequence[Run]) -> list[tuple[str, Markup, int]]:
    """Of the runs that tell the latency of each frame; all over the same range."""
    found = [
        (number, run.label, latencies)
        for number, run in enumerate(runs, start=1)
        if (latencies := report_text.latencies(run.metrics))
    ]
    if not found:
        return []
    every = [value for _, _, latencies in found for value in latencies]
    reach = (min(every), max(every))
    return [
        (label, charts.latency_histogram(latencies, reach), charts.phase_number(number))
        for number, label, latencies in found
    ]
