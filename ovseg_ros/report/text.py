"""What a report says of a run, for the page and for Markdown alike."""

from collections.abc import Iterator, Mapping

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.report.figures import FIGURES, percent
from ovseg_ros.runs.results import RunResult, VocabularyPhase

KINDS = {
    "demo": "a bag replayed through the running node, with a change of words",
    "evaluate": "every frame, offline",
    "replay": "a bag replayed through the running node",
    "compare": "one method of a comparison",
    None: "a run",
}
_RECONSTRUCTION = (
    "The method (CLIPSeg, AAAI 2025) is rebuilt here from the abstract of its paper: these figures are those "
    "of the reconstruction and this model, not the paper's."
)
_MOST_MISTAKES = 8


def title(result: RunResult) -> str:
    """The headline."""
    return f"{'Evaluation' if result.offline else 'Replay'} of {result.bag or 'a recording'}"


def subtitle(result: RunResult) -> str:
    """Model, method and device."""
    return " · ".join(part for part in (result.model, result.method, result.device) if part)


def figure_groups(result: RunResult) -> list[tuple[str, list[tuple[str, str]]]]:
    """The single figures that the run has: (group, [(label, value)])."""
    groups = [
        (
            group,
            [(figure.label, value) for figure in figures if figure.key and (value := figure.show(result))],
        )
        for group, figures in FIGURES.items()
    ]
    return [(group, rows) for group, rows in groups if rows]


def phase_figures(phase: VocabularyPhase) -> str:
    """Frames, mean IoU and pixel accuracy of the frames in one vocabulary."""
    metrics = phase.metrics
    parts = [f"{metrics.frames or 0} frames"]
    if metrics.miou is not None:
        parts.append(f"mean IoU {percent(metrics.miou)}")
        parts.append(f"pixel accuracy {percent(metrics.pixel_accuracy)}")
    return ", ".join(parts)


def call_note(result: RunResult) -> str:
    """What /set_vocabulary answered; empty where it was not called."""
    call = result.set_vocabulary
    if call is None:
        return ""
    if not call.success:
        return f"/set_vocabulary was refused: {call.message}"
    return (
        f"/set_vocabulary was called before frame {call.before_frame + 1}, while frames went on; it was "
        f"answered after {call.reply_ms:.0f} ms."
    )


def facts(result: RunResult) -> dict[str, str]:
    """How the run was made, by name; nested settings as "group.name". Without the command."""
    named = {
        "model": result.model,
        "method": result.method,
        "device": result.device,
        "bag": result.bag,
        "image_topic": result.image_topic,
    }
    return dict(_flat({**named, **(result.configuration or {}), **result.machine}))


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{prefix}{key}", str(value)


def notes(result: RunResult) -> list[str]:
    """What a reader must know to judge the figures."""
    found = list(result.notes or ())
    if not result.offline:
        if result.interrupted:
            found.append("The run was interrupted: the figures are of what there was by then.")
        if result.graph and result.graph.failure:
            found.append(f"The run ended early: {result.graph.failure}")
        if result.frames_left_out:
            found.append(f"{result.frames_left_out} frames repeat the stamp of another and were left out.")
    if result.method == "clipseg":
        found.append(_RECONSTRUCTION)
    return found


def graph_notes(result: RunResult) -> list[str]:
    """What the graph showed besides the single figures."""
    found = []
    search = result.graph.rate_search if result.graph else None
    if search is not None and search.held is not None and search.failed is not None:
        found.append(
            f"At {search.held:.1f} frames a second fewer than 5 % were dropped, at {search.failed:.1f} more: "
            "the highest sustainable rate lies between."
        )
    recovery = result.graph.recovery if result.graph else None
    if recovery is not None and recovery.jumps:
        found.append(
            f"The bag was played {recovery.jumps + 1} times; after {recovery.recovered} of the "
            f"{recovery.jumps} jumps of the stamps back to its start the node went on answering."
        )
    return found


def fit_note(result: RunResult) -> str:
    """What a fit of the confidence gave; empty without one."""
    fit = result.calibration
    if fit is None:
        return ""
    pairs = (("ECE", fit.before.ece, fit.after.ece), ("mean IoU", fit.before.miou, fit.after.miou))
    changes = [
        f"{label} {percent(before)} before, {percent(after)} after"
        for label, before, after in pairs
        if before is not None and after is not None
    ]
    return (
        f"Fitted on the other frames of the recording: temperature {fit.temperature:.3g}, threshold "
        f"{fit.threshold:.3f}. On these frames: {'; '.join(changes) or 'no truth'}."
    )


def confusion(result: RunResult) -> ConfusionTable | None:
    """The confusion table without its empty columns; None where the run has none."""
    table = result.metrics.confusion
    return table.without_empty_columns() if table is not None and table.truth else None


def mistakes(table: ConfusionTable) -> list[str]:
    """The pairs at which the most pixels are lost, in words, the worst first."""
    whole = sum(map(sum, table.counts))
    pairs = [
        (count, count / sum(counts), f"{table.truth[row]} as {table.predicted[column]}")
        for row, counts in enumerate(table.counts)
        for column, count in enumerate(counts)
        if count and row != column
    ]
    return [
        f"{pair}: {percent(share)} of its pixels, {percent(count / whole)} of all"
        for count, share, pair in sorted(pairs, reverse=True)[:_MOST_MISTAKES]
    ]


def calibration(result: RunResult) -> str:
    """ECE, Brier score and the number of bins, in a line."""
    metrics = result.metrics
    parts = [f"{len(metrics.reliability)} bins of equal width"]
    if metrics.ece is not None:
        parts.append(f"ECE {percent(metrics.ece)}")
    if metrics.brier is not None:
        parts.append(f"Brier score {metrics.brier:.3f}")
    return ", ".join(parts)


def frames(result: RunResult) -> str:
    """How many frames the figures are of; a dash where the run does not say."""
    found = result.metrics.frames
    if found is None and result.graph is not None:
        found = result.graph.frames_out
    return "-" if found is None else str(found)


def threshold_note(result: RunResult) -> str:
    """Which threshold on the confidence would be the best; empty where that was not measured."""
    best = result.metrics.best_threshold
    if best.threshold is None or best.miou is None:
        return ""
    if not best.threshold:
        return "No threshold on the confidence gives a higher mean IoU on these frames than none."
    return (
        f"A threshold of {best.threshold:.3f} gives the highest mean IoU on these frames, "
        f"{percent(best.miou)}."
    )
