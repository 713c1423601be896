"""The command trains, stops, goes on, and writes a model that the product loads."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ovseg_ros.clipseg import ModelConfig, load_model
from training import train
from training.dataset import Pictures, save_shard, shard_path

from .conftest import SMALL_MODEL

app = typer.Typer()
app.command()(train.main)


@pytest.fixture
def pictures(tmp_path: Path, painted_pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(train, "MODEL_CONFIG", SMALL_MODEL)
    for split in ("train", "val"):
        save_shard(shard_path(tmp_path / "pictures", split, 0), painted_pictures)
    return tmp_path / "pictures"


def _train(pictures: Path, output: Path, *more: str) -> str:
    arguments = ["--pictures", str(pictures), "--output", str(output), "--steps", "6", "--batch", "16"]
    arguments += ["--measure-every", "2", "--threads", "1", "--device", "cpu", *more]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def _log(output: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]


def test_a_run_in_two_parts_is_a_run_in_one(pictures: Path, tmp_path: Path) -> None:
    _train(pictures, tmp_path / "whole")
    _train(pictures, tmp_path / "parts", "--stop-after", "4")
    assert _log(tmp_path / "parts")[-1]["step"] == 4
    _train(pictures, tmp_path / "parts")
    whole, parts = _log(tmp_path / "whole"), _log(tmp_path / "parts")
    assert [entry["step"] for entry in parts] == [2, 4, 6]
    for a, b in zip(whole, parts, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {
            k: v for k, v in b.items() if k != "seconds"
        }
    models = [tmp_path / name / "model" for name in ("whole", "parts")]
    weights = [(folder / "open_clip_model.safetensors").read_bytes() for folder in models]
    assert weights[0] == weights[1]
    assert load_model(ModelConfig(str(models[0]), device="cpu")).embedding == 16
    card = (models[0] / "README.md").read_text()
    assert "6 of 6 steps of 16 crops" in card
    assert "no pixel label, box or mask" in card


def test_missing_pictures_end_the_command_with_the_reason(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--pictures", str(tmp_path), "--output", str(tmp_path / "run")])
    assert result.exit_code == 1


def test_a_number_out_of_range_is_wrong_usage(tmp_path: Path) -> None:
    arguments = ["--pictures", str(tmp_path), "--output", str(tmp_path / "run"), "--mosaics", "2"]
    assert CliRunner().invoke(app, arguments).exit_code == 2
