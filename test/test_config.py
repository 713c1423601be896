"""Configuration as dataclasses: checked values, full names, parameter files."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import ConfigError, from_values, option, options_of, read_params_file, values_of


def no_spaces(value: object) -> str | None:
    return "has a space" if " " in str(value) else None


@dataclass(frozen=True)
class InnerConfig:
    size: int = option(3, "Its size.", bounds=(1, 8), unit="pixels")
    rate: float = option(1.0, "Its rate.", bounds=(0, math.inf))
    mode: str = option("a", "Its mode.", choices=("a", "b"))
    words: tuple[str, ...] = option((), "Its words.")


@dataclass(frozen=True)
class OuterConfig:
    inner: InnerConfig = field(default_factory=InnerConfig)
    name: str = option("x", "Its name.", check=no_spaces)
    on: bool = option(True, "Whether it is on.", flags="--on/--off")


def test_options_have_full_names_in_order() -> None:
    assert list(options_of(OuterConfig)) == [
        "inner.size",
        "inner.rate",
        "inner.mode",
        "inner.words",
        "name",
        "on",
    ]
    assert options_of(OuterConfig)["inner.size"].flags == "--size"
    assert options_of(OuterConfig)["on"].flags == "--on/--off"


def test_values_make_a_configuration_and_come_back() -> None:
    values = {"inner.size": 5, "inner.rate": 2, "inner.words": ["p", "q"], "name": "y", "of.others": 1}

    config = from_values(OuterConfig, values)

    assert config == OuterConfig(InnerConfig(5, 2.0, "a", ("p", "q")), "y")
    assert isinstance(config.inner.rate, float)
    assert from_values(OuterConfig, values_of(config)) == config


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("inner.size", 9, "inner.size must be a whole number from 1 to 8; got 9"),
        ("inner.size", 2.5, "a whole number from 1 to 8; got 2.5"),
        ("inner.size", True, "got True"),
        ("inner.rate", math.inf, "a number of at least 0; got inf"),
        ("inner.rate", math.nan, "got nan"),
        ("inner.mode", "c", "one of a, b; got 'c'"),
        ("inner.words", "text", "a list of strings; got 'text'"),
        ("inner.words", ["p", 3], "a list of strings"),
        ("name", "a b", "name: has a space"),
        ("on", 1, "true or false; got 1"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=f".*{expected}"):
        from_values(OuterConfig, {name: value})


def test_an_empty_list_of_any_type_is_one_of_strings() -> None:
    assert from_values(OuterConfig, {"inner.words": []}).inner.words == ()


def test_every_option_of_the_engine_has_help_and_a_default_that_is_allowed() -> None:
    for entry in options_of(EngineConfig).values():
        assert entry.help.endswith("."), entry.name
        assert entry.checked(entry.default) == entry.default


def write(folder: Path, text: str) -> Path:
    file = folder / "params.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_parameter_file_gives_full_names(tmp_path: Path) -> None:
    text = """
/**:
  ros__parameters:
    method: {window: 224, short_side: 300}
    model.name: ViT-B-32
segmenter:
  ros__parameters:
    method: {short_side: 200}
other:
  ros__parameters:
    method: {short_side: 100}
"""
    assert read_params_file(write(tmp_path, text)) == {
        "method.window": 224,
        "method.short_side": 200,
        "model.name": "ViT-B-32",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [", "cannot be read as a parameter file"),
        ("- 1", "is no parameter file"),
        ("other: {ros__parameters: {a: 1}}", "has sections for other, none for /segmenter"),
        ("segmenter: {a: 1}", "has no ros__parameters"),
    ],
)
def test_what_is_no_parameter_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        read_params_file(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml"):
        read_params_file(tmp_path / "absent.yaml")
