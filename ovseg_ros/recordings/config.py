"""Which part of a recording is read, and where its ground truth is: options of all commands that read one."""

import math
from dataclasses import dataclass

from ovseg_ros.config import ConfigError, option


@dataclass(frozen=True)
class SelectionConfig:
    """Which frames of a recording are taken: from `start` to `end`, of these every n-th, at most `limit`."""

    every: int = option(1, "Take every n-th frame.", bounds=(1, math.inf))
    limit: int = option(0, "Take at most this many frames; 0: all.", bounds=(0, math.inf))
    start: float = option(0.0, "Begin this long after the first message.", bounds=(0, math.inf), unit="s")
    end: float = option(
        0.0,
        "End this long after the first message; 0: at the recording's end.",
        bounds=(0, math.inf),
        unit="s",
    )

    def __post_init__(self) -> None:
        """Raises ConfigError where the end is not after the start."""
        if self.end and self.start >= self.end:
            raise ConfigError(f"--start {self.start:g} is not before --end {self.end:g}")


@dataclass(frozen=True)
class RecordingConfig:
    """How a recording is opened: a bag, a data set folder, images, or a video."""

    topic: str = option("", "Image topic of a bag with several cameras; empty: its only camera.")
    layout: str = option("", "Layout of a data set folder that fits several; empty: recognised.")
    split: str = option("", "Split of a data set folder, such as train; empty: its validation split.")


@dataclass(frozen=True)
class TruthConfig:
    """Where the ground truth is, and what its ids and names mean."""

    labels_topic: str = option(
        "", "Topic with the label images of a bag; empty: /ground_truth/labels, where the bag has it."
    )
    labels_folder: str = option(
        "",
        "Folder with label images (PNG) in place of a topic. Their names end in the time stamp of their "
        "frame in nanoseconds; classes.txt or classes.json is beside them.",
        path="folder",
    )
    label_names: str = option(
        "", "YAML file with `id: name` lines that says what the ids of the label images mean.", path="file"
    )
    mapping: str = option(
        "",
        "YAML file with `truth name: class` lines for names that differ; a class may be 'background' or "
        "'ignore'.",
        path="file",
    )
    slop: float = option(
        0.0,
        "How far the time stamps of an image and its label image may differ, in a bag.",
        bounds=(0, 1),
        unit="s",
    )
