"""`ovseg models`."""

import json
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
from typer.testing import Result

from ovseg_ros.clipseg import ModelConfig, ModelError
from ovseg_ros.commands.models import RECOMMENDED

Run = Callable[..., Result]


def test_recommended_models_are_in_open_clip() -> None:
    assert list(RECOMMENDED) == ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14"]
    for name, tags in RECOMMENDED.items():
        assert set(tags) <= set(open_clip.list_pretrained_tags_by_model(name))


def test_the_list_says_where_the_weights_are(
    ovseg: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cached = {("ViT-B-16", "openai"): tmp_path / "vit.safetensors"}
    monkeypatch.setattr("ovseg_ros.clipseg.cached_weights", lambda name, tag: cached.get((name, tag)))
    monkeypatch.setattr("ovseg_ros.clipseg.shipped_models", lambda: {"ovseg-small": tmp_path})
    result = ovseg("models")
    assert result.exit_code == 0, result.output
    lines = {
        tuple(part.strip() for part in line.split("│")[1:3]): line for line in result.stdout.splitlines()
    }
    assert "on this machine" in lines["ViT-B-16", "openai"]
    assert "not fetched" in lines["ViT-H-14", "laion2b_s32b_b79k"]
    assert "ships with ovseg_ros" in lines["ovseg-small", ""]


def test_check_says_what_a_model_is_made_of(ovseg: Run, tiny_model_dir: Path) -> None:
    result = ovseg("models", "check", tiny_model_dir)
    assert result.exit_code == 0, result.output
    for text in ("million", "12 of width 64, 2 heads", "16 x 16 pixels", "64 x 64 pixels", "32"):
        assert text in result.stdout


def test_check_of_a_broken_model_fails_in_one_line(ovseg: Run, tmp_path: Path) -> None:
    result = ovseg("models", "check", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "open_clip_config.json" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("check", "ViT-H-14"), ("ViT-H-14", "laion2b_s32b_b79k", False)),
        (("fetch", "ViT-B-16"), ("ViT-B-16", "openai", True)),
        (("fetch", "ViT-B-16", "--weights", "laion2b_s34b_b88k"), ("ViT-B-16", "laion2b_s34b_b88k", True)),
        (("fetch", "RN50"), ("RN50", "openai", True)),
    ],
)
def test_only_fetch_downloads(
    ovseg: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: tuple[str, str, bool]
) -> None:
    def load(config: ModelConfig) -> None:
        raise ModelError(f"asked for {(config.name, config.weights, config.allow_download)}")

    monkeypatch.setattr("ovseg_ros.clipseg.load_model", load)
    result = ovseg("models", *arguments)
    assert result.exit_code == 1
    assert f"asked for {expected}" in result.stderr


def test_the_list_and_what_a_model_is_made_of_can_be_had_as_json(ovseg: Run, tmp_path: Path) -> None:
    ovseg("models", "--json", tmp_path / "models.json")
    ovseg("models", "check", "ovseg-tiny", "--json", tmp_path / "tiny.json")

    listed = json.loads((tmp_path / "models.json").read_text())
    assert {"model": "ViT-B-16", "weights": "openai", "path": "", "ships": False} in listed
    assert any(entry["model"] == "ovseg-tiny" and entry["ships"] for entry in listed)
    assert json.loads((tmp_path / "tiny.json").read_text())["parameters"] > 1_000_000
