import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ovseg_ros.bench.benchmark import run_bench
from ovseg_ros.bench.config import BenchConfig
from ovseg_ros.cli import app
from ovseg_ros.clipseg import Segmenter
from ovseg_ros.clipseg.config import EngineConfig, MethodConfig, ModelConfig
from ovseg_ros.config import ConfigError, from_values


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovseg_ros.bench.roofline.SECONDS", 0.02)


def engine(folder: Path, **method: Any) -> EngineConfig:
    return EngineConfig(ModelConfig(str(folder), device="cpu"), MethodConfig(**{"short_side": 64, **method}))


def config(**settings: Any) -> BenchConfig:
    return from_values(BenchConfig, {"sizes": ("80x60",), "rounds": 2, **settings})


def test_every_setting_has_its_two_rows(tiny_model_dir: Path) -> None:
    chosen = config(methods=("clipseg", "naclip"), num_classes=("2", "30"), batches=("1", "2"))
    steps: list[int] = []
    result = run_bench(engine(tiny_model_dir), chosen, step=lambda: steps.append(1))
    assert len(steps) == chosen.timed_runs(engine(tiny_model_dir))
    assert len(result.rows) == 16
    found = {(row.name, row.method, row.classes, row.batch) for row in result.rows}
    assert len(found) == 16
    for row in result.rows:
        assert row.size == (80, 60)
        assert row.short_side == 64
        assert row.device == "cpu"
        assert 0 < row.p50_ms <= row.p95_ms <= row.p99_ms
        assert row.peak_mb is None or row.peak_mb > 10
        if row.name == "ovseg":
            assert list(row.stages_ms) == ["prepare", "model", "scores", "labels", "download"]
            assert all(ms > 0 for ms in row.stages_ms.values())
    single, batch = (
        row for row in result.rows if row.name == "ovseg" and row.method == "naclip" and row.classes == 30
    )
    assert (single.batch, batch.batch) == (1, 2)
    assert single.ratio_to_singles == 1
    assert batch.ratio_to_singles == pytest.approx(batch.p50_ms / (2 * single.p50_ms))
    first = {row.name: row.p50_ms for row in result.rows[:2]}
    assert result.ratio_to_reference == pytest.approx(first["reference"] / first["ovseg"])
    assert result.roofline_ms > 0
    assert result.vocabulary_swap is None


def test_the_reference_can_be_left_out(tiny_model_dir: Path) -> None:
    result = run_bench(engine(tiny_model_dir), config(reference=False, swap=2, batches=("2",)))
    assert [row.name for row in result.rows] == ["ovseg"]
    assert result.rows[0].ratio_to_singles is None
    assert result.ratio_to_reference is None
    swap = result.vocabulary_swap
    assert swap is not None
    assert min(swap.frame_ms, swap.cached_ms, swap.uncached_ms, swap.uncached_s) > 0


def test_the_engines_options_are_those_that_are_timed(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    whole = Segmenter.__init__

    def watched(self: Segmenter, model: Any, config: MethodConfig = MethodConfig(), **settings: Any) -> None:
        made.append(config)
        whole(self, model, config, **settings)

    monkeypatch.setattr(Segmenter, "__init__", watched)
    chosen = engine(tiny_model_dir, name="naclip", window=48, window_stride=16, logit_scale=30.0)
    windowed = run_bench(chosen, config(reference=False, rounds=1))
    assert set(made) == {chosen.method}
    assert windowed.rows[0].method == "naclip"
    settings = config(short_sides=("64", "96")).settings(chosen)
    assert [setting.method for setting in settings] == [chosen.method, replace(chosen.method, short_side=96)]


def test_the_command_tells_and_writes(tiny_model_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "bench.json"
    given = ["--model", str(tiny_model_dir), "--size", "80x60", "--short-side", "64", "--rounds", "1"]
    given += ["--batch", "1,2"]
    outcome = CliRunner().invoke(
        app, ["bench", *given, "--device", "cpu", "--json", str(file)], env={"COLUMNS": "200"}
    )
    assert outcome.exit_code == 0, outcome.output
    assert "roofline" in outcome.output
    assert "reference" in outcome.output
    assert "a batch of 2 takes" in outcome.output
    assert json.loads(file.read_text())["rows"][0]["classes"] == 21


@pytest.mark.parametrize(
    "given",
    [
        ["--size", "640"],
        ["--size", "0x5"],
        ["--num-classes", "255"],
        ["--batch", "0"],
        ["--short-sides", "big"],
        ["--methods", "nothing"],
    ],
)
def test_bad_usage(given: list[str]) -> None:
    assert CliRunner().invoke(app, ["bench", *given]).exit_code == 2


def test_random_weights_need_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.urlopen", lambda *_: pytest.fail("downloaded"))
    model = ModelConfig("ViT-S-32-alt", allow_download=False, device="cpu")
    small = config(random=True, rounds=1, reference=False, sizes=("64x64",))
    result = run_bench(EngineConfig(model, MethodConfig(short_side=64)), small)
    assert result.rows[0].method == "clipseg"


def test_counts_are_whole_numbers() -> None:
    with pytest.raises(ConfigError, match=r"num_classes: '1\.5' is not a whole number from 1 to 254"):
        config(num_classes=("2", "1.5"))
