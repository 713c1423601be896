"""`ovseg evaluate`: how good and how fast, on a recording with ground truth, without a graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Engine, Json, generated
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import EvaluateConfig

if TYPE_CHECKING:
    from ovseg_ros.runs.results import RunResult


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
    from ovseg_ros.runs.result_files import as_json

    result = run(source, engine, recording, truth, selection, config, console.ProgressBars())
    console.write_json(json_file, as_json(result))
    _report(result, config.output)
    if result.interrupted:
        console.interrupted(f"{result.metrics.frames} frames; the figures are of these")


def _report(result: "RunResult", output: str) -> None:
    from ovseg_ros.report.figures import percent
    from ovseg_ros.report.tables import (
        calibration_table,
        class_iou_table,
        metrics_table,
        print_files,
        speed_line,
    )

    console.out.print(metrics_table(result))
    console.out.print(class_iou_table(result.metrics))
    if (flicker := result.metrics.flicker_along_motion) is not None:
        console.say(f"flicker along the motion of the image: {percent(flicker)}")
    console.say(speed_line(result))
    if fit := result.calibration:
        console.out.print(calibration_table(fit))
        console.say(
            f"fitted: method.logit_scale {fit.logit_scale:.4f} (temperature {fit.temperature:.3f}), "
            f"vocabulary.threshold {fit.threshold:.4f}"
        )
    for note in result.notes or ():
        console.say(note)
    if output:
        print_files(console.out, Path(output))
