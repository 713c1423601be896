"""The parameter file and the page of the documentation are those that the definitions make."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ovseg_ros.clipseg.methods import METHODS
from ovseg_ros.config import from_values, options_of, read_params_file
from ovseg_ros.node.settings import Settings
from scripts.parameter_docs import PAGE_FILE, YAML_FILE, parameters_page, parameters_yaml

FILES = [(YAML_FILE, parameters_yaml), (PAGE_FILE, parameters_page)]


@pytest.mark.parametrize(("file", "make"), FILES)
def test_the_shipped_files_are_up_to_date(file: Path, make: Callable[[], str]) -> None:
    message = "run python scripts/parameter_docs.py"
    assert file.read_text(encoding="utf-8") == make(), message


def test_the_parameter_file_holds_every_parameter_with_its_default() -> None:
    given = read_params_file(YAML_FILE)
    assert list(given) == list(options_of(Settings))
    assert from_values(Settings, given) == Settings()


@pytest.mark.parametrize("make", [make for _, make in FILES])
def test_every_method_is_named(make: Callable[[], str]) -> None:
    assert all(name in make() for name in METHODS)


def test_lines_of_the_parameter_file_are_short() -> None:
    assert max(map(len, parameters_yaml().splitlines())) <= 120
