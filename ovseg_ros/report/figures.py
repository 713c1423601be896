"""The single figures of a run: its place in the result, its name, and how it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ovseg_ros.runs.results import GraphFigures, RunResult

Get = Callable[[RunResult], float | None]


def percent(value: float | None) -> str:
    """A share (0..1) as people read it; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Figure:
    """A figure of a result. `better` is +1 where more is better, -1 where less is, 0 where neither; a share
    (0..1) has the unit "%", its differences are in points; `key` marks those that the page's tiles show."""

    label: str
    value: Get
    better: int
    unit: str = "%"
    places: int = 1
    key: bool = True

    def text(self, value: float) -> str:
        """A value as people read it."""
        return self._format(value, "", self.unit)

    def difference(self, change: float) -> str:
        """A change of the value, with its sign."""
        return self._format(change, "+", "points" if self.unit == "%" else self.unit)

    def show(self, result: RunResult) -> str:
        """The figure as people read it; empty where the run does not have it."""
        value = self.value(result)
        return "" if value is None else self.text(value)

    def _format(self, value: float, sign: str, unit: str) -> str:
        scaled = 100 * value if self.unit == "%" else value
        return f"{scaled:{sign}.{self.places}f} {unit}".rstrip()


def _graph(get: Callable[[GraphFigures], float | None]) -> Get:
    return lambda run: None if run.graph is None else get(run.graph)


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "Quality": (
        Figure("mean IoU", lambda run: run.metrics.miou, +1),
        Figure("pixel accuracy", lambda run: run.metrics.pixel_accuracy, +1),
        Figure("mean accuracy", lambda run: run.metrics.mean_accuracy, +1),
        Figure("frequency-weighted IoU", lambda run: run.metrics.frequency_weighted_iou, +1),
        Figure("boundary F", lambda run: run.metrics.boundary_f, +1),
        Figure("flicker", lambda run: run.metrics.flicker, -1),
        Figure("flicker along the motion", lambda run: run.metrics.flicker_along_motion, -1),
        Figure("unlabelled pixels", lambda run: run.metrics.unlabelled_share, 0),
        Figure("frames scored", lambda run: run.metrics.frames, 0, "", 0),
    ),
    "Confidence": (
        Figure("calibration error (ECE)", lambda run: run.metrics.ece, -1),
        Figure("Brier score", lambda run: run.metrics.brier, -1, "", 3),
        Figure("best threshold", lambda run: run.metrics.best_threshold.threshold, 0, "", 3),
        Figure(
            "calibration error after the fit",
            lambda run: run.calibration.after.ece if run.calibration else None,
            -1,
            key=False,
        ),
        Figure("mean IoU at the best threshold", lambda run: run.metrics.best_threshold.miou, +1, key=False),
    ),
    "Speed": (
        Figure("latency, median", lambda run: run.latency_ms.p50, -1, "ms", 0),
        Figure("latency, 95th percentile", lambda run: run.latency_ms.p95, -1, "ms", 0),
        Figure("latency, 99th percentile", lambda run: run.latency_ms.p99, -1, "ms", 0),
        Figure("latency, largest", lambda run: run.latency_ms.max, -1, "ms", 0, key=False),
        Figure("frames a second", lambda run: run.frames_per_second, +1, "Hz"),
        Figure("peak memory", lambda run: run.peak_mb, -1, "MB", 0),
    ),
    "Frames": (
        Figure("frames sent", _graph(lambda graph: graph.frames_in), 0, "", 0),
        Figure("frames answered", _graph(lambda graph: graph.frames_out), 0, "", 0),
        Figure("frames dropped", _graph(lambda graph: graph.frames_dropped), -1, "", 0),
        Figure(
            "frames the node never received",
            _graph(lambda graph: graph.frames_not_received),
            -1,
            "",
            0,
            key=False,
        ),
        Figure("input rate", _graph(lambda graph: graph.rate.sent), 0, "Hz"),
        Figure("output rate", _graph(lambda graph: graph.rate.output), +1, "Hz"),
        Figure("jitter", _graph(lambda graph: graph.jitter_ms), -1, "ms", 0),
        Figure("service reply, median", _graph(lambda graph: graph.service_ms.p50), -1, "ms", 0),
        Figure("service reply, slowest", _graph(lambda graph: graph.service_ms.max), -1, "ms", 0, key=False),
        Figure("highest sustainable rate", _graph(lambda graph: graph.sustainable_rate), +1, "Hz"),
        Figure(
            "first answer after a loop",
            _graph(lambda graph: graph.recovery.first_answer_ms.p50 if graph.recovery else None),
            -1,
            "ms",
            0,
        ),
        Figure(
            "sent late by, 95th percentile",
            _graph(lambda graph: graph.sending.late_ms.p95),
            -1,
            "ms",
            0,
            key=False,
        ),
    ),
}
"""By group, in the order of the page."""
