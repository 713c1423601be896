"""A replay as one HTML page that holds everything but the video, which lies beside it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np

from ovseg_ros.drawing import colorize
from ovseg_ros.evaluation.charts import hex_color, latency_histogram, latency_over_time
from ovseg_ros.evaluation.findings import Findings, FrameFigures, Phase, Picture, phase_color
from ovseg_ros.evaluation.metrics import NamedScores
from ovseg_ros.evaluation.replay_result import VocabularyCall
from ovseg_ros.evaluation.summary import percent
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyClass

_PANEL_WIDTH = 440
_POSTER_WIDTH = 1088
_RECONSTRUCTION = (
    "The method (CLIPSeg, AAAI 2025) is rebuilt here from the abstract of its paper: these figures are those "
    "of the reconstruction and this model, not the paper's."
)


@dataclass(frozen=True)
class Context:
    """What the report tells beside the findings. `metrics` is what stands in metrics.json."""

    title: str
    metrics: Mapping[str, Any]
    video: str
    video_rate: float
    sent_rate: float
    own_rate: float
    call: VocabularyCall | None
    notes: Sequence[str] = ()


def write_report(path: Path, findings: Findings, context: Context) -> None:
    """Write the page."""
    path.write_text(render(findings, context), encoding="utf-8")


def render(findings: Findings, context: Context) -> str:
    """The page as text."""
    metrics = context.metrics
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    facts = {
        "bag": metrics["bag"],
        "model": metrics["model"],
        "method": metrics["method"],
        "device": metrics["device"],
        "pace": f"{context.sent_rate:.2g} frames a second, {context.own_rate:.2g} in the bag",
        **metrics["machine"],
    }
    return environment.get_template("report.html.jinja").render(
        title=context.title,
        subtitle=f"{metrics['model']} · {metrics['method']} · {metrics['device']}",
        tiles=_tiles(metrics),
        video=context.video,
        poster=None if findings.poster is None else _jpeg(findings.poster, _POSTER_WIDTH),
        video_note=(
            f"Image and overlay side by side. The frames were sent at {context.sent_rate:.2g} a second, the "
            f"video shows the answered ones at {context.video_rate:.2g} a second; the line above them tells "
            "the vocabulary and the latency."
        ),
        phases=[_phase(phase) for phase in findings.phases],
        call_note=_call_note(context.call),
        iou_rows=_iou_rows(findings),
        latency_chart=latency_over_time(findings.frames),
        histogram_chart=latency_histogram(findings.latencies),
        frames=[_frame(picture) for picture in findings.pictures],
        command=metrics["command"],
        facts=facts.items(),
        notes=[*context.notes, _RECONSTRUCTION],
    )


def _tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    latency = metrics["latency_ms"]
    quality = [
        (percent(metrics["miou"]), "mean IoU"),
        (percent(metrics["pixel_accuracy"]), "pixel accuracy"),
    ]
    return [
        *(tile for tile in quality if metrics["miou"] is not None),
        (f"{metrics['frames_out']} / {metrics['frames_in']}", "frames answered / sent"),
        (str(metrics["frames_dropped"]), "frames dropped"),
        (f"{latency['p50']:.0f} ms", "latency, median"),
        (f"{latency['p95']:.0f} ms", "latency, 95th percentile"),
        (f"{latency['p99']:.0f} ms", "latency, 99th percentile"),
    ]


def _phase(phase: Phase) -> dict[str, Any]:
    scores, frames = phase.scores, f"{phase.frames} frames"
    quality = (
        f", mean IoU {percent(scores.mean_iou)}, pixel accuracy {percent(scores.pixel_accuracy)}"
        if scores.mean_iou is not None
        else ""
    )
    return {
        "revision": phase.vocabulary.revision,
        "color": hex_color(phase_color(phase.vocabulary.revision)),
        "figures": frames + quality,
        "classes": [_chip(entry) for entry in phase.vocabulary.classes],
        "background": ", ".join(phase.vocabulary.background),
        "ignored": ", ".join(phase.ignored),
    }


def _call_note(call: VocabularyCall | None) -> str:
    if call is None:
        return ""
    if not call.success:
        return f"/set_vocabulary was refused: {call.message}"
    return (
        f"/set_vocabulary was called before frame {call.before_frame + 1}, while frames went on; it was "
        f"answered after {call.seconds * 1e3:.0f} ms."
    )


def _iou_rows(findings: Findings) -> list[dict[str, Any]]:
    if findings.scores is None:
        return []
    return [
        {
            "name": name,
            "bars": [
                _bar(phase.scores, name, hex_color(phase_color(phase.vocabulary.revision)))
                for phase in findings.phases
                if name in phase.scores.per_class_iou
            ],
        }
        for name in findings.scores.per_class_iou
    ]


def _bar(scores: NamedScores, name: str, color: str) -> dict[str, Any]:
    iou = scores.per_class_iou[name]
    return {
        "percent": f"{100 * (iou or 0):.1f}",
        "text": "-" if iou is None else f"{100 * iou:.1f}",
        "color": color,
    }


def _frame(picture: Picture) -> dict[str, Any]:
    vocabulary = picture.vocabulary
    heat = cv2.applyColorMap(picture.confidence, cv2.COLORMAP_VIRIDIS)[..., ::-1]
    panels = [("image", _jpeg(picture.image))]
    if picture.truth is not None:
        panels.append(("ground truth", _png(colorize(picture.truth, vocabulary))))
    panels.append(("prediction", _png(colorize(picture.labels, vocabulary))))
    panels.append(("confidence: dark 0, bright 1", _jpeg(heat)))
    seen = set(np.unique(picture.labels).tolist())
    if picture.truth is not None:
        seen |= set(np.unique(picture.truth).tolist())
    return {
        "title": picture.title,
        "figures": _frame_figures(picture.figures),
        "panels": panels,
        "classes": _legend(vocabulary, seen, picture.truth is not None),
    }


def _frame_figures(figures: FrameFigures) -> str:
    parts = [f"frame {figures.number + 1}", f"vocabulary {figures.revision}", f"{figures.latency_ms:.0f} ms"]
    if figures.miou is not None:
        parts.append(f"mean IoU {percent(figures.miou)}")
    return ", ".join(parts)


def _legend(vocabulary: Vocabulary, seen: set[int], with_truth: bool) -> list[dict[str, str]]:
    chips = [_chip(entry) for entry in vocabulary.classes if entry.id in seen]
    palette = vocabulary.palette()
    if BACKGROUND_ID in seen:
        chips.append({"words": "background", "color": hex_color(palette[BACKGROUND_ID])})
    if UNLABELLED_ID in seen:
        words = "unlabelled; in the truth: not counted" if with_truth else "unlabelled"
        chips.append({"words": words, "color": hex_color(palette[UNLABELLED_ID])})
    return chips


def _chip(entry: VocabularyClass) -> dict[str, str]:
    return {"words": "; ".join(entry.prompts), "color": hex_color(entry.color)}


def _jpeg(image: np.ndarray, width: int = _PANEL_WIDTH) -> str:
    return _data_uri(_fitted(image, width, cv2.INTER_AREA), "jpeg", [cv2.IMWRITE_JPEG_QUALITY, 85])


def _png(image: np.ndarray) -> str:
    return _data_uri(_fitted(image, _PANEL_WIDTH, cv2.INTER_NEAREST), "png", [])


def _fitted(image: np.ndarray, width: int, interpolation: int) -> np.ndarray:
    scale = min(1.0, width / image.shape[1])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=interpolation)


def _data_uri(image: np.ndarray, kind: str, options: Sequence[int]) -> str:
    data = cv2.imencode(f".{kind}", np.ascontiguousarray(image[..., ::-1]), list(options))[1]
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}"
