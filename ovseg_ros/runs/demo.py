"""The demonstration: a replay of the sample bag with ovseg-tiny, and its things by their colours half-way."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.paths import share_directory
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.config import ReplayConfig
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.replay import ReplayOutcome, replay

SAMPLE_BAG = "sample_bag"
"""Folder of the sample bag among the files that ship with the package."""

COLORS_FILE = "colors.yaml"
"""The words for the second half of its demonstration, in that folder."""


def demo(
    path: Path | None,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: ReplayConfig,
    params: Mapping[str, object],
    progress: Progress,
) -> ReplayOutcome:
    """`replay` with other defaults.

    Without a path that of the sample bag, which is of the world that ovseg-tiny knows: with this model where
    none is given, and its colours half-way. For another recording, without words for half-way, the first ones
    by other names. Without speed or rate, frames are sent no faster than the node manages.
    """
    if config.speed == 1.0 and not config.rate:
        config = replace(config, avoid_drops=True)
    given = config.then_vocabulary or config.then_classes
    if path is None:
        path = share_directory() / SAMPLE_BAG
        if "model.name" not in params:
            params = {**params, "model.name": "ovseg-tiny"}
            engine = replace(engine, model=replace(engine.model, name="ovseg-tiny"))
        config = config if given else replace(config, then_vocabulary=str(path / COLORS_FILE))
    elif not given:
        config = replace(config, then_synonyms=True)
    return replay(path, engine, recording, truth, selection, config, params, progress)
