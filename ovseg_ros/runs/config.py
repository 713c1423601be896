"""The options of the runs; the command lines are generated from them."""

import math
from dataclasses import dataclass

from ovseg_ros.config import ConfigError, option


@dataclass(frozen=True)
class EvaluateConfig:
    """What `evaluate` scores, and what it writes."""

    predictions: str = option(
        "",
        "Score recorded labels instead of running a model: a labels topic of the bag, or a folder as "
        "--write-labels writes it.",
    )
    calibrate: bool = option(
        False,
        "Fit the confidence (method.logit_scale and vocabulary.threshold) on the first half of the frames, "
        "and measure the second half before and after.",
        flags="--calibrate",
    )
    parameters: str = option(
        "",
        "File for the parameters that --calibrate finds; empty: calibration.yaml in --output, or here.",
    )
    workers: int = option(
        1,
        "Threads that decode and score while the model works. The figures do not depend on it.",
        bounds=(0, 64),
    )
    output: str = option("", "Folder for the report page, metrics.json, the video and the labelled bag.")
    write_labels: str = option(
        "", "Folder for the label images exactly as they are scored, with classes.json."
    )


@dataclass(frozen=True)
class CompareConfig:
    """What `compare` compares, and what it writes."""

    methods: str = option(
        "",
        "Methods, separated by commas; the first is the reference. Empty: all, or none with --ablate.",
    )
    ablate: bool = option(
        False,
        "What each part of clipseg contributes: CERA and DSI on and off, and each setting varied alone. The "
        "rows share the blocks before the last one, so that all take little longer than one.",
        flags="--ablate",
    )
    reference: str = option("", "Row that the differences are to; empty: the first.")
    draws: int = option(2000, "Bootstrap draws of frames.", bounds=(100, 10_000_000))
    seed: int = option(0, "Seed of the draws.", bounds=(0, 2**31 - 1))
    output: str = option("", "Folder for comparison.json, comparison.md and comparison.svg.")
    markdown: str = option("", "Write the tables to this file.")
    plot: str = option("", "Draw the table into this SVG file.")


@dataclass(frozen=True)
class SegmentConfig:
    """What `segment` writes."""

    output: str = option("out/segment", "Folder for the results.")
    overlay: bool = option(True, "Write the image with colours and legend.", flags="--overlay/--no-overlay")
    labels: bool = option(True, "Write the class ids as grey images.", flags="--labels/--no-labels")
    confidence: bool = option(
        False, "Write the confidence as grey images.", flags="--confidence/--no-confidence"
    )


@dataclass(frozen=True)
class ReplayConfig:
    """Into which node `replay` plays a recording, how fast, what it measures, and what it writes."""

    attach: bool = option(
        False, "Play into a node that is running already; else one is started.", flags="--attach"
    )
    node: str = option("segmenter", "Name of the node.")
    namespace: str = option("/", "Namespace of the node.")
    image_topic: str = option(
        "",
        "Raw image topic that the node subscribes to; empty: with --attach the one that it reports, else "
        "`image` in the namespace.",
    )
    loop: int = option(
        1,
        "Play the recording this many times; the time stamps jump back each time. 0: until Ctrl-C.",
        bounds=(0, math.inf),
    )
    speed: float = option(
        1.0, "Keep the recorded spacing of the frames, this many times as fast.", bounds=(0.001, 1000)
    )
    rate: float = option(
        0.0,
        "Send frames at this fixed rate in place of the recorded spacing; 0: keep that.",
        bounds=(0, 10000),
        unit="Hz",
    )
    avoid_drops: bool = option(
        False,
        "Send frames evenly, at the recording's mean rate or slower where the node would drop frames at it.",
        flags="--avoid-drops",
    )
    clock: str = option(
        "auto",
        "Publish /clock: auto (for a started node, which then uses it; with --attach where the node uses it "
        "and nobody else publishes it), on or off.",
        choices=("auto", "on", "off"),
    )
    calls: int = option(
        10,
        "After the replay, call each service this many times while frames flow; the vocabulary stays the "
        "same.",
        bounds=(0, math.inf),
    )
    find_rate: bool = option(
        False,
        "After the replay, search the highest rate at which fewer than 5 % of the frames are dropped, with "
        "bursts of 40 frames (2 s at least), for three minutes at most.",
        flags="--find-rate",
    )
    then_vocabulary: str = option(
        "", "Half-way, call /set_vocabulary with this vocabulary file, or the name of one that ships."
    )
    then_classes: tuple[str, ...] = option(
        (), "Half-way, call /set_vocabulary with these classes; an entry may list synonyms."
    )
    then_synonyms: bool = option(
        False,
        "Half-way, call /set_vocabulary with the first classes under other common names.",
        flags="--then-synonyms",
    )
    output: str = option("", "Folder for the report page, metrics.json, the video and the labelled bag.")
    write_params: str = option(
        "",
        "Only write the parameters that the node would be started with to this file, to start it yourself "
        "and --attach.",
    )

    def __post_init__(self) -> None:
        """Raises ConfigError on options that contradict each other."""
        if self.rate and self.speed != 1.0:
            raise ConfigError("give --speed or --rate, not both")
        if self.then_vocabulary and self.then_classes:
            raise ConfigError("give --then-vocabulary or --then-classes, not both")
        if self.then_synonyms and self.attach:
            raise ConfigError("--then-synonyms is for a node that is started; leave out --attach")
