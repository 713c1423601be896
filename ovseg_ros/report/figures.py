"""The single figures of a run: where each stands in its result, what it is called, how people read it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ovseg_ros.runs.results import GraphFigures, RunResult

Get = Callable[[RunResult], float | None]


def percent(value: float | None) -> str:
    """A share (0..1) as people read it; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Figure:
    """A figure of a result. `better` is +1 where more is better, -1 where less is, 0 where neither; `key`
    marks those that stand in the page's tiles."""

    value: Get
    label: str
    text: Callable[[float], str]
    difference: Callable[[float], str]
    better: int
    key: bool = True

    def show(self, result: RunResult) -> str:
        """The figure as people read it; empty where the run does not have it."""
        value = self.value(result)
        return "" if value is None else self.text(value)


def _share(value: Get, label: str, better: int, key: bool = True) -> Figure:
    return Figure(value, label, percent, lambda change: f"{100 * change:+.1f} points", better, key)


def _number(
    value: Get, label: str, better: int, *, unit: str = "", places: int = 0, key: bool = True
) -> Figure:
    behind = f" {unit}" if unit else ""
    return Figure(
        value,
        label,
        lambda value: f"{value:.{places}f}{behind}",
        lambda change: f"{change:+.{places}f}{behind}",
        better,
        key,
    )


def _ms(value: Get, label: str, key: bool = True) -> Figure:
    return _number(value, label, -1, unit="ms", key=key)


def _hz(value: Get, label: str, better: int) -> Figure:
    return _number(value, label, better, unit="Hz", places=1)


def _of_graph(get: Callable[[GraphFigures], float | None]) -> Get:
    return lambda run: None if run.graph is None else get(run.graph)


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "Quality": (
        _share(lambda run: run.metrics.miou, "mean IoU", +1),
        _share(lambda run: run.metrics.pixel_accuracy, "pixel accuracy", +1),
        _share(lambda run: run.metrics.mean_accuracy, "mean accuracy", +1),
        _share(lambda run: run.metrics.frequency_weighted_iou, "frequency-weighted IoU", +1),
        _share(lambda run: run.metrics.boundary_f, "boundary F", +1),
        _share(lambda run: run.metrics.flicker, "flicker", -1),
        _share(lambda run: run.metrics.flicker_along_motion, "flicker along the motion", -1),
        _share(lambda run: run.metrics.unlabelled_share, "unlabelled pixels", 0),
        _number(lambda run: run.metrics.frames, "frames scored", 0),
    ),
    "Confidence": (
        _share(lambda run: run.metrics.ece, "calibration error (ECE)", -1),
        _number(lambda run: run.metrics.brier, "Brier score", -1, places=3),
        _number(lambda run: run.metrics.best_threshold.threshold, "best threshold", 0, places=3),
        _share(
            lambda run: run.calibration.after.ece if run.calibration else None,
            "calibration error after the fit",
            -1,
            key=False,
        ),
        _share(lambda run: run.metrics.best_threshold.miou, "mean IoU at the best threshold", +1, key=False),
    ),
    "Speed": (
        _ms(lambda run: run.latency_ms.p50, "latency, median"),
        _ms(lambda run: run.latency_ms.p95, "latency, 95th percentile"),
        _ms(lambda run: run.latency_ms.p99, "latency, 99th percentile"),
        _ms(lambda run: run.latency_ms.max, "latency, largest", key=False),
        _hz(lambda run: run.frames_per_second, "frames a second", +1),
        _number(lambda run: run.peak_mb, "peak memory", -1, unit="MB"),
    ),
    "Frames": (
        _number(_of_graph(lambda graph: graph.frames_in), "frames sent", 0),
        _number(_of_graph(lambda graph: graph.frames_out), "frames answered", 0),
        _number(_of_graph(lambda graph: graph.frames_dropped), "frames dropped", -1),
        _number(
            _of_graph(lambda graph: graph.frames_not_received),
            "frames the node never received",
            -1,
            key=False,
        ),
        _hz(_of_graph(lambda graph: graph.rate.sent), "input rate", 0),
        _hz(_of_graph(lambda graph: graph.rate.output), "output rate", +1),
        _ms(_of_graph(lambda graph: graph.jitter_ms), "jitter"),
        _ms(_of_graph(lambda graph: graph.service_ms.p50), "service reply, median"),
        _ms(_of_graph(lambda graph: graph.service_ms.max), "service reply, slowest", key=False),
        _hz(_of_graph(lambda graph: graph.sustainable_rate), "highest sustainable rate", +1),
        _ms(
            _of_graph(lambda graph: graph.recovery.first_answer_ms.p50 if graph.recovery else None),
            "first answer after a loop",
        ),
        _ms(_of_graph(lambda graph: graph.sending.late_ms.p95), "sent late by, 95th percentile", key=False),
    ),
}
"""By group, in the order of the page."""
