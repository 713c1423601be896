"""`ovseg compare`: from the options to the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from ovseg_ros.clipseg import METHODS, Classifier, ClipModel, Method, Segmenter
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.clipseg.methods import find_method
from ovseg_ros.metrics import bootstrap
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.runs.ablation import variants
from ovseg_ros.runs.compare import CompareError, Comparison, Tally, compare_frames
from ovseg_ros.runs.config import CompareConfig
from ovseg_ros.runs.contest import Contest, SharedContest, WholeContest
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.setup import (
    ModelChoice,
    Recording,
    WordChoice,
    model_choice,
    recording_of,
    word_choice,
)
from ovseg_ros.runs.surroundings import Interruption

WHOLE = (
    "Time: each method on its own, from the decoded image to its labels, in turns within each frame. Peak "
    "memory: of the process (on CUDA of torch) during its frames, weights included."
)
SHARED = (
    "Time: the blocks before the last one run once for all rows and are counted in each row, without the "
    "fused and compiled parts of the usual way: compare it within this table only. Peak memory likewise."
)


@dataclass(frozen=True)
class CompareOptions:
    """What to compare, and on what.

    Attributes:
        recording, words, model: what is labelled, in which words, by which model; the model's method is not
            used.
        methods: names; none: all, or none beside an ablation.
        ablate: add the variants of clipseg, and share the blocks before the last one among all.
        reference: the row that the differences are to; None: the first.
        draws, seed: of the bootstrap.
    """

    recording: Recording
    words: WordChoice
    model: ModelChoice
    methods: tuple[str, ...] = ()
    ablate: bool = False
    reference: str | None = None
    draws: int = bootstrap.DRAWS
    seed: int = 0


@dataclass(frozen=True)
class CompareOutcome:
    """The comparison, how it was made (for humans), and how its times are to be read."""

    comparison: Comparison
    setup: dict[str, str]
    timing: str


def compare(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: CompareConfig,
    progress: Progress,
) -> CompareOutcome:
    """Label every frame by every method. Ctrl-C ends the run with what it has.

    Raises OvsegError on whatever the user can mend.
    """
    options = CompareOptions(
        recording_of(path, recording, truth, selection),
        word_choice(engine.vocabulary, truth),
        model_choice(engine),
        tuple(entry.strip() for entry in config.methods.split(",")) if config.methods else (),
        config.ablate,
        config.reference or None,
        config.draws,
        config.seed,
    )
    _check(options.methods)
    with options.recording.open(messages=False) as source:
        words = options.words.build(source.truth_names)
        mapping = options.words.meter(source.truth_names, [words]).mapping(words)
        with progress.stage("loading the model"):
            segmenter, classifier = options.model.load(words)
            chosen = _rows(options.methods, options.ablate, segmenter.model)
            reference = _reference(options.reference, chosen)
            contest = _contest(options, segmenter, classifier, chosen)
        tally = Tally([method.name for method in chosen], mapping)
        part = options.recording.part
        with Interruption() as wish, progress.stage("comparing", source.expected(part)) as advance:
            frames = takewhile(lambda frame: not wish.requested, source.frames(part))
            left_out, interrupted = compare_frames(frames, contest, tally, on_frame=advance)
        for warning in source.warnings:
            progress.warn(warning)
    found = tally.compute(
        reference,
        left_out=left_out,
        interrupted=interrupted or wish.requested,
        draws=options.draws,
        seed=options.seed,
    )
    setup = {
        "data": str(options.recording.path),
        "classes": ", ".join(entry.name for entry in words.classes),
        **{key: value for key, value in segmenter.description.items() if key != "method"},
        "templates": options.model.templates,
    }
    return CompareOutcome(found, setup, SHARED if options.ablate else WHOLE)


def _check(names: Sequence[str]) -> None:
    for name in names:
        find_method(name)
    if len(set(names)) != len(names):
        raise CompareError(f"a method is named twice in {', '.join(names)}; expected each once")


def _rows(names: Sequence[str], ablate: bool, model: ClipModel) -> list[Method]:
    named = [model.method(name) for name in names]
    if ablate:
        added = variants(model.backbone.depth, model.method("clipseg"))
        return [*named, *(method for method in added if method not in named)]
    return named or [model.method(name) for name in METHODS]


def _reference(wanted: str | None, chosen: list[Method]) -> str:
    names = [method.name for method in chosen]
    if wanted is not None and wanted not in names:
        raise CompareError(f"the reference {wanted!r} is no row; expected one of {', '.join(names)}")
    return wanted or names[0]


def _contest(
    options: CompareOptions, segmenter: Segmenter, classifier: Classifier, chosen: list[Method]
) -> Contest:
    if options.ablate:
        return SharedContest(segmenter, chosen, classifier)
    segmenters = [
        Segmenter(segmenter.model, segmenter.config, templates=options.model.templates, method=method)
        for method in chosen
    ]
    return WholeContest(segmenters, classifier)
