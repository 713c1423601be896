"""What `bench` measures; the command line is generated from it."""

import re
from dataclasses import dataclass, replace
from itertools import product

from ovseg_ros.clipseg.config import EngineConfig, MethodConfig
from ovseg_ros.config import Value, option, options_of


def _wrong_size(values: Value) -> str | None:
    for value in values if isinstance(values, tuple) else ():
        if not re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value):
            return f"{value!r} is no size; expected WIDTHxHEIGHT, such as 640x480"
    return None


def _wrong_count(values: Value, greatest: int) -> str | None:
    for value in values if isinstance(values, tuple) else ():
        if not value.isascii() or not value.isdecimal() or not 1 <= int(value) <= greatest:
            return f"{value!r} is no whole number from 1 to {greatest}"
    return None


def _wrong_method(values: Value) -> str | None:
    known = options_of(MethodConfig)["name"].choices
    for value in values if isinstance(values, tuple) else ():
        if value not in known:
            return f"{value!r} is not known; expected some of {', '.join(known)}"
    return None


@dataclass(frozen=True)
class BenchSetting:
    """One thing to time.

    Attributes:
        method: its name, short side, windows and numbers.
        size: height and width of the images.
        classes: their number.
        batch: images in one pass.
    """

    method: MethodConfig
    size: tuple[int, int]
    classes: int
    batch: int


@dataclass(frozen=True)
class BenchConfig:
    """What to measure: every combination of methods, sizes, short sides, numbers of classes and batches."""

    methods: tuple[str, ...] = option((), "Methods; empty: that of --method.", check=_wrong_method)
    sizes: tuple[str, ...] = option(
        ("640x480",), "Sizes of the images, WIDTHxHEIGHT.", flags="--size", check=_wrong_size
    )
    short_sides: tuple[str, ...] = option(
        (), "Short sides in pixels; empty: that of --short-side.", check=lambda v: _wrong_count(v, 2048)
    )
    num_classes: tuple[str, ...] = option(
        ("21",), "Numbers of classes.", check=lambda values: _wrong_count(values, 254)
    )
    batches: tuple[str, ...] = option(
        ("1",),
        "Numbers of images in one pass. With 1 among them the others are compared with as many single "
        "images.",
        flags="--batch",
        check=lambda values: _wrong_count(values, 1024),
    )
    random: bool = option(
        False, "Random weights: nothing is downloaded, and time is the same.", flags="--random"
    )
    rounds: int = option(10, "Timed runs of each combination.", bounds=(1, 1_000_000))
    threads: int = option(0, "Threads on the CPU; 0: torch's choice.", bounds=(0, 1024))
    reference: bool = option(
        True,
        "Also time the reference, as published evaluations run: windows of 224 pixels at stride 112 one "
        "after another, plain operations, scores of all classes at full size.",
        flags="--reference/--no-reference",
    )
    swap: int = option(
        0, "Frames of each kind to measure changes of vocabulary with; 0: none.", bounds=(0, 1_000_000)
    )

    def settings(self, engine: EngineConfig) -> list[BenchSetting]:
        """Every combination; the first one is what the summary is about."""
        methods = self.methods or (engine.method.name,)
        short_sides = [int(side) for side in self.short_sides] or [engine.method.short_side]
        sizes = [tuple(map(int, size.split("x"))) for size in self.sizes]
        return [
            BenchSetting(replace(engine.method, name=name, short_side=side), (height, width), classes, batch)
            for name, (width, height), side, classes, batch in product(
                methods, sizes, short_sides, map(int, self.num_classes), map(int, self.batches)
            )
        ]

    def timed_runs(self, engine: EngineConfig) -> int:
        """How often `run_bench` calls its `step`."""
        return (1 + self.rounds) * len(self.settings(engine)) * (2 if self.reference else 1)
