"""How a run reports its progress; the commands show it, the runs print nothing."""

from contextlib import AbstractContextManager
from typing import Protocol


class Advance(Protocol):
    """Takes steps of a stage; a description that is given replaces the stage's."""

    def __call__(self, *, advance: float = 1, description: str | None = None) -> None: ...


class Progress(Protocol):
    """Shows how far a run is."""

    def stage(self, what: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A stage of the run, of about `total` steps where that is known."""

    def warn(self, text: str) -> None:
        """Report something that the user should know; the run goes on."""
