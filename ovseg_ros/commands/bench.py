"""`ovseg bench`: how fast it is here."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ovseg_ros.commands import console, options

_MODEL, _SETTINGS, _RUN = "Model", "Settings (each may be given several times)", "Run"


def _sizes(values: list[str]) -> tuple[tuple[int, int], ...]:
    found = []
    for value in values:
        match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", value)
        if match is None:
            raise typer.BadParameter(f"{value!r} is no size; expected WIDTHxHEIGHT, such as 640x480")
        found.append((int(match[2]), int(match[1])))
    return tuple(found)


def bench(
    model: Annotated[
        str,
        typer.Option(
            help="An open_clip architecture, a model that ships, or a folder.", rich_help_panel=_MODEL
        ),
    ] = "ViT-B-16",
    weights: options.Weights = "openai",
    random: Annotated[
        bool,
        typer.Option(
            "--random",
            help="Random weights: nothing is downloaded, and time is the same.",
            rich_help_panel=_MODEL,
        ),
    ] = False,
    download: options.Download = True,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    method: Annotated[
        list[str] | None, typer.Option(help="A method; clipseg if left out.", rich_help_panel=_SETTINGS)
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(help="Images, WIDTHxHEIGHT; 640x480 if left out.", rich_help_panel=_SETTINGS),
    ] = None,
    short_side: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Pixels of the short side that the model sees; 336 if left out.",
            rich_help_panel=_SETTINGS,
        ),
    ] = None,
    classes: Annotated[
        list[int] | None,
        typer.Option(min=1, max=254, help="Number of classes; 21 if left out.", rich_help_panel=_SETTINGS),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Images in one pass; 1 if left out. With 1 among them the others are compared with as many "
            "single images.",
            rich_help_panel=_SETTINGS,
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Timed runs of each.", rich_help_panel=_RUN)] = 10,
    threads: Annotated[
        int, typer.Option(min=0, help="Threads on the CPU; 0: torch's choice.", rich_help_panel=_RUN)
    ] = 0,
    reference: Annotated[
        bool,
        typer.Option(
            "--reference/--no-reference",
            help="Time the usual way beside: 224 windows at stride 112 one after another, plain operations, "
            "scores of all classes at full size.",
            rich_help_panel=_RUN,
        ),
    ] = True,
    swap: Annotated[
        int,
        typer.Option(
            min=0,
            help="Frames of each kind to measure changes of vocabulary with; 0: none.",
            rich_help_panel=_RUN,
        ),
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the numbers to this file.", rich_help_panel=_RUN)
    ] = None,
) -> None:
    """Measure how fast this machine segments, beside the usual way and beside what its arithmetic allows.

    From the bytes of an image to the bytes of its labels, and by stage. All settings run in turns, so that
    their ratios hold even where other programs disturb. Memory is the process's, weights included.

    Example: ovseg bench --random --classes 2 --classes 21 --classes 200

    Several cameras: ovseg bench --random --batch 1 --batch 2

    Exit status: 0 all went well, 1 something failed, 2 bad usage, 130 interrupted.
    """
    from ovseg_ros.bench.run import BenchOptions, run_bench, timed_runs

    chosen = BenchOptions(
        model=model,
        weights="random" if random else weights,
        allow_download=download,
        device=device,
        precision=precision,
        methods=tuple(method or ["clipseg"]),
        sizes=_sizes(size or ["640x480"]),
        short_sides=tuple(short_side or [336]),
        classes=tuple(classes or [21]),
        batches=tuple(batch or [1]),
        rounds=rounds,
        reference=reference,
        swap=swap,
        threads=threads,
    )
    with console.ProgressBars("runs").stage("measuring", timed_runs(chosen)) as advance:
        result = run_bench(chosen, step=advance)
    console.write_json(json_file, result)
    _tell(result)


def _tell(result: dict[str, Any]) -> None:
    machine = result["machine"]
    first = result["rows"][0]
    place = machine["gpu"] or f"{machine['cpu']}, {machine['threads']} threads"
    console.say(f"{place}; {first['precision']}; torch {machine['torch']}")
    table = Table("name", "method", "image", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("classes", "batch", "p50 ms", "p95", "p99", "MB", "faster"):
        table.add_column(heading, justify="right")
    references = {_key(row): row["p50_ms"] for row in result["rows"] if row["name"] == "reference"}
    for row in result["rows"]:
        reference = references.get(_key(row))
        table.add_row(
            *(row["name"], row["method"], f"{row['size'][0]}x{row['size'][1]}@{row['short_side']}"),
            *(str(row["classes"]), str(row["batch"])),
            *(f"{row[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}",
            "" if reference is None else f"x{reference / row['p50_ms']:.2f}",
        )
    console.out.print(table)
    parts = first["stages_ms"]
    whole = sum(parts.values())
    shares = ", ".join(f"{name} {ms:.1f} ms ({ms / whole:.1%})" for name, ms in parts.items())
    console.say(f"stages of the first row: {shares}")
    for row in result["rows"]:
        ratio = row["ratio_to_singles"]
        if row["name"] == "ovseg" and row["batch"] > 1 and ratio is not None:
            console.say(
                f"a batch of {row['batch']} takes {ratio:.2f} times the time of {row['batch']} single images "
                f"({row['method']}, {row['size'][0]}x{row['size'][1]}@{row['short_side']}, "
                f"{row['classes']} classes)"
            )
    floor = result["floor_ms"]
    console.say(
        f"floor of the first row by the measured rates of this machine: {floor:.1f} ms, "
        f"{floor / first['p50_ms']:.0%} of its time"
    )
    if "vocabulary_swap" in result:
        swap = result["vocabulary_swap"]
        alone = swap["frame_ms"]
        console.say(
            f"changing words: frames of one vocabulary {alone:.1f} ms; another known one at each frame "
            f"{swap['cached_ms'] / alone:.2f} times that; new words beside them "
            f"{swap['uncached_ms'] / alone:.2f} times (three words in force after {swap['uncached_s']:.1f} s)"
        )


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(str(row[name]) for name in ("method", "size", "short_side", "classes", "batch"))
