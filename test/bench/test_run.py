import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ovseg_ros.bench.run import BenchOptions, run_bench, timed_runs
from ovseg_ros.cli import app

ROW = {
    *("name", "method", "device", "precision", "size", "short_side", "classes", "batch"),
    *("p50_ms", "p95_ms", "p99_ms", "peak_mb", "stages_ms", "ratio_to_singles"),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovseg_ros.bench.floor.SECONDS", 0.02)


def options(tiny_model_dir: Path, **settings: object) -> BenchOptions:
    small = {"sizes": ((60, 80),), "short_sides": (64,), "rounds": 2, "device": "cpu", **settings}
    return BenchOptions(model=str(tiny_model_dir), **small)


def test_every_setting_has_its_two_rows(tiny_model_dir: Path) -> None:
    chosen = options(tiny_model_dir, methods=("clipseg", "naclip"), classes=(2, 30), batches=(1, 2))
    steps: list[int] = []
    result = run_bench(chosen, step=lambda: steps.append(1))
    assert len(steps) == timed_runs(chosen)
    assert set(result) == {"machine", "floor_ms", "rows", "ratio_to_reference"}
    assert len(result["rows"]) == 16
    found = {(row["name"], row["method"], row["classes"], row["batch"]) for row in result["rows"]}
    assert len(found) == 16
    for row in result["rows"]:
        assert set(row) == ROW
        assert row["size"] == [80, 60]
        assert 0 < row["p50_ms"] <= row["p95_ms"] <= row["p99_ms"]
        assert row["peak_mb"] is None or row["peak_mb"] > 10
        if row["name"] == "ovseg":
            assert list(row["stages_ms"]) == ["prepare", "model", "scores", "labels", "download"]
            assert all(ms > 0 for ms in row["stages_ms"].values())
    single, batch = (
        row
        for row in result["rows"]
        if row["name"] == "ovseg" and row["method"] == "naclip" and row["classes"] == 30
    )
    assert (single["batch"], batch["batch"]) == (1, 2)
    assert single["ratio_to_singles"] == 1
    assert batch["ratio_to_singles"] == pytest.approx(batch["p50_ms"] / (2 * single["p50_ms"]))
    first = {row["name"]: row["p50_ms"] for row in result["rows"][:2]}
    assert result["ratio_to_reference"] == pytest.approx(first["reference"] / first["ovseg"])
    assert result["floor_ms"] > 0


def test_the_reference_can_be_left_out(tiny_model_dir: Path) -> None:
    result = run_bench(options(tiny_model_dir, reference=False, swap=2, batches=(2,)))
    assert [row["name"] for row in result["rows"]] == ["ovseg"]
    assert result["rows"][0]["ratio_to_singles"] is None
    assert result["ratio_to_reference"] is None
    swap = result["vocabulary_swap"]
    assert min(swap["frame_ms"], swap["cached_ms"], swap["uncached_ms"], swap["uncached_s"]) > 0


def test_the_command_tells_and_writes(tiny_model_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.json"
    given = ["--model", str(tiny_model_dir), "--size", "80x60", "--short-side", "64", "--rounds", "1"]
    given += ["--batch", "1", "--batch", "2"]
    outcome = CliRunner().invoke(app, ["bench", *given, "--device", "cpu", "--json", str(file)])
    assert outcome.exit_code == 0, outcome.output
    assert "floor" in outcome.output
    assert "reference" in outcome.output
    assert "a batch of 2 takes" in outcome.output
    assert json.loads(file.read_text())["rows"][0]["classes"] == 21


@pytest.mark.parametrize(
    "given", [["--size", "640"], ["--size", "0x5"], ["--classes", "255"], ["--batch", "0"]]
)
def test_bad_usage(given: list[str]) -> None:
    assert CliRunner().invoke(app, ["bench", *given]).exit_code == 2


def test_random_weights_need_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: pytest.fail("downloaded"))
    small = BenchOptions("ViT-S-32-alt", "random", allow_download=False, device="cpu", sizes=((64, 64),))
    result = run_bench(
        BenchOptions(**{**small.__dict__, "short_sides": (64,), "rounds": 1, "reference": False})
    )
    assert result["rows"][0]["method"] == "clipseg"
