"""What a report says of a run, taken from its metrics.json: for the page and for Markdown alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ovseg_ros.report.figures import FIGURES, number, percent

KINDS = {
    "demo": "a bag replayed through the running node, with a change of words",
    "evaluate": "every frame, offline",
    "replay": "a bag replayed through the running node",
    "compare": "one method of a comparison",
}
_OFFLINE = ("evaluate", "compare")
_RECONSTRUCTION = (
    "The method (CLIPSeg, AAAI 2025) is rebuilt here from the abstract of its paper: these figures are those "
    "of the reconstruction and this model, not the paper's."
)
_CONFIGURATION = ("model", "method", "device", "source", "bag", "image_topic", "configuration", "machine")
"""Where metrics.json says how a run was made; `command` stands for itself."""

_MOST_MISTAKES = 8

Metrics = Mapping[str, Any]


def kind(metrics: Metrics) -> str:
    """What sort of run this was."""
    return KINDS.get(str(metrics.get("kind")), "a run")


def is_offline(metrics: Metrics) -> bool:
    """Whether every frame was labelled, without a graph."""
    return metrics.get("kind") in _OFFLINE


def title(metrics: Metrics) -> str:
    """The headline."""
    verb = "Evaluation" if is_offline(metrics) else "Replay"
    return f"{verb} of {metrics.get('bag') or metrics.get('source') or 'a recording'}"


def subtitle(metrics: Metrics) -> str:
    """Model, method and device."""
    return " · ".join(str(metrics[key]) for key in ("model", "method", "device") if metrics.get(key))


def figure_groups(metrics: Metrics) -> list[tuple[str, list[tuple[str, str]]]]:
    """The single figures that the run has: (group, [(label, value)])."""
    groups = [
        (group, [(figure.label, figure.show(metrics)) for figure in figures if _has(figure, metrics)])
        for group, figures in FIGURES.items()
    ]
    return [(group, rows) for group, rows in groups if rows]


def _has(figure: Any, metrics: Metrics) -> bool:
    return figure.key and figure.value(metrics) is not None


def phase_figures(phase: Metrics) -> str:
    """Frames, mean IoU and pixel accuracy of the frames in one vocabulary."""
    parts = [f"{phase['frames']} frames"]
    if phase.get("miou") is not None:
        parts.append(f"mean IoU {percent(phase['miou'])}")
        parts.append(f"pixel accuracy {percent(phase.get('pixel_accuracy'))}")
    return ", ".join(parts)


def call_note(metrics: Metrics) -> str:
    """What /set_vocabulary answered; empty where it was not called."""
    call = metrics.get("set_vocabulary")
    if not call:
        return ""
    if not call["success"]:
        return f"/set_vocabulary was refused: {call['message']}"
    return (
        f"/set_vocabulary was called before frame {call['before_frame'] + 1}, while frames went on; it was "
        f"answered after {call['reply_ms']:.0f} ms."
    )


def facts(metrics: Metrics) -> dict[str, str]:
    """How the run was made, by name; nested settings as "group.name"."""
    found = dict(_flat({key: metrics[key] for key in _CONFIGURATION if metrics.get(key) not in (None, {})}))
    return {
        name.removeprefix("configuration.").removeprefix("machine."): text for name, text in found.items()
    }


def _flat(values: Metrics, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        elif value is not None:
            yield f"{prefix}{key}", str(value)


def notes(metrics: Metrics) -> list[str]:
    """What a reader must know to judge the figures."""
    found = [str(note) for note in metrics.get("notes") or []]
    if not is_offline(metrics):
        if metrics.get("interrupted") is True:
            found.append("The run was interrupted: the figures are of what there was by then.")
        if metrics.get("failure"):
            found.append(f"The run ended early: {metrics['failure']}")
        if left_out := number(metrics, "frames_left_out"):
            found.append(f"{left_out:.0f} frames repeat the stamp of another and were left out.")
    if metrics.get("method") == "clipseg":
        found.append(_RECONSTRUCTION)
    return found


def graph_notes(metrics: Metrics) -> list[str]:
    """What the graph showed beside the single figures."""
    found = []
    held, failed = number(metrics, "rate_search.held"), number(metrics, "rate_search.failed")
    if held is not None and failed is not None:
        found.append(
            f"At {held:.1f} frames a second fewer than 5 % were dropped, at {failed:.1f} more: the highest "
            "sustainable rate lies between."
        )
    jumps, recovered = number(metrics, "recovery.jumps"), number(metrics, "recovery.recovered")
    if jumps and recovered is not None:
        found.append(
            f"The bag was played {jumps + 1:.0f} times; after {recovered:.0f} of the {jumps:.0f} jumps of "
            "the stamps back to its start the node went on answering."
        )
    return found


def fit_note(metrics: Metrics) -> str:
    """What a fit of the confidence gave; empty without one."""
    temperature, threshold = (number(metrics, f"calibration.{key}") for key in ("temperature", "threshold"))
    if temperature is None or threshold is None:
        return ""
    changes = []
    for key, label in (("ece", "ECE"), ("miou", "mean IoU")):
        before, after = (number(metrics, f"calibration.{when}.{key}") for when in ("before", "after"))
        if before is not None and after is not None:
            changes.append(f"{label} {percent(before)} before, {percent(after)} after")
    return (
        f"Fitted on the other frames of the recording: temperature {temperature:.3g}, threshold "
        f"{threshold:.3f}. On these frames: {'; '.join(changes) or 'no truth'}."
    )


def bins_after_fit(metrics: Metrics) -> list[dict[str, Any]]:
    """The bins of the reliability curve with the fitted confidence; none without a fit."""
    return (metrics.get("calibration") or {}).get("reliability_after") or []


@dataclass(frozen=True)
class Confusion:
    """Pixels by true class (row) and what they were called (column). The columns begin with the rows'
    classes; beyond them come background, unlabelled and other words where any pixel has them."""

    rows: list[str]
    columns: list[str]
    counts: list[list[int]]

    def mistakes(self) -> list[str]:
        """The pairs at which the most pixels are lost, in words, the worst first."""
        whole = sum(map(sum, self.counts))
        pairs = [
            (count, count / sum(counts), f"{self.rows[row]} as {self.columns[column]}")
            for row, counts in enumerate(self.counts)
            for column, count in enumerate(counts)
            if count and row != column
        ]
        return [
            f"{pair}: {percent(share)} of its pixels, {percent(count / whole)} of all"
            for count, share, pair in sorted(pairs, reverse=True)[:_MOST_MISTAKES]
        ]

    def truth_shares(self) -> dict[str, float]:
        """The share (0..1) of the counted truth of each class."""
        whole = sum(map(sum, self.counts)) or 1
        return {name: sum(row) / whole for name, row in zip(self.rows, self.counts, strict=True)}


def confusion(metrics: Metrics) -> Confusion | None:
    """The confusion matrix; None where the run has none."""
    found = metrics.get("confusion")
    if not found or not found["truth"]:
        return None
    rows, columns, counts = found["truth"], found["predicted"], found["counts"]
    kept = [i for i in range(len(columns)) if i < len(rows) or any(row[i] for row in counts)]
    return Confusion(list(rows), [columns[i] for i in kept], [[row[i] for i in kept] for row in counts])


def calibration(metrics: Metrics) -> str:
    """ECE, Brier score and the number of bins, in a line."""
    parts = [f"{len(metrics['reliability'])} bins of equal width"]
    ece, brier = number(metrics, "ece"), number(metrics, "brier")
    if ece is not None:
        parts.append(f"ECE {percent(ece)}")
    if brier is not None:
        parts.append(f"Brier score {brier:.3f}")
    return ", ".join(parts)


def frames(metrics: Metrics) -> str:
    """How many frames the figures are of; a dash where the run does not tell."""
    found = [number(metrics, key) for key in ("frames", "frames_out")]
    return next((f"{count:.0f}" for count in found if count is not None), "-")


def latencies(metrics: Metrics) -> list[float]:
    """The latency of each frame that has one, in ms."""
    per_frame = metrics.get("per_frame") or []
    return [frame["latency_ms"] for frame in per_frame if frame.get("latency_ms") is not None]


def threshold_note(metrics: Metrics) -> str:
    """Which threshold on the confidence would be the best; empty where that was not measured."""
    threshold, miou = number(metrics, "best_threshold.threshold"), number(metrics, "best_threshold.miou")
    if threshold is None or miou is None:
        return ""
    if not threshold:
        return "No threshold on the confidence gives a higher mean IoU on these frames than none."
    return f"A threshold of {threshold:.3f} gives the highest mean IoU on these frames, {percent(miou)}."
