"""`ovseg demo`: a replay with a change of vocabulary half-way, by default of the sample bag."""

from pathlib import Path
from typing import Annotated

import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Engine, Expose, Given, Json, generated
from ovseg_ros.commands.replay import finish, with_ros
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import ReplayConfig

_NODE = ("attach", "node", "namespace", "image_topic", "clock", "write_params")
_DEFAULTS = {"calls": 0, "output": "out/demo"}


@generated
def demo(
    engine: Engine,
    given: Given,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: Annotated[ReplayConfig, Expose(_DEFAULTS, without=(*_NODE, "avoid_drops", "then_synonyms"))],
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH", exists=True, help="What to play; without it, the sample bag with ovseg-tiny."
        ),
    ] = None,
    json_file: Json = None,
) -> None:
    """Play a recording through the running node over ROS topics, with other words half-way, and write a
    video, a labelled bag and a report.

    Without --speed or --rate, frames are sent at the recording's own rate, or slower where this machine would
    drop frames. Without --then-vocabulary or --then-classes, the words half-way are the things of the sample
    bag by their colours, or the first words by other names.

    Exit status: as `ovseg replay`.
    """
    with_ros()
    from ovseg_ros.runs.demo import demo as run

    outcome = run(path, engine, recording, truth, selection, config, given, console.ProgressBars(log=True))
    finish(outcome, config.output, json_file)
