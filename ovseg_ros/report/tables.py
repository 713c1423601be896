"""Results as tables and lines for the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ovseg_ros.metrics.class_statistics import ClassStatistics
from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.recordings.frame import Source
from ovseg_ros.report.figures import percent
from ovseg_ros.report.method_comparison import COLUMNS, cells
from ovseg_ros.report.side_by_side import Cell, RunComparison
from ovseg_ros.runs.comparison import ComparisonResult
from ovseg_ros.runs.results import CalibrationResult, GraphFigures, RunResult, ServiceCalls
from ovseg_ros.vocabulary import Vocabulary

_FILES = (
    ("index.html", "the report: open it in a browser"),
    ("overlay.webm", "the video"),
    ("labelled/labelled.mcap", "the labelled bag: open it in Foxglove with config/foxglove_layout.json"),
    ("metrics.json", "all figures"),
    ("calibration.yaml", "parameters for the node"),
)
_LONGEST = 200
_LISTED_INPUTS = 20
_LISTED_CLASSES = 3
_STYLES = {1: "green", 0: "dim", -1: "red"}


def metrics_table(result: RunResult) -> Table:
    """A row a vocabulary, and one over all where there are several; "pixels" is the share of right ones."""
    table = Table(expand=True)
    for name in ("vocabulary", "frames", "mean IoU", "pixels", "boundary F", "ECE", "flicker"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("words", no_wrap=True, overflow="ellipsis", ratio=1)
    rows = [
        (str(phase.revision), phase.metrics.frames, phase.metrics, phase.classes) for phase in result.phases
    ]
    if len(rows) > 1:
        rows.append(("all", sum(frames or 0 for _, frames, *_ in rows), result.metrics, ()))
    for name, frames, metrics, classes in rows:
        shares = (metrics.miou, metrics.pixel_accuracy, metrics.boundary_f, metrics.ece, metrics.flicker)
        words = ", ".join(entry.split(";")[0] for entry in classes)
        table.add_row(name, str(frames or 0), *map(percent, shares), Text(words))
    return table


def _table(first: str, *numbers: str, title: str | None = None) -> Table:
    """A table whose first column is text, the others numbers."""
    columns = (Column(Text(name), justify="right") for name in numbers)
    return Table(first, *columns, title=title, title_justify="left", caption_justify="left")


def class_iou_table(metrics: SegmentationMetrics) -> Table:
    """IoU, boundary F and share of the truth of each class, the largest first."""
    table = _table("class", "share", "IoU", "boundary F")
    shares = metrics.confusion.truth_shares() if metrics.confusion else {}
    for name in sorted(shares, key=lambda name: -shares[name]):
        share = shares[name] if metrics.pixels else None
        figures = (share, metrics.per_class_iou[name], metrics.per_class_boundary_f[name])
        table.add_row(Text(name), *map(percent, figures))
    return table


def speed_line(result: RunResult) -> str:
    """How fast an offline run was, and with what."""
    latency = result.latency_ms
    line = f"{result.metrics.frames or 0} frames in {result.seconds or 0:.1f} s"
    if result.frames_per_second is not None:
        line += f" ({result.frames_per_second:.1f} frames/s)"
    if latency.p50 is not None:
        times = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99))
        line += "; inference " + ", ".join(f"{name} {value:.0f} ms" for name, value in times)
    if result.peak_mb is not None:
        line += f"; peak memory {result.peak_mb:.0f} MB"
    return f"{line}; {result.model}, {result.method}, {result.device}"


def calibration_table(fit: CalibrationResult) -> Table:
    """Metrics before and after a fit of the confidence."""
    table = _table("calibration", "logit scale", "ECE", "Brier", "mean IoU", "unlabelled")
    scale = fit.logit_scale
    for name, used, scores in (("before", scale * fit.temperature, fit.before), ("after", scale, fit.after)):
        brier = "-" if scores.brier is None else f"{scores.brier:.4f}"
        shares = percent(scores.miou), percent(scores.unlabelled_share)
        table.add_row(name, f"{used:.2f}", percent(scores.ece), brier, *shares)
    return table


def graph_lines(result: RunResult, graph: GraphFigures) -> list[str]:
    """What only the graph shows."""
    lines = [f"{graph.frames_in} frames sent, {graph.frames_out} answered, {graph.frames_dropped} dropped"]
    if graph.frames_not_received:
        lines[0] += f" ({graph.frames_not_received} of them never reached the node)"
    if result.frames_left_out:
        lines.append(
            f"{result.frames_left_out} frames were not sent: one with the same time stamp was on the way"
        )
    latency, late = result.latency_ms, graph.sending.late_ms
    lines.append(
        f"latency {_ms(latency.p50)} p50, {_ms(latency.p95)} p95, {_ms(latency.p99)} p99, "
        f"{_ms(latency.max)} max; jitter {_ms(graph.jitter_ms)}"
    )
    lines.append(
        f"sent at {_hz(graph.rate.sent)}, answered at {_hz(graph.rate.output)}; frames went out "
        f"{_ms(late.p50)} late (p99 {_ms(late.p99)})"
    )
    for name in ("get_vocabulary", "set_vocabulary"):
        reply: ServiceCalls | None = getattr(graph.service_ms, name)
        if reply is not None and reply.calls:
            times = f"{_ms(reply.p50)} p50, {_ms(reply.max)} max"
            lines.append(f"/{name} answered in {times} ({reply.calls} calls)")
    if search := graph.rate_search:
        beyond = "" if search.failed is None else f"; {_hz(search.failed)} does not hold"
        lines.append(f"highest rate with fewer than 5 % dropped: {_hz(search.held)}{beyond}")
    if recovery := graph.recovery:
        first = recovery.first_answer_ms
        lines.append(
            f"jumps back to the start: {recovery.jumps}, answered again after {recovery.recovered}; "
            f"first answer after {_ms(first.p50)} p50, {_ms(first.max)} max"
        )
    lines.append(f"{result.model}, {result.method} on {result.device}")
    return lines


def milliseconds(value: float | None, unit: str = "") -> str:
    """A time with one decimal; a dash where there is none."""
    return "-" if value is None else f"{value:.1f}{unit}"


def _ms(value: float | None) -> str:
    return milliseconds(value, " ms")


def _hz(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} Hz"


def methods_table(comparison: ComparisonResult) -> Table:
    """The rows of an `ovseg compare`."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    for row in comparison.rows:
        table.add_row(*(Text(cell) for cell in cells(row, comparison.reference)))
    return table


