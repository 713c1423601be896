"""Running `ovseg` in the test's own process."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from ovseg_ros.cli import app

from .stand_ins import FakeSegmenter

Run = Callable[..., Result]


@pytest.fixture
def ovseg() -> Run:
    """Runs `ovseg` with arguments, on a terminal of 200 columns."""
    runner = CliRunner()

    def run(*arguments: object) -> Result:
        return runner.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})

    return run


@pytest.fixture
def fake_segmenter(monkeypatch: pytest.MonkeyPatch) -> FakeSegmenter:
    """Stands in for the model that `ovseg segment` loads."""
    fake = FakeSegmenter()
    monkeypatch.setattr("ovseg_ros.runs.predictors.load_segmenter", lambda config: fake)
    return fake
