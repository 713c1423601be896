"""How a run reports its progress; the commands show it, the runs print nothing."""

from contextlib import AbstractContextManager
from typing import Protocol


class Advance(Protocol):
    """Takes steps of a stage; a text that is given replaces the stage's description."""

    def __call__(self, steps: int = 1, text: str = "") -> None: ...


class Progress(Protocol):
    """Shows how far a run is."""

    def stage(self, what: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A stage of the run, of about `total` steps where that is known."""

    def warn(self, text: str) -> None:
        """Report something that the user should know; the run goes on."""
