"""The figures of a run: as a file for programs and as a table for people."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.report.figures import percent
from ovseg_ros.runs.result_files import as_json
from ovseg_ros.runs.scoring import PhaseScores, RunScores

_FILES = (
    ("index.html", "the report: open it in a browser"),
    ("overlay.webm", "the video"),
    ("labelled/labelled.mcap", "the labelled bag: open it in Foxglove with config/foxglove_layout.json"),
    ("metrics.json", "all figures"),
    ("calibration.yaml", "parameters for the node"),
)


def collect(
    findings: RunScores, *, kind: str, bag: str, image_topic: str, model: str, method: str, device: str
) -> dict[str, Any]:
    """What every run puts into metrics.json: shares 0..1, times in ms and s, None where there is nothing to
    tell. `kind` is demo, evaluate or replay."""
    return {
        "kind": kind,
        **_quality(findings.quality),
        "vocabulary_revisions": [phase.vocabulary.revision for phase in findings.phases],
        "phases": [_phase(phase) for phase in findings.phases],
        "model": model,
        "method": method,
        "device": device,
        "bag": bag,
        "image_topic": image_topic,
        "command": command(),
        "machine": machine(),
        "per_frame": [vars(frame) for frame in findings.frames],
    }


def latency_figures(latencies: Sequence[float]) -> dict[str, float | None]:
    """p50, p95, p99 and max of times in ms; None of no time."""
    if not latencies:
        return dict.fromkeys(("p50", "p95", "p99", "max"))
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]).tolist()
    return {"p50": p50, "p95": p95, "p99": p99, "max": max(latencies)}


def quality_table(findings: RunScores) -> Table:
    """A row a vocabulary, and one over all where there are several; "pixels" is the share of right ones."""
    table = Table(expand=True)
    for name in ("vocabulary", "frames", "mean IoU", "pixels", "boundary F", "ECE", "flicker"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("words", no_wrap=True, overflow="ellipsis", ratio=1)
    for phase in findings.phases:
        names = ", ".join(entry.name for entry in phase.vocabulary.classes)
        revision = str(phase.vocabulary.revision)
        table.add_row(revision, str(phase.frames), *_cells(phase.quality), Text(names))
    if len(findings.phases) > 1:
        frames = sum(phase.frames for phase in findings.phases)
        table.add_row("all", str(frames), *_cells(findings.quality))
    return table


def class_table(quality: SegmentationMetrics) -> Table:
    """IoU, boundary F and share of the truth of each class, the largest first."""
    table = Table("class")
    for name in ("share", "IoU", "boundary F"):
        table.add_column(name, justify="right")
    shares = quality.confusion.truth_shares() if quality.confusion else {}
    for name in sorted(shares, key=lambda name: -shares[name]):
        share = shares[name] if quality.pixels else None
        figures = (share, quality.per_class_iou[name], quality.per_class_boundary_f[name])
        table.add_row(Text(name), *map(percent, figures))
    return table


def tell_files(console: Console, output: Path) -> None:
    """Where everything lies."""
    for name, what in _FILES:
        if (output / name).exists():
            console.print(Text(f"  {output / name}  ").append(what, style="dim"), soft_wrap=True)


def command() -> str:
    """The command line of this program."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def machine() -> dict[str, str]:
    """The machine and the versions that figures depend on."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores{_processor()}",
        "Python": platform.python_version(),
        "torch": _version("torch"),
        "open_clip": _version("open_clip_torch"),
        "ovseg_ros": _version("ovseg_ros"),
    }


def _quality(quality: SegmentationMetrics | None) -> dict[str, Any]:
    if quality is None:
        return {"miou": None, "pixel_accuracy": None, "per_class_iou": {}}
    return as_json(quality)


def _phase(phase: PhaseScores) -> dict[str, Any]:
    return {
        **_quality(phase.quality),
        "revision": phase.vocabulary.revision,
        "classes": ["; ".join(entry.prompts) for entry in phase.vocabulary.classes],
        "background": list(phase.vocabulary.background),
        "frames": phase.frames,
        "ignored": list(phase.ignored),
    }


def _cells(quality: SegmentationMetrics | None) -> list[str]:
    if quality is None:
        return ["-"] * 5
    shares = (quality.miou, quality.pixel_accuracy, quality.boundary_f, quality.ece, quality.flicker)
    return [percent(value) for value in shares]


def _processor() -> str:
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f" ({names[0]})" if names else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed as a package"
