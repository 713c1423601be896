"""`ovseg report`: runs beside each other, or the page of one run again, from their metrics.json."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from ovseg_ros.commands import console

if TYPE_CHECKING:
    from ovseg_ros.report.compare import Cell, Comparison

_LONGEST = 200
_STYLES = {1: "green", 0: "dim", -1: "red"}


def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            help="metrics.json (or --json) files of `ovseg evaluate`, `replay`, `demo` or `compare`, or "
            "folders that hold one. The first is what the others are measured against.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write an HTML page that holds everything.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(dir_okay=False, help="Write Markdown tables.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the figures side by side.")
    ] = None,
) -> None:
    """Compare runs by their metrics.json, or make the report of one run again (without its pictures)."""
    from ovseg_ros.report.compare import compare
    from ovseg_ros.report.metrics_file import read_runs

    runs = read_runs(files)
    comparison = compare(runs)
    if output is not None:
        from ovseg_ros.report.comparison_page import render_comparison
        from ovseg_ros.report.page import render

        text = render(runs[0].metrics) if len(runs) == 1 else render_comparison(runs, comparison)
        output.write_text(text, encoding="utf-8")
    if markdown is not None:
        from ovseg_ros.report.markdown import comparison_as_markdown, run_as_markdown

        text = run_as_markdown(runs[0].metrics) if len(runs) == 1 else comparison_as_markdown(comparison)
        markdown.write_text(text, encoding="utf-8")
    if json_file is not None:
        text = json.dumps(comparison.figures(), indent=2, ensure_ascii=False, allow_nan=False)
        json_file.write_text(text + "\n", encoding="utf-8")
    _tell(comparison)


def _tell(comparison: "Comparison") -> None:
    table = Table("", *(Column(Text(label), justify="right") for label in comparison.labels))
    for group, rows in comparison.groups:
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for row in rows:
            table.add_row(Text(row.label), *map(_text, row.cells))
    if comparison.classes:
        table.add_section()
        table.add_row(Text("IoU by class", style="bold"))
        for row in comparison.classes:
            table.add_row(Text(row.label), *map(_text, row.cells))
    console.out.print(table)
    if comparison.settings:
        settings = Table("what differs", *(Column(Text(label)) for label in comparison.labels))
        for name, texts in comparison.settings:
            settings.add_row(Text(name), *(Text(_shortened(text)) for text in texts))
        console.out.print(settings)
    for caution in comparison.cautions:
        console.warning(caution)


def _text(cell: "Cell") -> Text:
    text = Text(cell.text)
    return text.append(f"  {cell.difference}", style=_STYLES[cell.verdict]) if cell.difference else text


def _shortened(text: str) -> str:
    """What fits a terminal; the page has all of it."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
