"""What `ovseg compare` prints and writes."""

from pathlib import Path

from rich.console import Console

from ovseg_ros.commands import console
from ovseg_ros.report.method_comparison import methods_as_markdown, methods_as_svg, notes
from ovseg_ros.report.tables import methods_table
from ovseg_ros.runs.comparison import ComparisonResult
from ovseg_ros.runs.config import CompareConfig
from ovseg_ros.runs.result_files import to_json

_WIDTH = 120


def report(comparison: ComparisonResult) -> None:
    """Print the table and what one must know to read it."""
    # Numbers that are cut off are worthless: in a narrow window the terminal breaks the lines.
    wide = Console(highlight=False, width=max(_WIDTH, console.out.width))
    wide.print(methods_table(comparison), crop=False)
    console.say(f"{comparison.model}, {comparison.device}, {comparison.precision}")
    for note in notes(comparison):
        console.say(note)


def write(comparison: ComparisonResult, config: CompareConfig, json_file: Path | None) -> None:
    """Write what is asked for as JSON, Markdown and SVG; all three into the output folder."""
    contents = {
        "json": to_json(comparison),
        "md": methods_as_markdown(comparison),
        "svg": methods_as_svg(comparison),
    }
    files = {"json": str(json_file or ""), "md": config.markdown, "svg": config.plot}
    for suffix, content in contents.items():
        wanted = [files[suffix], config.output and str(Path(config.output) / f"comparison.{suffix}")]
        for path in (Path(path) for path in wanted if path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            console.say(f"written: {path}")
