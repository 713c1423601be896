"""`ovseg bag` and `ovseg demo`: their arguments reach the evaluation part, their answers the user."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from ovseg_ros.evaluation import demo

from .stand_ins import save_picture

Run = Callable[..., Result]


def test_make_and_info(ovseg: Run, tmp_path: Path) -> None:
    for number in range(4):
        save_picture(tmp_path / f"dataset/images/{number}.jpg")
    bag = tmp_path / "bag"
    made = ovseg("bag", "make", tmp_path / "dataset", "--output", bag, "--rate", 2, "--raw")
    assert made.exit_code == 0, made.output
    assert f"{bag}: 4 frames (2.0 s), 0 with ground truth" in made.stdout
    info = ovseg("bag", "info", bag)
    assert info.exit_code == 0, info.output
    [line] = [line for line in info.stdout.splitlines() if "/camera/image" in line]
    assert [part.strip() for part in line.split("│")[1:-1]] == [
        "/camera/image", "sensor_msgs/msg/Image", "4", "2.0 Hz",
    ]  # fmt: skip


def test_trouble_is_one_line(ovseg: Run, tmp_path: Path) -> None:
    result = ovseg("bag", "info", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {tmp_path} is no bag")


def test_demo_passes_everything_on(ovseg: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls: list[dict[str, Any]] = []

    def run(**arguments: Any) -> int:
        calls.append(arguments)
        return 3

    monkeypatch.setattr(demo, "run", run)
    result = ovseg(
        "demo", "--bag", tmp_path, "--model", "m", "--weights", "w", "--vocabulary", "a, b", "--then", "c",
        "--output", tmp_path / "out", "--device", "cpu", "--rate", 2, "--limit", 7,
    )  # fmt: skip
    assert result.exit_code == 3
    assert calls == [
        {
            "bag": tmp_path, "model": "m", "weights": "w", "vocabulary": "a, b", "then": "c",
            "output": tmp_path / "out", "device": "cpu", "rate": 2.0, "limit": 7,
        }
    ]  # fmt: skip
