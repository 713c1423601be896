"""Pages of HTML: a run, with everything but the video, and runs side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import jinja2
import numpy as np
from markupsafe import Markup

from ovseg_ros.report import charts
from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import percent
from ovseg_ros.report.markdown import run_as_markdown
from ovseg_ros.report.pictures import Picture, data_uri, frame_section, size_within, write_strip
from ovseg_ros.report.side_by_side import NamedRun, RunComparison
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.results import RunResult, VocabularyPhase
from ovseg_ros.vocabulary import BACKGROUND_COLOR
from ovseg_ros.vocabulary.phrases import color_of

_POSTER_WIDTH = 1088


@dataclass(frozen=True)
class Video:
    """A video in the folder of the page: its file name, its frames a second, and its first picture, uint8
    [H, W, 3] RGB."""

    file: str
    rate: float
    poster: np.ndarray | None = None


def write_run(
    folder: Path, result: RunResult, pictures: Sequence[Picture] = (), video: Video | None = None
) -> None:
    """Write `metrics.json`, the page `index.html`, and `report.md` with `pictures/` to an existing folder."""
    (folder / "metrics.json").write_text(to_json(result), encoding="utf-8")
    (folder / "index.html").write_text(render(result, pictures, video), encoding="utf-8")
    links = [write_strip(folder, picture) for picture in pictures]
    (folder / "report.md").write_text(run_as_markdown(result, links), encoding="utf-8")


def render(result: RunResult, pictures: Sequence[Picture] = (), video: Video | None = None) -> str:
    """The page of a run as text; a section without data does not appear."""
    metrics, fit = result.metrics, result.calibration
    confusion, bins = report_text.confusion(result), metrics.reliability
    shares = confusion.truth_shares() if confusion else {}
    return _page(
        "report.html.jinja",
        result=result,
        text=report_text,
        title=report_text.title(result),
        video=video,
        poster=_poster(video),
        video_note="" if video is None else _video_note(video, result),
        phases=[_phase(phase) for phase in result.phases],
        iou_rows=_iou_rows(result, shares),
        shares=bool(shares),
        confusion=charts.confusion_matrix(confusion) if confusion else None,
        mistakes=report_text.mistakes(confusion) if confusion else [],
        reliability=charts.reliability_diagram(bins) if bins else None,
        fitted=charts.reliability_diagram(fit.reliability_after) if fit and fit.reliability_after else None,
        charts=_charts(result),
        frames=[frame_section(picture) for picture in pictures],
    )


def render_comparison(runs: Sequence[NamedRun], comparison: RunComparison) -> str:
    """The page of runs side by side as text; `comparison` is that of the runs."""
    # Of the runs that have the latency of each frame; all over the same range.
    latencies = [value for run in runs for value in run.result.latencies]
    reach = (min(latencies), max(latencies)) if latencies else None
    return _page(
        "comparison.html.jinja",
        title=" and ".join(comparison.labels) if len(runs) < 4 else f"{len(runs)} runs",
        comparison=comparison,
        diagrams=[
            (
                run.label,
                report_text.calibration(run.result),
                charts.reliability_diagram(run.result.metrics.reliability),
                charts.phase_number(number),
            )
            for number, run in enumerate(runs, start=1)
            if run.result.metrics.reliability
        ],
        histograms=[
            (run.label, charts.latency_histogram(run.result.latencies, reach), charts.phase_number(number))
            for number, run in enumerate(runs, start=1)
            if run.result.latencies
        ],
        histogram_caption=charts.HISTOGRAM_CAPTION,
    )


def _page(template: str, **values: object) -> str:
    """A page of one of this folder's templates; what comes in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(values)


def _poster(video: Video | None) -> str:
    if video is None or video.poster is None:
        return ""
    size = size_within(video.poster, _POSTER_WIDTH)
    return data_uri(cv2.resize(video.poster, size, interpolation=cv2.INTER_AREA), "jpeg")


def _video_note(video: Video, result: RunResult) -> str:
    sent = result.graph.rate.sent if result.graph else None
    parts = ["Image and overlay side by side; the line above them shows the vocabulary and the latency."]
    if sent is not None:
        parts.append(f"The frames were sent at {sent:.2g} a second.")
    return " ".join([*parts, f"The video shows the answered frames at {video.rate:.2g} a second."])


def _phase(phase: VocabularyPhase) -> dict[str, object]:
    return {
        "revision": phase.revision,
        "color": charts.phase_number(phase.revision),
        "figures": report_text.phase_figures(phase),
        "classes": _words(phase.classes, phase.background),
        "ignored": ", ".join(phase.ignored),
    }


def _words(classes: Sequence[str], background: Sequence[str]) -> list[dict[str, str]]:
    """Chips of "name; synonym" entries."""
    chips = [{"words": entry, "color": charts.hex_color(color_of(entry.split(";")[0]))} for entry in classes]
    if background:
        words = f"background: {', '.join(background)}"
        chips.append({"words": words, "color": charts.hex_color(BACKGROUND_COLOR)})
    return chips


def _iou_rows(result: RunResult, shares: Mapping[str, float]) -> list[dict[str, object]]:
    """A row for each class, the best first, with a bar for each vocabulary that has the class."""
    ious, boundary = result.metrics.per_class_iou, result.metrics.per_class_boundary_f
    by_vocabulary = [(0, ious)]
    if len(result.phases) > 1:
        by_vocabulary = [(phase.revision, phase.metrics.per_class_iou) for phase in result.phases]
    return [
        {
            "name": name,
            "share": percent(shares[name]) if name in shares else "",
            "boundary": percent(boundary[name]) if boundary.get(name) is not None else "",
            "bars": [
                {"iou": found[name], "color": charts.phase_number(revision)}
                for revision, found in by_vocabulary
                if name in found
            ],
        }
        for name, _ in sorted(
            ious.items(), key=lambda pair: -1.0 if pair[1] is None else pair[1], reverse=True
        )
    ]


def _charts(result: RunResult) -> list[tuple[Markup, str]]:
    frames, found = result.per_frame, []
    if latencies := result.latencies:
        start, end = ("an", "") if result.graph is None else ("publishing an", "the arrival of ")
        marks = " Red marks: dropped frames." if any(frame.revision is None for frame in frames) else ""
        chart = charts.over_time(frames, lambda frame: frame.latency_ms, "latency (ms)")
        found.append((chart, f"From {start} image to {end}its labels, frame by frame.{marks}"))
        found.append((charts.latency_histogram(latencies), charts.HISTOGRAM_CAPTION))
    if any(frame.miou is not None for frame in frames):
        chart = charts.over_time(
            frames, lambda frame: None if frame.miou is None else 100 * frame.miou, "mean IoU (%)"
        )
        found.append((chart, "Mean IoU of each frame alone."))
    return found
