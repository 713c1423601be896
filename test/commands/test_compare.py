"""`ovseg compare`: what it prints and writes, and how it takes trouble."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import Result

from ovseg_ros.clipseg import METHODS
from ovseg_ros.commands.compare import report
from ovseg_ros.metrics.bootstrap import Interval
from ovseg_ros.runs.comparison import ComparisonResult, MethodResult
from ovseg_ros.runs.runners import RunnerResult, SeparateRunner

Run = Callable[..., Result]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three frames with truth, and a fourth image without."""
    folder = tmp_path / "data"
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("road\nsky\n")
    for number in range(4):
        labels = np.zeros((48, 64), np.uint8)
        labels[: 10 + 8 * number] = 1
        labels[-2:] = 255
        image = np.array([[90, 90, 90], [120, 180, 240]], np.uint8)[np.minimum(labels, 1)]
        cv2.imwrite(str(folder / "images" / f"{number}.png"), image)
        if number < 3:
            cv2.imwrite(str(folder / "labels" / f"{number}.png"), labels)
    return folder


@pytest.fixture
def compare(ovseg: Run, dataset: Path, tiny_model_dir: Path) -> Run:
    """Runs `ovseg compare` on the dataset with a small model of random weights."""

    def run(*arguments: object) -> Result:
        model = ("--model", tiny_model_dir, "--device", "cpu", "--short-side", 64, "--draws", 100)
        return ovseg("compare", dataset, *model, *arguments)

    return run


def test_all_methods_in_all_forms(compare: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = compare("--limit", 3, "--output", out)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "comparison.json").read_text())
    assert [row["name"] for row in found["rows"]] == list(METHODS)
    assert (found["frames"], found["reference"], found["bootstrap"]["draws"]) == (3, "vanilla", 100)
    for row in found["rows"]:
        low, high = row["miou_interval"]
        assert 0 <= low <= high <= 1
        assert 0 <= row["miou"] <= 1
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert set(row["per_class_iou"]) == {"road", "sky"}
        assert f"\n{row['name']} " in "\n" + result.stdout
    assert found["rows"][0]["miou_difference"] == 0
    page = (out / "comparison.md").read_text()
    assert page.count("| clipseg |") == 2  # its row, and its column of the classes' table
    assert (out / "comparison.svg").read_text().startswith("<svg")


def test_chosen_methods_into_chosen_files(compare: Run, tmp_path: Path) -> None:
    files = [tmp_path / "deep" / name for name in ("a.json", "b.md", "c.svg")]
    result = compare(
        "--limit", 2, "--methods", "clipseg, sclip", "--reference", "sclip", "--seed", 7,
        "--json", files[0], "--markdown", files[1], "--plot", files[2],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert all(file.stat().st_size > 100 for file in files)
    found = json.loads(files[0].read_text())
    assert [row["name"] for row in found["rows"]] == ["clipseg", "sclip"]
    assert (found["reference"], found["bootstrap"]["seed"]) == ("sclip", 7)
    assert found["rows"][1]["miou_difference"] == 0


def test_figures_do_not_depend_on_the_company(compare: Run, tmp_path: Path) -> None:
    """A method has the same figures alone, beside others, and with shared blocks."""
    rows = []
    for number, extra in enumerate((["--methods", "clipseg"], ["--methods", "gem,clipseg"], ["--ablate"])):
        file = tmp_path / f"{number}.json"
        assert compare("--limit", 3, *extra, "--json", file).exit_code == 0
        found = json.loads(file.read_text())["rows"]
        rows.append(next(row for row in found if row["name"] == "clipseg"))
    assert rows[0]["miou"] == rows[1]["miou"]
    assert rows[0]["miou_interval"] == rows[1]["miou_interval"]
    assert rows[2]["miou"] == pytest.approx(rows[0]["miou"], abs=2e-3)  # on ties a bit of rounding decides


def test_ablation_says_what_its_times_are(compare: Run) -> None:
    result = compare("--limit", 1, "--ablate")
    assert result.exit_code == 0, result.output
    for name in ("neither CERA nor DSI", "lambda 0.25", "reading sum", "MLP on"):
        assert name in result.stdout
    assert "run once for all rows" in result.stdout


def test_a_frame_without_truth_is_told(compare: Run) -> None:
    result = compare("--methods", "maskclip")
    assert result.exit_code == 1
    assert "3 frames." in result.stdout
    assert "no ground truth" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methods", "clipseg,nothing"], ["nothing", "clipseg", "sclip"]),
        (["--methods", "clipseg,clipseg"], ["named twice"]),
        (["--methods", "clipseg", "--reference", "sclip"], ["reference", "sclip", "clipseg"]),
        (["--classes", "dog, cat"], ["road", "dog", "--mapping"]),
    ],
)
def test_what_cannot_be_compared_is_said(compare: Run, arguments: list[str], words: list[str]) -> None:
    result = compare(*arguments)
    assert result.exit_code == 1
    for word in words:
        assert word in result.stderr


def test_no_number_is_cut_off_in_a_narrow_window(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    ends = Interval(0.123, 0.789)
    row = MethodResult(
        "a rather long name", 0.5, ends, 0.6, ends, 0.1, ends, 1234.5, 2345.6, 12345.0, {"road": 0.5}
    )
    report(ComparisonResult(model="tiny", device="cpu", frames=3, reference="another", rows=(row,)))
    printed = capsys.readouterr().out
    assert "…" not in printed
    for part in ("a rather long name", "50.0 [12.3, 78.9]", "+10.0 [+12.3, +78.9]*", "2345.6", "12345"):
        assert part in printed


def test_ctrl_c_gives_what_there_is(compare: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    label = SeparateRunner.run
    calls: list[int] = []

    def interrupted(self: SeparateRunner, image: np.ndarray) -> list[RunnerResult]:
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return label(self, image)

    monkeypatch.setattr(SeparateRunner, "run", interrupted)
    file = tmp_path / "found.json"
    result = compare("--methods", "clipseg", "--json", file)
    assert result.exit_code == 130
    found = json.loads(file.read_text())
    assert (found["frames"], found["interrupted"]) == (2, True)
    assert "interrupted after 2 frames" in result.stderr
