"""`ovseg bench`: how fast it is here."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from rich.table import Table

from ovseg_ros.bench.config import BenchConfig
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Expose, Json, generated

if TYPE_CHECKING:
    from ovseg_ros.bench.benchmark import BenchResult, BenchRow

WORDS = ("vocabulary.file", "vocabulary.classes", "vocabulary.background", "vocabulary.threshold")
"""Options that make no difference to the time."""


@generated
def bench(
    config: BenchConfig,
    engine: Annotated[EngineConfig, Expose(without=("output.overlay_alpha", *WORDS))],
    json_file: Json = None,
) -> None:
    """Measure how fast this machine segments, next to a plain implementation and to its own limits.

    From the bytes of an image to the bytes of its labels, and by stage. All combinations run in turns, so
    that their ratios hold even where other programs disturb. Memory is the process's, weights included.

    Example: ovseg bench --random --num-classes 2,21,200

    Several cameras: ovseg bench --random --batch 1,2

    Exit status: 0 success, 1 failure, 2 wrong usage, 130 interrupted.
    """
    from ovseg_ros.bench.benchmark import run_bench

    with console.ProgressBars("runs").stage("measuring", config.timed_runs(engine)) as advance:
        result = run_bench(engine, config, step=advance)
    console.write_json(json_file, asdict(result))
    _report(result)


def _report(result: "BenchResult") -> None:
    machine, first = result.machine, result.rows[0]
    place = machine.gpu or f"{machine.cpu}, {machine.threads} threads"
    console.say(f"{place}; {first.precision}; torch {machine.torch}")
    table = Table("name", "method", "image", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("classes", "batch", "p50 ms", "p95", "p99", "MB", "faster"):
        table.add_column(heading, justify="right")
    references = {_setting(row): row.p50_ms for row in result.rows if row.name == "reference"}
    for row in result.rows:
        reference = references.get(_setting(row))
        table.add_row(
            *(row.name, row.method, f"{row.size[0]}x{row.size[1]}@{row.short_side}"),
            *(str(row.classes), str(row.batch)),
            *(f"{ms:.1f}" for ms in (row.p50_ms, row.p95_ms, row.p99_ms)),
            "" if row.peak_mb is None else f"{row.peak_mb:.0f}",
            "" if reference is None else f"x{reference / row.p50_ms:.2f}",
        )
    console.out.print(table)
    whole = sum(first.stages_ms.values())
    shares = ", ".join(f"{name} {ms:.1f} ms ({ms / whole:.1%})" for name, ms in first.stages_ms.items())
    console.say(f"stages of the first row: {shares}")
    for row in result.rows:
        setting = f"{row.method}, {row.size[0]}x{row.size[1]}@{row.short_side}, {row.classes} classes"
        if row.name == "ovseg" and row.batch > 1 and row.ratio_to_singles is not None:
            console.say(
                f"a batch of {row.batch} takes {row.ratio_to_singles:.2f} times the time of {row.batch} "
                f"single images ({setting})"
            )
        if row.stream_ms is not None:
            console.say(f"a stream of images takes {row.stream_ms:.1f} ms an image ({setting})")
    console.say(
        f"roofline of the first row by the measured rates of this machine: {result.roofline_ms:.1f} ms, "
        f"{result.roofline_ms / first.p50_ms:.0%} of its time"
    )
    swap = result.vocabulary_swap
    if swap is not None:
        console.say(
            f"changing words: frames of one vocabulary {swap.frame_ms:.1f} ms; another known one at each "
            f"frame {swap.cached_ms / swap.frame_ms:.2f} times that; while new words are encoded "
            f"{swap.uncached_ms / swap.frame_ms:.2f} times (three words in force after "
            f"{swap.uncached_s:.1f} s)"
        )


def _setting(row: "BenchRow") -> tuple[object, ...]:
    return row.method, row.size, row.short_side, row.classes, row.batch
