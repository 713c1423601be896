"""What is a metrics.json, and what is said of a file that is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovseg_ros.report.page import render, render_comparison, run_as_markdown
from ovseg_ros.report.side_by_side import put_side_by_side, read_runs
from ovseg_ros.runs.comparison import ComparisonResult
from ovseg_ros.runs.result_files import ResultError, as_json, read_result, to_json
from ovseg_ros.runs.results import RunResult

from ..filled_result import filled
from ..report.stand_in_run import make_run


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", [RunResult, ComparisonResult])
def test_every_field_comes_back(tmp_path: Path, kind: type) -> None:
    result = filled(kind)
    assert read_result(write(tmp_path / "run.json", to_json(result))) == result


def test_what_a_run_does_not_have_is_left_out_or_null() -> None:
    content = as_json(RunResult(kind="evaluate"))
    assert content["miou"] is None
    assert content["latency_ms"] == dict.fromkeys(("p50", "p95", "p99", "max"))
    assert not {"metrics", "graph", "frames_in", "calibration", "set_vocabulary"} & content.keys()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_no_json_can_hold_is_not_written(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(RunResult(seconds=value))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100000, "is no JSON"),
        ("[1, 2]", r"holds \[1, 2\], expected"),
        ({"a": 1}, "none of the figures of a run"),
        ({"frames": 1, "reference": "a", "rows": 3}, "rows is 3, expected a valid array"),
        ({"frames": 1, "reference": "a", "rows": []}, "expected the rows of"),
        ({"rows": [{"name": "a"}]}, "frames is missing"),
        ({"frames": 1, "reference": "a", "rows": [{"miou": 1}]}, "rows.0.name is missing"),
        ({"frames": 1, "reference": "a", "rows": [{"name": "a", "per_class_iou": 3}]}, "is 3, expected an"),
        ({"miou": "high"}, "miou is 'high', expected a valid number"),
        ({"miou": True}, "miou is True, expected a valid number"),
        ({"miou": 0.5, "kind": "run"}, "kind is 'run', expected 'evaluate', 'replay', 'demo' or 'compare'"),
        ({"latency_ms": {"p50": float("inf")}}, "latency_ms.p50 is inf, expected a finite number"),
        ({"miou": 0.5, "per_class_iou": [1]}, "per_class_iou is .* expected an object"),
        (
            {"miou": 0.5, "per_class_iou": {"road": 50}},
            "road is 50, expected a number less",
        ),
        ({"miou": 0.5, "per_class_iou": {"road": float("nan")}}, "road is nan, expected a number less than"),
        (
            {"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["a"], "counts": [[1, 2]]}},
            "confusion is .*, expected 1 rows of 1 counts",
        ),
        (
            {"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["b"], "counts": [[1]]}},
            "confusion is .*, expected predicted names that begin with the true ones",
        ),
        (
            {"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["a"], "counts": [[-1]]}},
            "confusion.counts.0.0 is -1, expected a number greater than or equal to 0",
        ),
        ({"miou": 0.5, "reliability": [{"low": 0}]}, "reliability.0.high is missing"),
        (
            {"reliability": [{"low": 0, "high": 1, "pixels": 3, "confidence": None, "accuracy": None}]},
            "reliability.0 is .*, expected confidence and accuracy of a bin with pixels",
        ),
        ({"miou": 0.5, "phases": [{}]}, "phases.0.revision is missing"),
        ({"miou": 0.5, "phases": [3]}, "phases.0 is 3, expected an object"),
        (
            {
                "phases": [{"revision": 1, "classes": [], "background": [], "ignored": [], "miou": 2}],
                "ece": 0,
            },
            "phases.0.miou is 2, expected a number less",
        ),
        ({"miou": 0.5, "set_vocabulary": {"success": True}}, "set_vocabulary.before_frame is missing"),
        ({"miou": 0.5, "notes": "none"}, "notes is 'none', expected a valid array"),
        ({"miou": 0.5, "per_frame": [{"number": -1}]}, "per_frame.0.number is -1, expected a number"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "run.json", content)
    with pytest.raises(ResultError, match=message) as error:
        read_result(path)
    assert str(path) in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="No such file"):
        read_result(tmp_path / "absent.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResultError, match=r"metrics.json cannot be read"):
        read_runs([tmp_path / "folder"])
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ResultError, match="is no JSON"):
        read_result(tmp_path / "picture.json")


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
USUAL = as_json(make_run(count=2).result)
KEYS = sorted(USUAL.keys() | {"set_vocabulary", "notes", "rate", "rows", "bag", "image_topic"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sampled_from(KEYS), anything)
def test_a_file_is_refused_or_a_report_is_made_of_it(tmp_path: Path, key: str, value: Any) -> None:
    path = write(tmp_path / "run.json", {**USUAL, key: value})
    try:
        runs = read_runs([path])
    except ResultError:
        return
    for run in runs:
        render(run.result)
        run_as_markdown(run.result)
    render_comparison(runs, put_side_by_side([*runs, *runs]))
