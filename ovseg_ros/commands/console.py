"""What the commands say: results on stdout, warnings and progress on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

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
    """Say a result on stdout."""
    out.print(Text(message), soft_wrap=True)


def error(message: object) -> None:
    """Say on stderr why the command failed."""
    _complain("error", "bold red", message)


def warning(message: object) -> None:
    """Say on stderr what went wrong while the command goes on."""
    _complain("warning", "bold yellow", message)


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
    """The progress of a run as bars on stderr, in `unit`s a second."""

    def __init__(self, unit: str = "frames") -> None:
        self._unit = unit

    @contextmanager
    def stage(self, what: str, total: int | None = None) -> Iterator[Advance]:
        """A bar for a stage of about `total` steps."""
        with progress_bar(self._unit) as progress:
            task = progress.add_task(what, total=total)
            yield lambda steps=1, text="": progress.update(task, advance=steps, description=text or None)

    def warn(self, text: str) -> None:
        """Report on stderr something that the user should know."""
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
