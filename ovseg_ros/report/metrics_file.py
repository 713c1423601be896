"""Reads the metrics.json of runs, and says what is wrong with a file that is none."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovseg_ros.errors import OvsegError
from ovseg_ros.report.figures import FIGURES

_FILE_NAME = "metrics.json"


class ReportError(OvsegError):
    """A file is no metrics.json, or holds what no run writes."""


@dataclass(frozen=True)
class Run:
    """A run: how it is called beside others, and what stands in its metrics.json."""

    label: str
    metrics: Mapping[str, Any]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read metrics.json files, or folders that hold one; the file of an `ovseg compare` gives a run for each
    method, its reference first. Labels are file, folder or method names, and unique.

    Raises ReportError.
    """
    runs: list[Run] = []
    for path in paths:
        found = path / _FILE_NAME if path.is_dir() else path
        content = _read(found)
        label = found.resolve().parent.name if found.name == _FILE_NAME else found.stem
        if "rows" in content:
            runs += _methods(content, str(found))
        else:
            runs.append(Run(label, _checked(content, str(found))))
    return _unique(runs)


def _methods(content: Mapping[str, Any], where: str) -> list[Run]:
    """The runs of an `ovseg compare`; what it says of all of them is said of each."""
    rows = content["rows"]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ReportError(f"{where}: 'rows' is {_short(rows)}, expected the rows of `ovseg compare`")
    runs = []
    for row in sorted(rows, key=lambda row: row.get("name") != content.get("reference")):
        metrics = {
            **{key: content[key] for key in ("frames", "model", "device", "command") if key in content},
            "kind": "compare",
            "source": content.get("data"),
            "configuration": {key: content.get(key) for key in ("precision", "templates", "classes")},
            "method": row.get("name"),
            "latency_ms": {"p50": row.get("p50_ms"), "p95": row.get("p95_ms")},
            **{key: row.get(key) for key in ("miou", "pixel_accuracy", "per_class_iou", "peak_mb")},
        }
        runs.append(Run(str(row.get("name")), _checked(metrics, where)))
    return runs


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ReportError(f"{path} is no JSON ({error}); expected the metrics.json of a run") from error
    if not isinstance(content, dict):
        raise ReportError(f"{path} holds {_short(content)}, expected the metrics.json of a run: an object")
    return content


def _checked(content: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The content, if a report can be made of it."""
    roots = [figure.path.partition(".")[0] for figures in FIGURES.values() for figure in figures]
    if not any(root in content for root in roots):
        raise ReportError(
            f"{where} has none of the figures of a run ({', '.join(roots[:4])}, ...); expected the "
            "metrics.json or --json file of `ovseg evaluate`, `replay`, `demo` or `compare`"
        )
    for key, (fits, expected) in _FORMS.items():
        if content.get(key) is not None and not fits(content[key]):
            raise ReportError(f"{where}: {key!r} is {_short(content[key])}, expected {expected}")
    return content


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: Any) -> bool:
    return value is None or (_is_number(value) and 0 <= value <= 1)


def _are_shares(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_share, value.values()))


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _is_matrix(value: Any) -> bool:
    if not isinstance(value, dict) or not all(_are_names(value.get(key)) for key in ("truth", "predicted")):
        return False
    rows, columns, counts = value["truth"], value["predicted"], value.get("counts")
    return (
        columns[: len(rows)] == rows
        and isinstance(counts, list)
        and len(counts) == len(rows)
        and all(isinstance(row, list) and len(row) == len(columns) for row in counts)
        and all(_is_count(count) for row in counts for count in row)
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_bins(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and _is_number(entry.get("low"))
        and _is_number(entry.get("high"))
        and _is_count(entry.get("pixels"))
        and all(
            _is_share(entry.get(key)) and (entry.get(key) is not None or not entry["pixels"])
            for key in ("confidence", "accuracy")
        )
        for entry in value
    )


def _are_phases(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(phase, dict)
        and _is_count(phase.get("revision"))
        and _is_count(phase.get("frames"))
        and all(_are_names(phase.get(key)) for key in ("classes", "background", "ignored"))
        and all(_is_share(phase.get(key)) for key in ("miou", "pixel_accuracy"))
        and _are_shares(phase.get("per_class_iou") or {})
        for phase in value
    )


def _are_frames(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(frame, dict)
        and _is_count(frame.get("number"))
        and (frame.get("revision") is None or _is_count(frame["revision"]))
        and all(frame.get(key) is None or _is_number(frame[key]) for key in ("sent_s", "latency_ms", "miou"))
        for frame in value
    )


def _is_call(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("success"), bool)
        and isinstance(value.get("message"), str)
        and _is_count(value.get("before_frame"))
        and _is_number(value.get("reply_ms"))
    )


def _is_fit(value: Any) -> bool:
    return isinstance(value, dict) and _are_bins(value.get("reliability_after") or [])


_FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "per_class_iou": (_are_shares, "shares (0..1 or null) by class name"),
    "per_class_boundary_f": (_are_shares, "shares (0..1 or null) by class name"),
    "confusion": (_is_matrix, "'truth' and 'predicted' names and 'counts', a row for each true class"),
    "reliability": (_are_bins, "bins with low, high, pixels, confidence and accuracy"),
    "phases": (_are_phases, "vocabularies with revision, classes, background, frames and figures"),
    "calibration": (_is_fit, "a fit with temperature, threshold and reliability_after"),
    "set_vocabulary": (_is_call, "a call with success, message, before_frame and reply_ms"),
    "notes": (_are_names, "a list of texts"),
    "per_frame": (_are_frames, "frames with number, sent_s, revision, latency_ms and miou"),
}


def _unique(runs: list[Run]) -> list[Run]:
    """The runs with labels of which none occurs twice."""
    labels: list[str] = []
    for run in runs:
        label, number = run.label, 2
        while label in labels:
            label, number = f"{run.label} ({number})", number + 1
        labels.append(label)
    return [Run(label, run.metrics) for label, run in zip(labels, runs, strict=True)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
