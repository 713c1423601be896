"""Reports as Markdown: tables that any viewer shows, with pictures in the same folder."""

from collections.abc import Sequence

from ovseg_ros.metrics.calibration import ReliabilityBin
from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import percent
from ovseg_ros.report.side_by_side import FigureRow, RunComparison
from ovseg_ros.runs.results import RunResult, VocabularyPhase

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
    """Text unchanged, in a block whose fence is longer than any within."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"


def run_as_markdown(result: RunResult, pictures: Sequence[tuple[str, str]] = ()) -> str:
    """The report of a run. `pictures`: file names relative to the report, with a caption each."""
    metrics = result.metrics
    parts = [f"# {plain(report_text.title(result))}", plain(report_text.subtitle(result))]
    for group, rows in report_text.figure_groups(result):
        parts += [f"## {group}", table(("figure", "value"), rows)]
    parts += [plain(note) for note in report_text.graph_notes(result)]
    if result.phases:
        parts += ["## The words", _words(result.phases), plain(report_text.call_note(result))]
    if metrics.per_class_iou:
        parts += ["## Intersection over union by class", _ious(result)]
    if (confusion := report_text.confusion(result)) and (mistakes := report_text.mistakes(confusion)):
        parts += ["## Where most pixels are lost", "\n".join(f"- {plain(mistake)}" for mistake in mistakes)]
    if metrics.reliability:
        parts += ["## Reliability of the confidence", plain(report_text.calibration(result) + ".")]
        parts.append(_reliability(metrics.reliability))
        parts += [plain(report_text.threshold_note(result)), plain(report_text.fit_note(result))]
    if pictures:
        parts.append("## Frames")
        for name, caption in pictures:
            parts += [plain(caption), f"![{plain(caption)}]({name})"]
    parts.append("## How this was made")
    if result.command:
        parts.append(code(result.command))
    parts.append(table(("setting", "value"), list(report_text.facts(result).items()), numbers=False))
    parts += [plain(note) for note in report_text.notes(result)]
    return "\n\n".join(part for part in parts if part) + "\n"


def comparison_as_markdown(comparison: RunComparison) -> str:
    """Runs side by side; differences are from the first."""
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


def _row(row: FigureRow) -> list[str]:
    cells = (f"{cell.text} ({cell.difference})" if cell.difference else cell.text for cell in row.cells)
    return [row.label, *cells]


def _words(phases: Sequence[VocabularyPhase]) -> str:
    rows = [
        (
            phase.revision,
            ", ".join(phase.classes),
            ", ".join(phase.background),
            report_text.phase_figures(phase),
        )
        for phase in phases
    ]
    return table(("vocabulary", "classes", "background", "figures"), rows, numbers=False)


def _ious(result: RunResult) -> str:
    """A row for each class: its IoU, also by vocabulary where there are several, and its boundary F."""
    boundary = result.metrics.per_class_boundary_f
    several = result.phases if len(result.phases) > 1 else ()
    header = ["class", "IoU", *(f"vocabulary {phase.revision}" for phase in several)]
    rows = []
    for name, iou in result.metrics.per_class_iou.items():
        by_phase = [phase.metrics.per_class_iou.get(name) for phase in several]
        rows.append([name, *map(percent, [iou, *by_phase, *([boundary.get(name)] if boundary else [])])])
    return table([*header, "boundary F"] if boundary else header, rows)


def _reliability(bins: Sequence[ReliabilityBin]) -> str:
    rows = [
        (f"{b.low:.2f} to {b.high:.2f}", b.pixels, percent(b.confidence), percent(b.accuracy))
        for b in bins
        if b.pixels
    ]
    return table(("confidence", "pixels", "mean confidence", "accuracy"), rows)
