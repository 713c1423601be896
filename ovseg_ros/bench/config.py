"""What `bench` measures; the command line is generated from it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

from ovseg_ros.clipseg.config import EngineConfig, MethodConfig
from ovseg_ros.config import Value, option, options_of

METHODS = options_of(MethodConfig)["name"].choices


def _each(fits: Callable[[str], bool], expected: str) -> Callable[[Value], str | None]:
    """A check of every value of a list."""

    def check(values: Value) -> str | None:
        wrong = [value for value in values if not fits(value)] if isinstance(values, tuple) else []
        return f"{wrong[0]!r} is not {expected}" if wrong else None

    return check


def _count(greatest: int) -> Callable[[Value], str | None]:
    return _each(
        lambda value: value.isascii() and value.isdecimal() and 1 <= int(value) <= greatest,
        f"a whole number from 1 to {greatest}",
    )


@dataclass(frozen=True)
class BenchSetting:
    """One thing to time: a method on `batch` images in one pass, whose `size` is height and width."""

    method: MethodConfig
    size: tuple[int, int]
    classes: int
    batch: int


@dataclass(frozen=True)
class BenchConfig:
    """What to measure: every combination of methods, sizes, short sides, numbers of classes and batches."""

    methods: tuple[str, ...] = option(
        (),
        "Methods; empty: that of --method.",
        check=_each(METHODS.__contains__, f"one of {', '.join(METHODS)}"),
    )
    sizes: tuple[str, ...] = option(
        ("640x480",),
        "Sizes of the images, WIDTHxHEIGHT.",
        flags="--size",
        check=_each(
            lambda value: bool(re.fullmatch(r"[1-9]\d{0,4}x[1-9]\d{0,4}", value)),
            "WIDTHxHEIGHT, such as 640x480",
        ),
    )
    short_sides: tuple[str, ...] = option(
        (), "Short sides in pixels; empty: that of --short-side.", check=_count(2048)
    )
    num_classes: tuple[str, ...] = option(("21",), "Numbers of classes.", check=_count(254))
    batches: tuple[str, ...] = option(
        ("1",),
        "Numbers of images in one pass. With 1 among them the others are compared with as many single "
        "images.",
        flags="--batch",
        check=_count(1024),
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