def side_by_side_tables(comparison: RunComparison) -> list[Table]:
    """Figures and classes of several runs, and what differs in how they were made."""
    table = _table("", *comparison.labels)
    classes = [("IoU by class", comparison.classes)] if comparison.classes else []
    for group, rows in (*comparison.groups, *classes):
        table.add_section()
        table.add_row(Text(group, style="bold"))
        for row in rows:
            table.add_row(Text(row.label), *map(_cell, row.cells))
    if not comparison.settings:
        return [table]
    settings = Table("what differs", *(Column(Text(label)) for label in comparison.labels))
    for name, texts in comparison.settings:
        settings.add_row(Text(name), *(Text(_shortened(text)) for text in texts))
    return [table, settings]


def inputs_table(results: Sequence[tuple[Source, ClassStatistics]], vocabulary: Vocabulary) -> Table:
    """The first inputs of an `ovseg segment`: frames, time, largest classes."""
    table = _table("input", "frames", "p50 ms", "p95 ms", title="Inputs")
    table.add_column("largest classes")
    for source, statistics in results[:_LISTED_INPUTS]:
        largest = statistics.by_share(vocabulary)[:_LISTED_CLASSES]
        shares = ", ".join(f"{name} {statistics.share(class_id):.0%}" for class_id, name in largest)
        times = (milliseconds(statistics.time(percentile)) for percentile in (50, 95))
        last = shares or ("failed" if statistics.failures else "")
        table.add_row(Text(source.name), str(statistics.frames), *times, Text(last))
    if len(results) > _LISTED_INPUTS:
        table.caption = f"and {len(results) - _LISTED_INPUTS} more"
    return table


def class_share_table(statistics: ClassStatistics, vocabulary: Vocabulary) -> Table:
    """The classes that an `ovseg segment` saw, the largest first, and a line with those that it did not."""
    table = _table("class", "id", "share", "confidence", "in frames", title="Classes")
    for class_id, name in statistics.by_share(vocabulary):
        share, confidence = f"{statistics.share(class_id):.1%}", f"{statistics.confidence(class_id):.2f}"
        table.add_row(Text(name), str(class_id), share, confidence, f"{statistics.seen[class_id]:.0f}")
    missing = [cls.name for cls in vocabulary.classes if not statistics.seen[cls.id]]
    if missing:
        table.caption = Text(f"not seen: {', '.join(missing)}")
    return table


def _cell(cell: Cell) -> Text:
    text = Text(cell.text)
    return text.append(f"  {cell.difference}", style=_STYLES[cell.verdict]) if cell.difference else text


def _shortened(text: str) -> str:
    """What fits a terminal; the page has all of it."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def print_files(console: Console, output: Path) -> None:
    """The files of a run, and what each is for."""
    for name, what in _FILES:
        if (output / name).exists():
            console.print(Text(f"  {output / name}  ").append(what, style="dim"), soft_wrap=True)
