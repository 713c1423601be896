"""The figures of a replay: as a file for programs and as a table for people."""

import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from ovseg_ros.evaluation.bags import TopicInfo
from ovseg_ros.evaluation.findings import Findings
from ovseg_ros.evaluation.replay_result import ReplayResult


def collect(
    result: ReplayResult, findings: Findings, bag: str, topic: TopicInfo, model: str
) -> dict[str, Any]:
    """What goes into metrics.json: shares 0..1, times in ms and s, None where there is nothing to tell."""
    scores, call = findings.scores, result.call
    percentiles = np.percentile(findings.latencies, [50, 95, 99]).tolist()
    return {
        "frames_in": result.frames_in,
        "frames_out": result.frames_out,
        "frames_dropped": result.frames_in - result.frames_out,
        "miou": scores.mean_iou if scores else None,
        "pixel_accuracy": scores.pixel_accuracy if scores else None,
        "per_class_iou": scores.per_class_iou if scores else {},
        "latency_ms": {
            **dict(zip(("p50", "p95", "p99"), percentiles, strict=True)),
            "max": max(findings.latencies),
        },
        "vocabulary_revisions": [phase.vocabulary.revision for phase in findings.phases],
        "phases": [
            {
                "revision": phase.vocabulary.revision,
                "classes": ["; ".join(entry.prompts) for entry in phase.vocabulary.classes],
                "background": list(phase.vocabulary.background),
                "frames": phase.frames,
                "miou": phase.scores.mean_iou,
                "pixel_accuracy": phase.scores.pixel_accuracy,
                "per_class_iou": phase.scores.per_class_iou,
                "ignored": list(phase.ignored),
            }
            for phase in findings.phases
        ],
        "set_vocabulary": None
        if call is None
        else {
            "before_frame": call.before_frame,
            "reply_ms": call.seconds * 1e3,
            "success": call.success,
            "message": call.message,
        },
        "model": result.node.get("model", model),
        "method": result.node.get("method", "unknown"),
        "device": result.node.get("device", "unknown"),
        "bag": bag,
        "image_topic": topic.name,
        "rate": {"bag": topic.rate, "sent": result.rate},
        "seconds": result.seconds,
        "held_seconds": result.held_seconds,
        "repeated_stamps": result.repeated_stamps,
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "machine": machine(),
        "per_frame": [vars(frame) for frame in findings.frames],
    }


def tell(console: Console, findings: Findings, metrics: dict[str, Any], output: Path) -> None:
    """The figures as a table, and where everything lies."""
    table = Table("vocabulary", "words", "frames", "mean IoU", "pixel accuracy")
    for phase in findings.phases:
        names = ", ".join(entry.name for entry in phase.vocabulary.classes)
        table.add_row(
            str(phase.vocabulary.revision),
            names,
            str(phase.frames),
            percent(phase.scores.mean_iou),
            percent(phase.scores.pixel_accuracy),
        )
    scores = percent(metrics["miou"]), percent(metrics["pixel_accuracy"])
    table.add_row("all", "", str(metrics["frames_out"]), *scores)
    console.print(table)
    latency = metrics["latency_ms"]
    console.print(
        f"{metrics['frames_in']} frames sent, {metrics['frames_dropped']} dropped; latency p50 "
        f"{latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms, p99 {latency['p99']:.0f} ms; "
        f"{metrics['model']} on {metrics['device']}"
    )
    for name, what in (
        ("index.html", "the report: open it in a browser"),
        ("overlay.webm", "the video"),
        ("labelled/labelled.mcap", "the labelled bag: open it in Foxglove with config/foxglove_layout.json"),
        ("metrics.json", "all figures"),
    ):
        console.print(f"  {output / name}  [dim]{what}[/dim]", soft_wrap=True)


def percent(value: float | None) -> str:
    """A share as people read it; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f} %"


def machine() -> dict[str, str]:
    """The machine and the versions that figures depend on."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores{_processor()}",
        "Python": platform.python_version(),
        "torch": _version("torch"),
        "open_clip": _version("open_clip_torch"),
        "ovseg_ros": _version("ovseg_ros"),
    }


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
