"""A run as one HTML page that holds everything but the video, which lies beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from markupsafe import Markup

from ovseg_ros.report import charts
from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import number, percent
from ovseg_ros.report.markdown import run_as_markdown
from ovseg_ros.report.pictures import data_uri, frame_section, size_within, write_strip
from ovseg_ros.runs.scoring import Picture
from ovseg_ros.vocabulary import BACKGROUND_COLOR
from ovseg_ros.vocabulary.phrases import color_of

_POSTER_WIDTH = 1088


@dataclass(frozen=True)
class Video:
    """A video beside the page: its file name, its frames a second, and its first picture, uint8
    [H, W, 3] RGB."""

    file: str
    rate: float
    poster: np.ndarray | None = None


@dataclass(frozen=True)
class Media:
    """What a report shows beside the figures of metrics.json."""

    pictures: Sequence[Picture] = ()
    video: Video | None = None


def write_run(folder: Path, metrics: Mapping[str, Any], media: Media | None = None) -> None:
    """Write `metrics.json`, the page `index.html`, and `report.md` with `pictures/` to an existing folder."""
    media = media or Media()
    text = json.dumps(metrics, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / "metrics.json").write_text(text + "\n", encoding="utf-8")
    (folder / "index.html").write_text(render(metrics, media), encoding="utf-8")
    links = [write_strip(folder, picture) for picture in media.pictures]
    (folder / "report.md").write_text(run_as_markdown(metrics, links), encoding="utf-8")


def render(metrics: Mapping[str, Any], media: Media | None = None) -> str:
    """The page as text, of what stands in metrics.json; a section without data does not appear."""
    media = media or Media()
    video = media.video
    confusion, bins = report_text.confusion(metrics), metrics.get("reliability")
    shares = confusion.truth_shares() if confusion else {}
    return page(
        "report.html.jinja",
        kind=report_text.kind(metrics),
        title=report_text.title(metrics),
        subtitle=report_text.subtitle(metrics),
        groups=_groups(metrics),
        video=video,
        poster=_poster(video),
        video_note="" if video is None else _video_note(video, metrics),
        phases=[_phase(phase) for phase in metrics.get("phases") or []],
        call_note=report_text.call_note(metrics),
        iou_rows=_iou_rows(metrics, shares),
        shares=bool(shares),
        confusion=charts.confusion_matrix(confusion) if confusion else None,
        mistakes=confusion.mistakes() if confusion else [],
        reliability=charts.reliability_diagram(bins) if bins else None,
        fitted=charts.reliability_diagram(after) if (after := report_text.bins_after_fit(metrics)) else None,
        fit_note=report_text.fit_note(metrics),
        threshold=report_text.threshold_note(metrics),
        calibration=report_text.calibration(metrics) if bins else "",
        charts=_charts(metrics),
        graph_notes=report_text.graph_notes(metrics),
        frames=[frame_section(picture) for picture in media.pictures],
        command=metrics.get("command"),
        facts=report_text.facts(metrics).items(),
        notes=report_text.notes(metrics),
    )


def page(template: str, **values: Any) -> str:
    """A page of one of the templates beside this file; what comes in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(values)


def _groups(metrics: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    return [
        (group, [{"label": label, "value": value, "main": label == "mean IoU"} for label, value in rows])
        for group, rows in report_text.figure_groups(metrics)
    ]


def _poster(video: Video | None) -> str:
    if video is None or video.poster is None:
        return ""
    size = size_within(video.poster, _POSTER_WIDTH)
    return data_uri(cv2.resize(video.poster, size, interpolation=cv2.INTER_AREA), "jpeg")


def _video_note(video: Video, metrics: Mapping[str, Any]) -> str:
    sent = number(metrics, "rate.sent")
    parts = ["Image and overlay side by side; the line above them tells the vocabulary and the latency."]
    if sent is not None:
        parts.append(f"The frames were sent at {sent:.2g} a second.")
    return " ".join([*parts, f"The video shows the answered frames at {video.rate:.2g} a second."])


def _phase(phase: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "revision": phase["revision"],
        "color": charts.phase_number(phase["revision"]),
        "figures": report_text.phase_figures(phase),
        "classes": _words(phase["classes"], phase["background"]),
        "ignored": ", ".join(phase["ignored"]),
    }


def _words(classes: Sequence[str], background: Sequence[str]) -> list[dict[str, str]]:
    """Chips of "name; synonym" entries."""
    chips = [{"words": entry, "color": charts.hex_color(color_of(entry.split(";")[0]))} for entry in classes]
    if background:
        words = f"background: {', '.join(background)}"
        chips.append({"words": words, "color": charts.hex_color(BACKGROUND_COLOR)})
    return chips


def _iou_rows(metrics: Mapping[str, Any], shares: Mapping[str, float]) -> list[dict[str, Any]]:
    """A row for each class, the best first, with a bar for each vocabulary that has the class."""
    ious = metrics.get("per_class_iou") or {}
    boundary = metrics.get("per_class_boundary_f") or {}
    phases = metrics.get("phases") or []
    sources: list[Mapping[str, Any]] = phases if len(phases) > 1 else [{"revision": 0, "per_class_iou": ious}]
    return [
        {
            "name": name,
            "share": percent(shares[name]) if name in shares else "",
            "boundary": percent(boundary[name]) if boundary.get(name) is not None else "",
            "bars": [
                _bar(source["per_class_iou"][name], charts.phase_number(source["revision"]))
                for source in sources
                if name in (source.get("per_class_iou") or {})
            ],
        }
        for name in sorted(ious, key=lambda name: -1.0 if ious[name] is None else ious[name], reverse=True)
    ]


def _bar(iou: float | None, color: int) -> dict[str, Any]:
    return {
        "percent": f"{100 * (iou or 0):.1f}",
        "text": "-" if iou is None else f"{100 * iou:.1f}",
        "color": color,
    }


def _charts(metrics: Mapping[str, Any]) -> list[tuple[Markup, str]]:
    frames = metrics.get("per_frame") or []
    latencies = report_text.latencies(metrics)
    found = []
    if latencies:
        what = (
            "From publishing an image to the arrival of its labels"
            if "frames_in" in metrics
            else "From an image to its labels"
        )
        marks = " Red marks: dropped frames." if any(f.get("revision") is None for f in frames) else ""
        chart = charts.over_time(frames, "latency_ms", "latency (ms)")
        found.append((chart, f"{what}, frame by frame.{marks}"))
        found.append((charts.latency_histogram(latencies), charts.HISTOGRAM_CAPTION))
    if any(frame.get("miou") is not None for frame in frames):
        chart = charts.over_time(frames, "miou", "mean IoU (%)", 100.0)
        found.append((chart, "Mean IoU of each frame alone."))
    return found
