"""Two or more runs side by side: figures, classes, and what differs in how they were made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ovseg_ros.metrics.agreement import mean
from ovseg_ros.metrics.segmentation import SegmentationMetrics
from ovseg_ros.report import text as report_text
from ovseg_ros.report.figures import FIGURES, Figure, percent
from ovseg_ros.runs.comparison import ComparisonResult
from ovseg_ros.runs.result_files import read_result
from ovseg_ros.runs.results import Percentiles, RunResult
from ovseg_ros.vocabulary.phrases import label_key

_FILE_NAME = "metrics.json"


@dataclass(frozen=True)
class NamedRun:
    """A run and its name among others."""

    label: str
    result: RunResult


@dataclass(frozen=True)
class Cell:
    """A figure of one run: `text` as people read it, `difference` from the first run (empty there, where
    either lacks it, and where both read the same), `verdict` +1 better, -1 worse than that, 0 neither."""

    value: float | None
    text: str
    difference: str = ""
    verdict: int = 0


@dataclass(frozen=True)
class FigureRow:
    """A figure or a class over all runs."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side; the first is what the others are measured against.

    Attributes:
        labels: of the runs.
        groups: the figures that any run has, by group.
        classes: the IoU by class, sorted by the last run's difference from the first, gains first.
        settings: what differs in how the runs were made: name, and a text for each run.
        same: what is equal in all.
        cautions: why figures may not be comparable.
    """

    labels: tuple[str, ...]
    groups: tuple[tuple[str, tuple[FigureRow, ...]], ...]
    classes: tuple[FigureRow, ...]
    settings: tuple[tuple[str, tuple[str, ...]], ...]
    same: Mapping[str, str]
    cautions: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Every figure and class with a value for each run, None where a run lacks it."""
        return {
            "runs": list(self.labels),
            "figures": {
                row.label: [cell.value for cell in row.cells] for _, rows in self.groups for row in rows
            },
            "per_class_iou": {row.label: [cell.value for cell in row.cells] for row in self.classes},
            "settings": {name: list(texts) for name, texts in self.settings},
            "cautions": list(self.cautions),
        }


def read_runs(paths: Sequence[Path]) -> list[NamedRun]:
    """Read metrics.json files, or folders that hold one; the file of an `ovseg compare` gives a run for each
    method, its reference first. Labels are file, folder or method names, and unique.

    Raises ResultError.
    """
    found: list[NamedRun] = []
    for path in paths:
        file = path / _FILE_NAME if path.is_dir() else path
        result = read_result(file)
        if isinstance(result, ComparisonResult):
            found += _methods(result)
        else:
            name = file.resolve().parent.name if file.name == _FILE_NAME else file.stem
            found.append(NamedRun(name, result))
    runs: dict[str, NamedRun] = {}
    for run in found:
        label, number = run.label, 2
        while label in runs:
            label, number = f"{run.label} ({number})", number + 1
        runs[label] = NamedRun(label, run.result)
    return list(runs.values())


def _methods(comparison: ComparisonResult) -> list[NamedRun]:
    """The runs of an `ovseg compare`; each has the settings of all."""
    own = ("data", "model", "device")
    settings = {name: text for name, text in comparison.settings.items() if name not in own}
    rows = sorted(comparison.rows, key=lambda row: row.name != comparison.reference)
    return [
        NamedRun(
            row.name,
            RunResult(
                kind="compare",
                metrics=SegmentationMetrics(
                    frames=comparison.frames,
                    miou=row.miou,
                    pixel_accuracy=row.pixel_accuracy,
                    per_class_iou=row.per_class_iou,
                ),
                model=comparison.model,
                method=row.name,
                device=comparison.device,
                bag=comparison.data,
                command=comparison.command,
                latency_ms=Percentiles(row.p50_ms, row.p95_ms),
                peak_mb=row.peak_mb,
                configuration=dict(settings),
            ),
        )
        for row in rows
    ]


