"""`ovseg evaluate`: how good and how fast, on a recording with ground truth, without a graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Engine, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import EvaluateConfig

if TYPE_CHECKING:
    from ovseg_ros.runs.evaluate import EvaluateOutcome


@generated
def evaluate(
    source: Annotated[
        Path,
        typer.Argument(exists=True, help="A bag (rosbag2, ROS 1), or a data set folder, with ground truth."),
    ],
    engine: Engine,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: EvaluateConfig,
    json_file: Json = None,
) -> None:
    """Measure quality and speed on a recording with ground truth: every frame, offline, reproducibly.

    Without --vocabulary, --classes or --params-file the classes are those of the ground truth.

    Example: ovseg evaluate drive/ --classes "road; street, person; pedestrian, car" --output out/drive

    Exit status: 0 success, 1 failure, 2 wrong usage, 130 interrupted (what was measured by then is written).
    """
    from ovseg_ros.runs.evaluate import evaluate as run

    outcome = run(source, engine, recording, truth, selection, config, console.ProgressBars())
    console.write_json(json_file, outcome.metrics)
    _report(outcome, config.output)
    if outcome.interrupted:
        console.warning(f"interrupted after {outcome.metrics['frames']} frames; the figures are of these")
        raise typer.Exit(130)


def _report(outcome: "EvaluateOutcome", output: str) -> None:
    from ovseg_ros.report.figures import percent
    from ovseg_ros.runs.summary import class_table, quality_table, tell_files

    metrics, quality = outcome.metrics, outcome.scores.quality
    console.out.print(quality_table(outcome.scores))
    if quality is not None:
        console.out.print(class_table(quality))
        if quality.flicker_along_motion is not None:
            console.say(f"flicker along the motion of the image: {percent(quality.flicker_along_motion)}")
    latency = metrics["latency_ms"]
    speed = f"{metrics['frames']} frames in {metrics['seconds']:.1f} s"
    speed += f" ({metrics['frames_per_second']:.1f} frames/s)"
    if latency["p50"] is not None:
        speed += "; inference " + ", ".join(
            f"{name} {latency[name]:.0f} ms" for name in ("p50", "p95", "p99")
        )
    if metrics["peak_mb"] is not None:
        speed += f"; peak memory {metrics['peak_mb']:.0f} MB"
    console.say(f"{speed}; {metrics['model']}, {metrics['method']}, {metrics['device']}")
    if fitted := metrics.get("calibration"):
        _report_calibration(fitted)
    for note in metrics["notes"]:
        console.say(note)
    if output:
        tell_files(console.out, Path(output))


def _report_calibration(fitted: dict[str, Any]) -> None:
    from rich.table import Table

    from ovseg_ros.report.figures import percent

    table = Table("calibration", title_justify="left")
    for name in ("logit scale", "ECE", "Brier", "mean IoU", "unlabelled"):
        table.add_column(name, justify="right")
    scale = fitted["logit_scale"]
    for name, used in (("before", scale * fitted["temperature"]), ("after", scale)):
        row = fitted[name]
        shares = percent(row["miou"]), percent(row["unlabelled_share"])
        table.add_row(name, f"{used:.2f}", percent(row["ece"]), f"{row['brier']:.4f}", *shares)
    console.out.print(table)
    console.say(
        f"fitted: method.logit_scale {scale:.4f} (temperature {fitted['temperature']:.3f}), "
        f"vocabulary.threshold {fitted['threshold']:.4f}"
    )
