"""Reports of a run, with everything but the video, and of runs side by side, as HTML and as Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from markupsafe import Markup

from ovseg_ros.report import charts
from ovseg_ros.report import text as report_text
from ovseg_ros.report.pictures import Picture, data_uri, size_within, write_strip
from ovseg_ros.report.side_by_side import NamedRun, RunComparison
from ovseg_ros.report.templates import from_template
from ovseg_ros.runs.result_files import to_json
from ovseg_ros.runs.results import RunResult

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
    ious = result.metrics.per_class_iou.items()
    return from_template(
        "report.html.jinja",
        result=result,
        title=report_text.title(result),
        video=video,
        poster=_poster(video),
        ious=sorted(ious, key=lambda pair: -1.0 if pair[1] is None else pair[1], reverse=True),
        charts_over_time=_charts(result),
        pictures=pictures,
    )


def run_as_markdown(result: RunResult, pictures: Sequence[tuple[str, str]] = ()) -> str:
    """The report of a run. `pictures`: file names relative to the report, with a caption each."""
    return from_template("report.md.jinja", result=result, pictures=pictures)


def comparison_as_markdown(comparison: RunComparison) -> str:
    """Runs side by side; differences are from the first."""
    return from_template("comparison.md.jinja", comparison=comparison)


def render_comparison(runs: Sequence[NamedRun], comparison: RunComparison) -> str:
    """The page of runs side by side as text; `comparison` is that of the runs."""
    # Of the runs that have the latency of each frame; all over the same range.
    latencies = [value for run in runs for value in run.result.latencies]
    return from_template(
        "comparison.html.jinja",
        title=" and ".join(comparison.labels) if len(runs) < 4 else f"{len(runs)} runs",
        comparison=comparison,
        runs=runs,
        reach=(min(latencies), max(latencies)) if latencies else None,
    )


def _poster(video: Video | None) -> str:
    if video is None or video.poster is None:
        return ""
    size = size_within(video.poster, _POSTER_WIDTH)
    return data_uri(cv2.resize(video.poster, size, interpolation=cv2.INTER_AREA), "jpeg")


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
