"""`ovseg report`: a comparison of runs, or the page of one run again, from their metrics.json."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Json


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
    json_file: Json = None,
) -> None:
    """Compare runs by their metrics.json, or make the report of one run again (without its pictures)."""
    from ovseg_ros.report.side_by_side import put_side_by_side, read_runs
    from ovseg_ros.report.tables import side_by_side_tables

    runs = read_runs(files)
    comparison = put_side_by_side(runs)
    if output is not None:
        from ovseg_ros.report.page import render, render_comparison

        text = render(runs[0].result) if len(runs) == 1 else render_comparison(runs, comparison)
        output.write_text(text, encoding="utf-8")
    if markdown is not None:
        from ovseg_ros.report.page import comparison_as_markdown, run_as_markdown

        text = run_as_markdown(runs[0].result) if len(runs) == 1 else comparison_as_markdown(comparison)
        markdown.write_text(text, encoding="utf-8")
    console.write_json(json_file, comparison.as_json())
    for table in side_by_side_tables(comparison):
        console.out.print(table)
    for caution in comparison.cautions:
        console.warning(caution)
