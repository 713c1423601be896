"""The single figures of a run: where each stands in metrics.json, what it is called, how people read it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


def percent(value: float | None) -> str:
    """A share (0..1) as people read it; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points"


def _unit(unit: str, places: int = 0) -> Callable[[float], str]:
    return lambda value: f"{value:.{places}f} {unit}"


def _signed(unit: str, places: int = 0) -> Callable[[float], str]:
    return lambda value: f"{value:+.{places}f} {unit}"


@dataclass(frozen=True)
class Figure:
    """A figure at `path` of metrics.json. `better` is +1 where more is better, -1 where less is, 0 where
    neither; `key` marks those that stand in the page's tiles."""

    path: str
    label: str
    text: Callable[[float], str]
    difference: Callable[[float], str]
    better: int
    key: bool = True

    def value(self, metrics: Mapping[str, Any]) -> float | None:
        """The figure of a run; None where the run does not have it."""
        return number(metrics, self.path)

    def show(self, metrics: Mapping[str, Any]) -> str:
        """The figure as people read it; a dash where the run does not have it."""
        value = self.value(metrics)
        return "-" if value is None else self.text(value)


def number(metrics: Mapping[str, Any], path: str) -> float | None:
    """The number at a path such as "latency_ms.p50"; None where there is none."""
    found: Any = metrics
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not math.isfinite(found):
        return None
    return float(found)


def _share(path: str, label: str, better: int, key: bool = True) -> Figure:
    return Figure(path, label, percent, _points, better, key)


def _ms(path: str, label: str, key: bool = True) -> Figure:
    return Figure(path, label, _unit("ms"), _signed("ms"), -1, key)


def _hz(path: str, label: str, better: int, key: bool = True) -> Figure:
    return Figure(path, label, _unit("Hz", 1), _signed("Hz", 1), better, key)


def _count(path: str, label: str, better: int = 0, key: bool = True) -> Figure:
    return Figure(path, label, lambda value: f"{value:.0f}", lambda value: f"{value:+.0f}", better, key)


def _plain(path: str, label: str, better: int, key: bool = True) -> Figure:
    return Figure(path, label, lambda value: f"{value:.3f}", lambda value: f"{value:+.3f}", better, key)


FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "Quality": (
        _share("miou", "mean IoU", +1),
        _share("pixel_accuracy", "pixel accuracy", +1),
        _share("mean_accuracy", "mean accuracy", +1),
        _share("frequency_weighted_iou", "frequency-weighted IoU", +1),
        _share("boundary_f", "boundary F", +1),
        _share("flicker", "flicker", -1),
        _share("flicker_along_motion", "flicker along the motion", -1),
        _share("unlabelled_share", "unlabelled pixels", 0),
        _count("frames", "frames scored"),
    ),
    "Confidence": (
        _share("ece", "calibration error (ECE)", -1),
        _plain("brier", "Brier score", -1),
        _plain("best_threshold.threshold", "best threshold", 0),
        _share("calibration.after.ece", "calibration error after the fit", -1, key=False),
        _share("best_threshold.miou", "mean IoU at the best threshold", +1, key=False),
    ),
    "Speed": (
        _ms("latency_ms.p50", "latency, median"),
        _ms("latency_ms.p95", "latency, 95th percentile"),
        _ms("latency_ms.p99", "latency, 99th percentile"),
        _ms("latency_ms.max", "latency, largest", key=False),
        _hz("frames_per_second", "frames a second", +1),
        Figure("peak_mb", "peak memory", _unit("MB"), _signed("MB"), -1),
    ),
    "Frames": (
        _count("frames_in", "frames sent"),
        _count("frames_out", "frames answered"),
        _count("frames_dropped", "frames dropped", -1),
        _count("frames_not_received", "frames the node never received", -1, key=False),
        _hz("rate.sent", "input rate", 0),
        _hz("rate.output", "output rate", +1),
        _ms("jitter_ms", "jitter"),
        _ms("service_ms.p50", "service reply, median"),
        _ms("service_ms.max", "service reply, slowest", key=False),
        _hz("sustainable_rate", "highest sustainable rate", +1),
        _ms("recovery.first_answer_ms.p50", "first answer after a loop"),
        _ms("sending.late_ms.p95", "sent late by, 95th percentile", key=False),
    ),
}
"""By group, in the order of the page."""
