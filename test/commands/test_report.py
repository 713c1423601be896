"""`ovseg report`: figures on stdout, pages to files, errors in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def write(path: Path, **metrics: Any) -> Path:
    path.write_text(json.dumps({"frames": 10, "bag": "street", **metrics}), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / "a.json", miou=0.5, per_class_iou={"road": 0.5}, method="clipseg"),
        write(tmp_path / "b.json", miou=0.25, per_class_iou={"road": 0.25}, method="maskclip"),
    ]


def test_two_runs_on_the_terminal(ovseg: Run, files: list[Path]) -> None:
    result = ovseg("report", *files)
    assert result.exit_code == 0, result.output
    lines = {line.split("│")[1].strip(): line for line in result.stdout.splitlines() if line.count("│") > 2}
    assert "50.0 %" in lines["mean IoU"]
    assert "25.0 %  -25.0 points" in lines["mean IoU"]
    assert "-25.0 points" in lines["road"]
    assert "maskclip" in lines["method"]
    assert not result.stderr


def test_cautions_go_to_stderr(ovseg: Run, files: list[Path], tmp_path: Path) -> None:
    result = ovseg("report", files[0], write(tmp_path / "c.json", miou=0.5, bag="desk"))
    assert result.exit_code == 0
    assert "different recordings" in result.stderr


def test_pages_of_two_runs(ovseg: Run, files: list[Path], tmp_path: Path) -> None:
    page, text, figures = tmp_path / "page.html", tmp_path / "page.md", tmp_path / "page.json"
    result = ovseg("report", *files, "--output", page, "--markdown", text, "--json", figures)
    assert result.exit_code == 0, result.output
    assert "runs compared" in page.read_text(encoding="utf-8")
    assert "-25.0 points" in text.read_text(encoding="utf-8")
    assert json.loads(figures.read_text(encoding="utf-8"))["figures"]["mean IoU"] == [0.5, 0.25]


def test_the_report_of_one_run_again(ovseg: Run, files: list[Path], tmp_path: Path) -> None:
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    result = ovseg("report", files[0], "--output", page, "--markdown", text)
    assert result.exit_code == 0, result.output
    assert "street</h1>" in page.read_text(encoding="utf-8")
    assert "# Replay of street" in text.read_text(encoding="utf-8")
    assert "50.0 %" in result.stdout


def test_names_that_look_like_markup_stay_as_they_are(ovseg: Run, tmp_path: Path) -> None:
    result = ovseg("report", write(tmp_path / "[red]x.json", miou=0.5, per_class_iou={"[bold]": 0.5}))
    assert result.exit_code == 0, result.output
    assert "[red]x" in result.stdout
    assert "[bold]" in result.stdout


def test_a_file_that_is_none_is_refused_in_a_line(ovseg: Run, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    result = ovseg("report", tmp_path / "a.json")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path / 'a.json'} has none of the figures of a run")
    assert result.stderr.count("\n") == 1
    assert ovseg("report", tmp_path / "absent.json").exit_code == 2
