"""What a report says of a run, for the page and for Markdown alike."""

from collections.abc import Iterator, Mapping

from ovseg_ros.metrics.agreement import ConfusionTable
from ovseg_ros.report.figures import FIGURES, percent
from ovseg_ros.runs.results import RateSearch, Recovery, RunResult

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


def frames(result: RunResult) -> str:
    """How many frames the figures are of; a dash where the run does not say."""
    found = result.metrics.frames
    if found is None and result.graph is not None:
        found = result.graph.frames_out
    return "-" if found is None else str(found)


def rate_search(result: RunResult) -> RateSearch | None:
    """The search for the highest rate, where it found one that holds and one that does not."""
    search = result.graph.rate_search if result.graph else None
    return search if search and search.held is not None and search.failed is not None else None


def recovery(result: RunResult) -> Recovery | None:
    """What came of the jumps back to the start of the bag, where there were any."""
    found = result.graph.recovery if result.graph else None
    return found if found and found.jumps else None
