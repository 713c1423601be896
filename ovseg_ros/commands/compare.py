"""`ovseg compare`: methods side by side on the user's own labelled frames."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.commands import console
from ovseg_ros.commands.generate import EXPOSED, Expose, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import CompareConfig

if TYPE_CHECKING:
    from ovseg_ros.runs.comparison import ComparisonResult

_WIDTH = 120


@generated
def compare(
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="A bag (rosbag2, ROS 1), or a data set folder, with ground truth."),
    ],
    config: CompareConfig,
    engine: Annotated[
        EngineConfig, Expose(EXPOSED.defaults, (*EXPOSED.without, "method.name", "output.smoothing"))
    ],
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    json_file: Json = None,
) -> None:
    """Compare methods on your own labelled frames: mean IoU, pixel accuracy, time and memory side by side.

    Every image is decoded once and labelled by every method in turn. The intervals are those of a paired
    bootstrap over the frames.

    Example: ovseg compare camvid/ --methods clipseg,sclip,naclip --limit 50 --output out/compare

    Exit status: 0 success, 1 failure (of some frames: the rest is counted), 2 wrong usage, 130 interrupted.
    """
    from ovseg_ros.runs.compare import compare as run

    found = run(source, engine, recording, truth, selection, config, console.ProgressBars())
    report(found)
    _write(found, config, json_file)
    if found.interrupted:
        console.interrupted(f"{found.frames} frames; the figures are of these")
    if found.left_out:
        console.fail(f"{len(found.left_out)} frames were left out; the first: {found.left_out[0]}")


def report(comparison: "ComparisonResult") -> None:
    """Print the table and what one must know to read it."""
    from ovseg_ros.report.method_comparison import notes
    from ovseg_ros.report.tables import methods_table

    # Numbers that are cut off are worthless: in a narrow window the terminal breaks the lines.
    wide = Console(highlight=False, width=max(_WIDTH, console.out.width))
    wide.print(methods_table(comparison), crop=False)
    console.say(f"{comparison.model}, {comparison.device}, {comparison.precision}")
    for note in notes(comparison):
        console.say(note)


def _write(comparison: "ComparisonResult", config: CompareConfig, json_file: Path | None) -> None:
    """JSON, Markdown and SVG to the files that are asked for; all three into the output folder."""
    from ovseg_ros.report.method_comparison import methods_as_markdown, methods_as_svg
    from ovseg_ros.runs.result_files import to_json

    contents = {
        "json": (str(json_file or ""), to_json(comparison)),
        "md": (config.markdown, methods_as_markdown(comparison)),
        "svg": (config.plot, methods_as_svg(comparison)),
    }
    for suffix, (file, content) in contents.items():
        for path in (file, config.output and str(Path(config.output) / f"comparison.{suffix}")):
            if path:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                Path(path).write_text(content, encoding="utf-8")
                console.say(f"written: {path}")
