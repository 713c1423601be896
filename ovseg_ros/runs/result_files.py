"""Writes and reads metrics.json and comparison.json, and says what is wrong with a file that is neither."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.runs.comparison import ComparisonResult
from ovseg_ros.runs.results import FrameResult, GraphFigures, RunResult

Result = TypeVar("Result", RunResult, ComparisonResult)

_FLAT = {"metrics": SegmentationMetrics, "graph": GraphFigures}
"""The parts of a result whose fields are on the level of the others in the file."""

_FIGURES = {field.name for part in _FLAT.values() for field in fields(part)} | {"latency_ms", "peak_mb"}


class ResultError(OvsegError):
    """A file is no result of a run, or holds what no run writes."""


def to_json(result: RunResult | ComparisonResult) -> str:
    """A result as the text of its file. Raises ValueError where a figure is NaN or infinite."""
    return json.dumps(as_json(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_result(path: Path) -> RunResult | ComparisonResult:
    """Read a file of `to_json`. Raises ResultError, which names the place that is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ResultError(f"{path} is no JSON ({error}); expected the metrics.json of a run") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path} holds {_short(content)}, expected the metrics.json of a run: an object")
    if "rows" in content:
        comparison = _validated(ComparisonResult, content, path)
        if not comparison.rows:
            raise ResultError(f"{path}: rows is empty, expected the rows of `ovseg compare`")
        return comparison
    if not _FIGURES & content.keys():
        raise ResultError(
            f"{path} has none of the figures of a run (miou, latency_ms, frames_in, ...); expected the "
            "metrics.json or --json file of `ovseg evaluate`, `replay`, `demo` or `compare`"
        )
    nested = _nested(content)
    if isinstance(phases := content.get("phases"), list):
        nested["phases"] = [_nested(phase) if isinstance(phase, dict) else phase for phase in phases]
    return _validated(RunResult, nested, path)


def as_json(value: Any) -> Any:
    """A result, or a part of one, as JSON has it: dictionaries, lists and plain values."""
    if is_dataclass(value):
        found: dict[str, Any] = {}
        for field in fields(value):
            item = getattr(value, field.name)
            if field.name in _FLAT:
                found.update(as_json(item) or {})
            elif item is not None or not field.metadata.get("optional"):
                found[field.name] = as_json(item)
        return found
    if isinstance(value, Mapping):
        return {key: as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # A frame has nothing but plain values, and there are many.
        return [dict(vars(item)) if isinstance(item, FrameResult) else as_json(item) for item in value]
    return value


def _nested(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content of a file with the fields of the flat parts in objects of their own."""
    found = dict(content)
    for name, part in _FLAT.items():
        inside = {field.name: found.pop(field.name) for field in fields(part) if field.name in found}
        if inside:
            found[name] = inside
    return found


def _validated(kind: type[Result], content: Mapping[str, Any], path: Path) -> Result:
    try:
        # As JSON text, for only there a list is a tuple in strict mode.
        return TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        wrong = error.errors()[0]
        places = [str(place) for place in wrong["loc"] if place not in _FLAT]
        where = f"{path}: {'.'.join(places)}"
        if wrong["type"] == "missing":
            raise ResultError(f"{where} is missing") from error
        expected = wrong["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
        if wrong["type"] in ("greater_than_equal", "less_than_equal"):
            expected = f"a number {expected}"
        raise ResultError(f"{where} is {_short(wrong['input'])}, expected {expected}") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
