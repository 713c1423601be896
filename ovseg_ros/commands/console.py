"""What the commands print and write: results on stdout, warnings and progress on stderr, numbers as JSON."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ovseg_ros.runs.progress import Advance

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Print a result on stdout."""
    out.print(Text(message), soft_wrap=True)


def error(message: object) -> None:
    """Print on stderr why the command failed."""
    _complain("error", "bold red", message)


def warning(message: object) -> None:
    """Print on stderr what went wrong while the command goes on."""
    _complain("warning", "bold yellow", message)


def fail(message: str) -> NoReturn:
    """End the command with exit status 1."""
    error(message)
    raise typer.Exit(1)


def interrupted(message: str) -> NoReturn:
    """End the command after Ctrl-C, with exit status 130."""
    warning(f"interrupted after {message}")
    raise typer.Exit(130)


def write_json(path: Path | None, content: object) -> None:
    """Write numbers to a file, where one is asked for; numbers that are not finite are a fault."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")


def progress_bar(unit: str) -> Progress:
    """A bar with time left and rate on stderr; silent where stderr is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(unit),
        TimeRemainingColumn(),
        console=err,
        disable=not err.is_terminal,
    )


class ProgressBars:
    """The stages of a run (`runs.progress.Progress`) as bars on stderr, in `unit`s per second.

    Where stderr is no terminal nothing is shown, or with `log` a line for each stage.
    """

    def __init__(self, unit: str = "frames", *, log: bool = False) -> None:
        self._unit = unit
        self._log = log

    @contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A stage of the run, of about `total` steps where that is known."""
        if self._log and not err.is_terminal:
            text = what if total is None else f"{what}: {total} {self._unit}"
            err.print(text, soft_wrap=True, markup=False)
        with progress_bar(self._unit) as bar:
            task = bar.add_task(what, total=total)
            yield partial(bar.update, task, advance=1)

    def warn(self, text: str) -> None:
        """Print a warning; the run goes on."""
        warning(text)


class _RateColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f} {self._unit}/s")


def _complain(kind: str, style: str, message: object) -> None:
    # As Text: file names and messages may hold what rich would read as markup.
    err.print(Text(f"{kind}: ", style=style).append(str(message), style="not bold default"), soft_wrap=True)
