"""The single figures of a run: its place in the result, its name, and how it is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

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


_share = partial(Figure, unit="%", places=1)
_time = partial(Figure, better=-1, unit="ms", places=0)
_rate = partial(Figure, better=+1, unit="Hz", places=1)
_number = partial(Figure, better=0, unit="", places=3)
_count = partial(_number, places=0)


def _graph(get: Callable[[GraphFigures], float | None]) -> Get:
    return lambda run: None if run.graph is None else get(run.graph)


def _fitted_ece(run: RunResult) -> float | None:
    return run.calibration.after.ece if run.calibration else None


def _not_received(graph: GraphFigures) -> float | None:
    return graph.frames_not_received


def _first_answer(graph: GraphFigures) -> float | None:
    return graph.recovery.first_answer_ms.p50 if graph.recovery else None


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "Quality": (
        _share("mean IoU", lambda run: run.metrics.miou, +1),
        _share("pixel accuracy", lambda run: run.metrics.pixel_accuracy, +1),
        _share("mean accuracy", lambda run: run.metrics.mean_accuracy, +1),
        _share("frequency-weighted IoU", lambda run: run.metrics.frequency_weighted_iou, +1),
        _share("boundary F", lambda run: run.metrics.boundary_f, +1),
        _share("flicker", lambda run: run.metrics.flicker, -1),
        _share("flicker along the motion", lambda run: run.metrics.flicker_along_motion, -1),
        _share("unlabelled pixels", lambda run: run.metrics.unlabelled_share, 0),
        _count("frames scored", lambda run: run.metrics.frames),
    ),
    "Confidence": (
        _share("calibration error (ECE)", lambda run: run.metrics.ece, -1),
        _number("Brier score", lambda run: run.metrics.brier, better=-1),
        _number("best threshold", lambda run: run.metrics.best_threshold.threshold),
        _share("calibration error after the fit", _fitted_ece, -1, key=False),
        _share("mean IoU at the best threshold", lambda run: run.metrics.best_threshold.miou, +1, key=False),
    ),
    "Speed": (
        _time("latency, median", lambda run: run.latency_ms.p50),
        _time("latency, 95th percentile", lambda run: run.latency_ms.p95),
        _time("latency, 99th percentile", lambda run: run.latency_ms.p99),
        _time("latency, largest", lambda run: run.latency_ms.max, key=False),
        _rate("frames a second", lambda run: run.frames_per_second),
        Figure("peak memory", lambda run: run.peak_mb, -1, "MB", 0),
    ),
    "Frames": (
        _count("frames sent", _graph(lambda graph: graph.frames_in)),
        _count("frames answered", _graph(lambda graph: graph.frames_out)),
        _count("frames dropped", _graph(lambda graph: graph.frames_dropped), better=-1),
        _count(
            "frames the node never received", _graph(lambda g: g.frames_not_received), better=-1, key=False
        ),
        _rate("input rate", _graph(lambda graph: graph.rate.sent), better=0),
        _rate("output rate", _graph(lambda graph: graph.rate.output)),
        _time("jitter", _graph(lambda graph: graph.jitter_ms)),
        _time("service reply, median", _graph(lambda graph: graph.service_ms.p50)),
        _time("service reply, slowest", _graph(lambda graph: graph.service_ms.max), key=False),
        _rate("highest sustainable rate", _graph(lambda graph: graph.sustainable_rate)),
        _time("first answer after a loop", _graph(_first_answer)),
        _time("sent late by, 95th percentile", _graph(lambda graph: graph.sending.late_ms.p95), key=False),
    ),
}
"""By group, in the order of the page."""
