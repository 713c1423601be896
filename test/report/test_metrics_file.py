"""What is a metrics.json, and what is said of a file that is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ovseg_ros.report.compare import compare
from ovseg_ros.report.comparison_page import render_comparison
from ovseg_ros.report.markdown import run_as_markdown
from ovseg_ros.report.metrics_file import ReportError, read_runs
from ovseg_ros.report.page import render

from .stand_in_run import make_run


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_files_and_folders_are_read_and_named(tmp_path: Path) -> None:
    run = make_run()
    run.write(tmp_path / "monday" / "metrics.json")
    run.write(tmp_path / "tuesday.json")
    runs = read_runs([tmp_path / "monday", tmp_path / "monday" / "metrics.json", tmp_path / "tuesday.json"])
    assert [found.label for found in runs] == ["monday", "monday (2)", "tuesday"]
    assert all(found.metrics == run.metrics for found in runs)


def test_a_comparison_of_methods_is_a_run_each_the_reference_first(tmp_path: Path) -> None:
    row = {
        "pixel_accuracy": 0.8,
        "p50_ms": 3.0,
        "p95_ms": 4.0,
        "peak_mb": 50.0,
        "per_class_iou": {"road": 0.5},
    }
    content = {
        "data": "street",
        "model": "tiny",
        "precision": "float32",
        "frames": 7,
        "reference": "clipseg",
        "rows": [{"name": "maskclip", "miou": 0.25, **row}, {"name": "clipseg", "miou": 0.5, **row}],
    }
    runs = read_runs([write(tmp_path / "comparison.json", content)])
    assert [run.label for run in runs] == ["clipseg", "maskclip"]
    comparison = compare(runs)
    figures = comparison.figures()["figures"]
    assert figures["mean IoU"] == [0.5, 0.25]
    assert figures["latency, median"] == [3.0, 3.0]
    assert figures["frames scored"] == [7.0, 7.0]
    assert comparison.settings == (("method", ("clipseg", "maskclip")),)
    assert comparison.same["precision"] == "float32"
    assert not comparison.cautions
    assert "Evaluation of street" in render(runs[0].metrics)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[" * 100000, "is no JSON"),
        ("[1, 2]", r"holds \[1, 2\], expected"),
        ({"a": 1}, "none of the figures of a run"),
        ({"rows": 3}, "'rows' is 3, expected the rows of"),
        ({"rows": []}, "expected the rows of"),
        ({"rows": [{"miou": 1}, 5]}, "expected the rows of"),
        ({"rows": [{"name": "a", "per_class_iou": 3}]}, "expected shares"),
        ({"miou": 0.5, "per_class_iou": [1]}, "'per_class_iou' is .* expected shares"),
        ({"miou": 0.5, "per_class_iou": {"road": 50}}, "expected shares"),
        ({"miou": 0.5, "per_class_iou": {"road": float("nan")}}, "expected shares"),
        ({"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["a"], "counts": [[1, 2]]}}, "'confusion'"),
        ({"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["b"], "counts": [[1]]}}, "'confusion'"),
        ({"miou": 0.5, "confusion": {"truth": ["a"], "predicted": ["a"], "counts": [[-1]]}}, "'confusion'"),
        ({"miou": 0.5, "reliability": [{"low": 0}]}, "expected bins"),
        ({"miou": 0.5, "phases": [{}]}, "expected vocabularies"),
        ({"miou": 0.5, "set_vocabulary": {"success": True}}, "expected a call"),
        ({"miou": 0.5, "notes": "none"}, "expected a list of texts"),
        ({"miou": 0.5, "per_frame": [{"number": -1}]}, "expected frames"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, content: Any, message: str) -> None:
    path = write(tmp_path / "run.json", content)
    with pytest.raises(ReportError, match=message) as error:
        read_runs([path])
    assert str(path) in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="No such file"):
        read_runs([tmp_path / "absent.json"])
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReportError, match=r"metrics.json cannot be read"):
        read_runs([tmp_path / "folder"])
    (tmp_path / "picture.json").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ReportError, match="is no JSON"):
        read_runs([tmp_path / "picture.json"])


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 300) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
USUAL = make_run(count=2).metrics
KEYS = sorted(USUAL.keys() | {"set_vocabulary", "notes", "rate", "rows", "bag", "image_topic"})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.sampled_from(KEYS), anything)
def test_a_file_is_refused_or_a_report_is_made_of_it(tmp_path: Path, key: str, value: Any) -> None:
    path = write(tmp_path / "run.json", {**USUAL, key: value})
    try:
        runs = read_runs([path])
    except ReportError:
        return
    for run in runs:
        render(run.metrics)
        run_as_markdown(run.metrics)
    render_comparison(runs, compare([*runs, *runs]))
