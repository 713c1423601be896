"""Options made from configurations: help, precedence, exit status."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner, Result

from ovseg_ros.commands.generate import Command, Engine, Expose, Given, generated
from ovseg_ros.recordings.config import SelectionConfig
from ovseg_ros.runs.config import ReplayConfig

Run = Callable[..., Result]
Seen = dict[str, Any]


@pytest.fixture
def seen() -> Seen:
    """What the command was called with."""
    return {}


@pytest.fixture
def run(seen: Seen) -> Run:
    app = typer.Typer()

    @app.command(cls=Command)
    @generated
    def command(
        engine: Engine,
        selection: Annotated[SelectionConfig, Expose(defaults={"limit": 5}, without=("start", "end"))],
        given: Given,
        again: bool = False,
    ) -> None:
        """Do it."""
        seen.update(engine=engine, selection=selection, given=given, again=again)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(entry) for entry in arguments], env={"COLUMNS": "150"})

    return invoke


@pytest.fixture
def params(tmp_path: Path) -> Path:
    file = tmp_path / "params.yaml"
    file.write_text(
        "/**:\n  ros__parameters:\n    method: {window: 224, logit_scale: 40.0}\n"
        "    vocabulary: {classes: [road, sky], threshold: 0.25}\n",
        encoding="utf-8",
    )
    return file


def test_without_arguments_everything_has_its_default(run: Run, seen: Seen) -> None:
    assert run().exit_code == 0
    assert seen["engine"].method.short_side == 336
    assert seen["engine"].vocabulary.file == ""
    assert seen["selection"].limit == 5
    assert seen["given"] == {}


def test_the_command_line_overrides_the_file_and_the_file_the_defaults(
    run: Run, seen: Seen, params: Path
) -> None:
    result = run("--params-file", params, "--logit-scale", 50, "--device", "cpu", "--again")

    assert result.exit_code == 0, result.output
    assert seen["engine"].method.window == 224
    assert seen["engine"].method.logit_scale == 50.0
    assert seen["engine"].vocabulary.classes == ("road", "sky")
    assert seen["given"]["model.device"] == "cpu"
    assert seen["given"]["method.logit_scale"] == 50.0
    assert seen["again"]


def test_a_default_given_on_the_command_line_overrides_the_file(run: Run, seen: Seen, params: Path) -> None:
    run("--params-file", params, "--window", 0)

    assert seen["engine"].method.window == 0


def test_a_vocabulary_given_resets_the_words_of_the_file(run: Run, seen: Seen, params: Path) -> None:
    run("--params-file", params, "--vocabulary", "indoor")

    assert seen["engine"].vocabulary.file == "indoor"
    assert seen["engine"].vocabulary.classes == ()
    assert seen["engine"].vocabulary.threshold == -1.0


def test_lists_are_split_at_commas_and_may_be_given_several_times(run: Run, seen: Seen) -> None:
    run("--classes", "road, person; pedestrian", "--classes", "car")

    assert seen["engine"].vocabulary.classes == ("road", "person; pedestrian", "car")


@pytest.mark.parametrize(
    "arguments",
    [("--short-side", "8"), ("--method", "unknown"), ("--every", "0"), ("--start", "1"), ("--nothing",)],
)
def test_wrong_usage_exits_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_wrong_value_in_the_file_exits_with_2_and_names_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("segmenter: {ros__parameters: {method: {short_side: 9999}}}", encoding="utf-8")

    result = run("--params-file", file)

    assert result.exit_code == 2
    assert "method.short_side must be a whole number from 32 to 2048" in result.output


def test_a_parameter_that_does_not_exist_is_named_with_the_nearest_that_does(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("segmenter: {ros__parameters: {method: {shortside: 300}}}", encoding="utf-8")

    result = run("--params-file", file)

    assert result.exit_code == 2
    assert "method.shortside" in result.output
    assert "did you mean method.short_side" in result.output


@pytest.mark.parametrize("section", ["front", "/cameras/front", "/**/front", "/**"])
def test_the_section_of_the_named_node_is_read(tmp_path: Path, section: str) -> None:
    file = tmp_path / "named.yaml"
    file.write_text(
        f"{section}: {{ros__parameters: {{method: {{window: 224}}}}}}\n"
        "other: {ros__parameters: {method: {window: 448}}}\n",
        encoding="utf-8",
    )
    seen: Seen = {}
    app = typer.Typer()

    @app.command()
    @generated
    def command(engine: Engine, config: ReplayConfig) -> None:
        seen.update(engine=engine)

    arguments = ["--params-file", str(file), "--namespace", "cameras"]
    result = CliRunner().invoke(app, [*arguments, "--node", "front"])
    assert result.exit_code == 0, result.output
    assert seen["engine"].method.window == 224
    if section != "/**":
        result = CliRunner().invoke(app, [*arguments, "--node", "rear"])
        assert result.exit_code == 2
        assert "none for /cameras/rear" in " ".join(result.output.replace("│", " ").split())


def test_help_shows_defaults_ranges_and_units_and_no_type_for_flags(run: Run) -> None:
    text = run("--help").output

    assert "[default: 336]" in text
    assert "32<=x<=2048" in text
    assert "In pixels" in text
    assert "[default: 5]" in text
    assert "<bool>" not in text
    assert "run time" not in text
    assert str(math.inf) not in text
