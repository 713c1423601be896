"""`ovseg` itself: version, help, and how errors end a command."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ovseg_ros import cli
from ovseg_ros.errors import OvsegError
from ovseg_ros.paths import share_directory

runner = CliRunner()


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Makes `ovseg bag info` raise the one exception that a test puts in."""
    errors: list[BaseException] = []

    def inspect_bag(path: Path, **options: Any) -> None:
        raise errors[0]

    monkeypatch.setattr("ovseg_ros.recordings.info.inspect_bag", inspect_bag)
    return errors


def test_version_is_that_of_the_package() -> None:
    version = re.search("<version>(.*)</version>", (share_directory() / "package.xml").read_text())
    assert version is not None
    result = runner.invoke(cli.app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"ovseg_ros {version[1]}\n")


def test_help_names_the_commands() -> None:
    result = runner.invoke(cli.app, ["--help"])
    assert result.exit_code == 0
    for command in ("segment", "demo", "bag", "models"):
        assert re.search(rf"│ {command} ", result.stdout)


@pytest.mark.parametrize(
    "command", ["segment", "demo", "bag make", "bag info", "models check", "models fetch"]
)
def test_every_command_has_help(command: str) -> None:
    result = runner.invoke(cli.app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["segment"], ["--nonsense"], ["bag", "make"]])
def test_bad_usage_has_status_2(arguments: list[str]) -> None:
    assert runner.invoke(cli.app, arguments).exit_code == 2


@pytest.mark.parametrize(
    "error", [OvsegError("[red] is wrong"), PermissionError(13, "Permission denied", "/x")]
)
def test_what_the_user_can_mend_is_one_line_on_stderr(failing: list[BaseException], error: Exception) -> None:
    failing.append(error)
    result = runner.invoke(cli.app, ["bag", "info", "."])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"error: {error}\n")


def test_debug_shows_where_it_arose(failing: list[BaseException]) -> None:
    failing.append(OvsegError("wrong"))
    assert runner.invoke(cli.app, ["--debug", "bag", "info", "."]).exception is failing[0]


def test_an_interrupt_has_status_130(failing: list[BaseException]) -> None:
    failing.append(KeyboardInterrupt())
    result = runner.invoke(cli.app, ["bag", "info", "."])
    assert (result.exit_code, result.stderr) == (130, "error: interrupted\n")


def test_a_fault_of_the_program_is_not_hidden(failing: list[BaseException]) -> None:
    failing.append(ZeroDivisionError("a bug"))
    assert runner.invoke(cli.app, ["bag", "info", "."]).exception is failing[0]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, ovseg_ros.cli; print({'torch', 'open_clip', 'rclpy', 'cv2'} & set(sys.modules))"
    done = subprocess.run(
        python(code), capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "set()"


def test_main_ends_with_the_status() -> None:
    code = "import sys; sys.argv[1:] = ['bag', 'info', '.']; from ovseg_ros.cli import main; main()"
    done = subprocess.run(python(code), capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 1
    assert done.stderr.startswith("error: . is no bag")
    assert "Traceback" not in done.stderr
