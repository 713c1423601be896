"""Reports as Markdown: tables that any viewer shows, with pictures beside the file."""

from collections.abc import Mapping, Sequence
from typing import Any

from ovseg_ros.report import text as report_text
from ovseg_ros.report.compare import Comparison, Row
from ovseg_ros.report.figures import percent

_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "\\`*_{}[]<>#|~!"} | {"\n": " ", "\r": " "}
)


def plain(text: object) -> str:
    """Text in which nothing is Markdown or HTML."""
    return str(text).translate(_SPECIAL).replace("&", "&amp;")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], numbers: bool = True) -> str:
    """A table; the cells are plain text, all columns but the first to the right if `numbers`."""
    rule = ["---", *(["--:" if numbers else "---"] * (len(header) - 1))]
    lines = [[plain(cell) for cell in header], rule, *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text as it stands, in a block whose fence is longer than any within."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def run_as_markdown(metrics: Mapping[str, Any], pictures: Sequence[tuple[str, str]] = ()) -> str:
    """The report of a run. `pictures`: file names relative to the report, with a caption each."""
    parts = [f"# {plain(report_text.title(metrics))}", plain(report_text.subtitle(metrics))]
    for group, rows in report_text.figure_groups(metrics):
        parts += [f"## {group}", table(("figure", "value"), rows)]
    parts += [plain(note) for note in report_text.graph_notes(metrics)]
    parts += _words(metrics)
    if metrics.get("per_class_iou"):
        parts += ["## Intersection over union by class", _ious(metrics)]
    if (confusion := report_text.confusion(metrics)) and (mistakes := confusion.mistakes()):
        parts += ["## Where most pixels are lost", "\n".join(f"- {plain(mistake)}" for mistake in mistakes)]
    if metrics.get("reliability"):
        parts += ["## Reliability of the confidence", plain(report_text.calibration(metrics) + ".")]
        parts.append(_reliability(metrics["reliability"]))
        parts += [plain(report_text.threshold_note(metrics)), plain(report_text.fit_note(metrics))]
    if pictures:
        parts.append("## Frames")
        for name, caption in pictures:
            parts += [plain(caption), f"![{plain(caption)}]({name})"]
    parts.append("## How this was made")
    if metrics.get("command"):
        parts.append(code(str(metrics["command"])))
    parts.append(table(("setting", "value"), list(report_text.facts(metrics).items()), numbers=False))
    parts += [plain(note) for note in report_text.notes(metrics)]
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_as_markdown(comparison: Comparison) -> str:
    """Runs beside each other; differences are from the first."""
    header = ("", *comparison.labels)
    parts = [f"# {plain(' and '.join(comparison.labels))}"]
    parts += [plain(caution) for caution in comparison.cautions]
    for group, rows in comparison.groups:
        parts += [f"## {group}", table(header, [_row(row) for row in rows])]
    if comparison.classes:
        classes = table(("class", *comparison.labels), [_row(row) for row in comparison.classes])
        parts += ["## Intersection over union by class", classes]
    if comparison.settings:
        settings = table(header, [(name, *texts) for name, texts in comparison.settings], numbers=False)
        parts += ["## What differs in how they were made", settings]
    if comparison.same:
        parts += ["## The same in all", table(("", "value"), list(comparison.same.items()), numbers=False)]
    return "\n\n".join(parts) + "\n"


def _row(row: Row) -> list[str]:
    return [
        row.label,
        *(f"{cell.text} ({cell.difference})" if cell.difference else cell.text for cell in row.cells),
    ]


def _words(metrics: Mapping[str, Any]) -> list[str]:
    phases = metrics.get("phases") or []
    if not phases:
        return []
    rows = [
        (
            phase["revision"],
            ", ".join(phase["classes"]),
            ", ".join(phase["background"]),
            report_text.phase_figures(phase),
        )
        for phase in phases
    ]
    header = ("vocabulary", "classes", "background", "figures")
    note = report_text.call_note(metrics)
    return ["## The words", table(header, rows, numbers=False), plain(note)]


def _ious(metrics: Mapping[str, Any]) -> str:
    """A row for each class: its IoU, also by vocabulary where there are several, and its boundary F."""
    ious: Mapping[str, float | None] = metrics["per_class_iou"]
    boundary = metrics.get("per_class_boundary_f") or {}
    phases = metrics.get("phases") or []
    several = phases if len(phases) > 1 else []
    header = ["class", "IoU", *(f"vocabulary {phase['revision']}" for phase in several)]
    rows = []
    for name, iou in ious.items():
        by_phase = [(phase.get("per_class_iou") or {}).get(name) for phase in several]
        rows.append([name, *map(percent, [iou, *by_phase, *([boundary.get(name)] if boundary else [])])])
    return table([*header, "boundary F"] if boundary else header, rows)


def _reliability(bins: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"{entry['low']:.2f} to {entry['high']:.2f}",
            entry["pixels"],
            percent(entry["confidence"]),
            percent(entry["accuracy"]),
        )
        for entry in bins
        if entry["pixels"]
    ]
    return table(("confidence", "pixels", "mean confidence", "accuracy"), rows)