def put_side_by_side(runs: Sequence[NamedRun]) -> RunComparison:
    """Put runs side by side."""
    results = [run.result for run in runs]
    groups = []
    for group, figures in FIGURES.items():
        rows = [
            _row(figure.label, figure, [figure.value(result) for result in results]) for figure in figures
        ]
        if kept := tuple(row for row in rows if any(cell.value is not None for cell in row.cells)):
            groups.append((group, kept))
    settings = [_settings(result) for result in results]
    names = list(dict.fromkeys(name for entry in settings for name in entry))
    texts = {name: tuple(entry.get(name, "-") for entry in settings) for name in names}
    return RunComparison(
        tuple(run.label for run in runs),
        tuple(groups),
        _classes(results),
        tuple((name, found) for name, found in texts.items() if len(set(found)) > 1),
        {name: found[0] for name, found in texts.items() if len(set(found)) == 1},
        tuple(_cautions(runs)),
    )


def _row(label: str, figure: Figure, values: Sequence[float | None]) -> FigureRow:
    first, cells = values[0], []
    for value in values:
        text = "-" if value is None else figure.text(value)
        if value is None or first is None or text == figure.text(first):
            cells.append(Cell(value, text))
        else:
            verdict = figure.better if value > first else -figure.better
            cells.append(Cell(value, text, figure.difference(value - first), verdict))
    return FigureRow(label, tuple(cells))


def _classes(results: Sequence[RunResult]) -> tuple[FigureRow, ...]:
    ious = [_known_by_key(result) for result in results]
    names: dict[str, str] = {}
    for result in results:
        for name in result.metrics.per_class_iou:
            names.setdefault(label_key(name), name)
    miou = FIGURES["Quality"][0]
    rows = [_row(name, miou, [entry.get(key) for entry in ious]) for key, name in names.items()]
    return tuple(sorted(rows, key=_gain, reverse=True))


def _known_by_key(result: RunResult) -> dict[str, float]:
    """The IoU of the classes that have one, by how names are matched."""
    return {label_key(name): iou for name, iou in result.metrics.per_class_iou.items() if iou is not None}


def _gain(row: FigureRow) -> float:
    first, last = row.cells[0].value, row.cells[-1].value
    return float("-inf") if first is None or last is None else last - first


def _settings(result: RunResult) -> dict[str, str]:
    found = {"command": result.command} if result.command else {}
    found.update(report_text.facts(result))
    for phase in result.phases:
        name = f"vocabulary {phase.revision}"
        found[name] = ", ".join(phase.classes)
        if phase.background:
            found[f"{name}, background"] = ", ".join(phase.background)
    return found


def _cautions(runs: Sequence[NamedRun]) -> list[str]:
    """Why mean values of these runs may not be comparable."""
    found = []
    sources = {str(run.result.bag) for run in runs}
    if len(sources) > 1:
        found.append(f"The runs are of different recordings: {', '.join(sorted(sources))}.")
    if len({run.result.offline for run in runs}) > 1:
        found.append("An online run counts the frames that were answered, an offline run all of them.")
    frames = [report_text.frames(run.result) for run in runs]
    if len(set(frames)) > 1:
        counts = ", ".join(f"{run.label} {count}" for run, count in zip(runs, frames, strict=True))
        found.append(f"The runs count different numbers of frames: {counts}.")
    ious = [_known_by_key(run.result) for run in runs]
    common = set.intersection(*(set(entry) for entry in ious))
    if all(ious) and any(set(entry) != common for entry in ious):
        means = ", ".join(
            f"{run.label} {percent(mean(entry[name] for name in common))}"
            for run, entry in zip(runs, ious, strict=True)
        )
        shared = (
            f"Over the {len(common)} that all of them have: {means}."
            if common
            else "No class is in all of the runs."
        )
        found.append(f"Mean IoU is over different classes. {shared}")
    machines = {str(run.result.machine) for run in runs if run.result.machine}
    if len(machines) > 1:
        found.append("The runs were made on different machines or versions: times may not be comparable.")
    return found
