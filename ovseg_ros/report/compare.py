"""Two or more runs beside each other: figures, classes, and what differs in how they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import FIGURES, percent
from ovseg_ros.report.metrics_file import Run
from ovseg_ros.vocabulary.phrases import label_key


@dataclass(frozen=True)
class Cell:
    """A figure of one run: `text` as people read it, `difference` from the first run (empty there, where
    either lacks it, and where both read the same), `verdict` +1 better, -1 worse than that, 0 neither."""

    value: float | None
    text: str
    difference: str = ""
    verdict: int = 0


@dataclass(frozen=True)
class Row:
    """A figure or a class over all runs."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs beside each other; the first is what the others are measured against.

    Attributes:
        labels: of the runs.
        groups: the figures that any run has, by group.
        classes: the IoU by class, sorted by the last run's difference from the first, gains first.
        settings: what differs in how the runs were made: name, and a text for each run.
        same: what is equal in all.
        cautions: why figures may not be comparable.
    """

    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    classes: tuple[Row, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    same: Mapping[str, str]
    cautions: tuple[str, ...]

    def figures(self) -> dict[str, Any]:
        """For JSON: every figure and class with a value for each run, None where a run lacks it."""
        return {
            "runs": list(self.labels),
            "figures": {
                row.label: [cell.value for cell in row.cells] for _, rows in self.groups for row in rows
            },
            "per_class_iou": {row.label: [cell.value for cell in row.cells] for row in self.classes},
            "settings": {name: list(texts) for name, texts in self.settings},
            "cautions": list(self.cautions),
        }


def compare(runs: Sequence[Run]) -> Comparison:
    """Put runs beside each other."""
    metrics = [run.metrics for run in runs]
    groups = []
    for group, figures in FIGURES.items():
        rows = [
            Row(
                figure.label,
                _cells([figure.value(m) for m in metrics], figure.text, figure.difference, figure.better),
            )
            for figure in figures
        ]
        if kept := tuple(row for row in rows if any(cell.value is not None for cell in row.cells)):
            groups.append((group, kept))
    settings = [_settings(m) for m in metrics]
    names = list(dict.fromkeys(name for entry in settings for name in entry))
    texts = {name: tuple(entry.get(name, "-") for entry in settings) for name in names}
    return Comparison(
        tuple(run.label for run in runs),
        tuple(groups),
        _classes(metrics),
        tuple((name, found) for name, found in texts.items() if len(set(found)) > 1),
        {name: found[0] for name, found in texts.items() if len(set(found)) == 1},
        tuple(_cautions(runs)),
    )


def _cells(values: Sequence[float | None], text: Any, difference: Any, better: int) -> tuple[Cell, ...]:
    first = values[0]
    cells = [Cell(first, "-" if first is None else text(first))]
    for value in values[1:]:
        shown = "-" if value is None else text(value)
        if value is None or first is None or shown == text(first):
            cells.append(Cell(value, shown))
            continue
        verdict = better if value > first else -better
        cells.append(Cell(value, shown, difference(value - first), verdict))
    return tuple(cells)


def _classes(metrics: Sequence[Mapping[str, Any]]) -> tuple[Row, ...]:
    ious = [{label_key(name): iou for name, iou in (m.get("per_class_iou") or {}).items()} for m in metrics]
    names: dict[str, str] = {}
    for m in metrics:
        for name in m.get("per_class_iou") or {}:
            names.setdefault(label_key(name), name)
    figure = FIGURES["Quality"][0]
    rows = [
        Row(name, _cells([entry.get(key) for entry in ious], percent, figure.difference, figure.better))
        for key, name in names.items()
    ]
    return tuple(sorted(rows, key=_gain, reverse=True))


def _gain(row: Row) -> float:
    first, last = row.cells[0].value, row.cells[-1].value
    return float("-inf") if first is None or last is None else last - first


def _settings(metrics: Mapping[str, Any]) -> dict[str, str]:
    found = {"command": str(metrics["command"])} if metrics.get("command") else {}
    found.update(report_text.facts(metrics))
    for phase in metrics.get("phases") or []:
        name = f"vocabulary {phase['revision']}"
        found[name] = ", ".join(phase["classes"])
        if phase["background"]:
            found[f"{name}, background"] = ", ".join(phase["background"])
    return found


def _cautions(runs: Sequence[Run]) -> list[str]:
    """Why mean values of these runs may not be comparable."""
    found = []
    sources = {str(run.metrics.get("source") or run.metrics.get("bag")) for run in runs}
    if len(sources) > 1:
        found.append(f"The runs are of different recordings: {', '.join(sorted(sources))}.")
    if len({report_text.is_offline(run.metrics) for run in runs}) > 1:
        found.append("An online run counts the frames that were answered, an offline run all of them.")
    frames = [report_text.frames(run.metrics) for run in runs]
    if len(set(frames)) > 1:
        counts = ", ".join(f"{run.label} {count}" for run, count in zip(runs, frames, strict=True))
        found.append(f"The runs count different numbers of frames: {counts}.")
    ious = [
        {
            label_key(name): iou
            for name, iou in (run.metrics.get("per_class_iou") or {}).items()
            if iou is not None
        }
        for run in runs
    ]
    common = set.intersection(*(set(entry) for entry in ious))
    if all(ious) and any(set(entry) != common for entry in ious):
        means = ", ".join(
            f"{run.label} {percent(sum(entry[name] for name in common) / len(common)) if common else '-'}"
            for run, entry in zip(runs, ious, strict=True)
        )
        found.append(
            f"Mean IoU is over different classes. Over the {len(common)} that all of them have: {means}."
        )
    machines = {str(run.metrics.get("machine")) for run in runs if run.metrics.get("machine")}
    if len(machines) > 1:
        found.append("The runs were made on different machines or versions: times may not be comparable.")
    return found
