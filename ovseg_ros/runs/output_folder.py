"""The folder that a run writes to."""

import shutil
from pathlib import Path

from ovseg_ros.errors import OvsegError
from ovseg_ros.runs.facts import command

MARK = "run.txt"
SCRATCH = ".scratch_"
"""Folders that begin so hold what a run needs while it lasts."""

_PRODUCTS = (
    *("overlay.webm", "labelled", "input_bag", "index.html", "report.md", "pictures", "metrics.json"),
    *("segmenter.yaml", "segmenter.log"),
)


class OutputError(OvsegError):
    """The folder for the results cannot be used."""


def prepare(output: Path) -> None:
    """Make the folder and remove what an earlier run left in it; nothing else is ever removed. The command
    line is noted in it, and marks it as the folder of a run.

    Raises OutputError where it holds anything else, or cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        if any(output.iterdir()) and not (output / MARK).exists():
            raise OutputError(f"{output} is neither empty nor of an earlier run; choose another --output")
        (output / MARK).write_text(command() + "\n", encoding="utf-8")
        for product in [*(output / name for name in _PRODUCTS), *output.glob(f"{SCRATCH}*")]:
            if product.is_dir():
                shutil.rmtree(product)
            else:
                product.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error}") from error
