"""What `ovseg compare` prints and writes."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ovseg_ros.commands import console
from ovseg_ros.report.method_plot import comparison_svg
from ovseg_ros.report.method_text import COLUMNS, cells, markdown, notes
from ovseg_ros.runs.compare import CompareOutcome
from ovseg_ros.runs.config import CompareConfig
from ovseg_ros.runs.summary import command

_WIDTH = 120


def report(outcome: CompareOutcome) -> None:
    """Print the table and what one must know to read it."""
    found, setup = outcome.comparison, outcome.setup
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in found.rows:
        table.add_row(*(Text(cell) for cell in cells(row, found.reference)))
    # Numbers that are cut off are worthless: in a narrow window the terminal breaks the lines.
    Console(highlight=False, width=max(_WIDTH, console.out.width)).print(table, crop=False)
    console.say(", ".join(setup[key] for key in ("model", "device", "precision")))
    for note in notes(found, outcome.timing):
        console.say(note)


def write(outcome: CompareOutcome, config: CompareConfig, json_file: Path | None) -> None:
    """Write what is asked for as JSON, Markdown and SVG; all three into the output folder."""
    found, setup, timing = outcome.comparison, outcome.setup, outcome.timing
    figures = {**setup, "timing": timing, "command": command(), **found.figures()}
    contents = {
        "json": json.dumps(figures, indent=2, ensure_ascii=False, allow_nan=False) + "\n",
        "md": markdown(found, setup, timing),
        "svg": comparison_svg(found),
    }
    files = {"json": str(json_file or ""), "md": config.markdown, "svg": config.plot}
    for suffix, content in contents.items():
        wanted = [files[suffix], config.output and str(Path(config.output) / f"comparison.{suffix}")]
        for path in (Path(path) for path in wanted if path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            console.say(f"written: {path}")
