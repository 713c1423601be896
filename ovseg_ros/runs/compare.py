"""`ovseg compare`: methods side by side on labelled frames, from the options to the comparison."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ovseg_ros.clipseg import (
    METHODS,
    Classifier,
    DeviceLost,
    EngineConfig,
    Method,
    OutOfMemory,
    Segmenter,
    load_segmenter,
    resolve_method,
)
from ovseg_ros.clipseg.methods import find_method
from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.sources import open_source, require_truth
from ovseg_ros.runs.ablation import variants
from ovseg_ros.runs.comparison import CompareError, ComparisonCounts, ComparisonResult
from ovseg_ros.runs.config import CompareConfig
from ovseg_ros.runs.facts import command
from ovseg_ros.runs.loop import until_interrupted
from ovseg_ros.runs.predictors import warn_of_ignored
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.prompts import prompts_of_run
from ovseg_ros.runs.runners import Runner, SeparateRunner, SharedRunner
from ovseg_ros.runs.scoring import make_meter
from ovseg_ros.runs.signals import Interruption
from ovseg_ros.vocabulary import VocabularyBuilder, build_vocabulary

SEPARATE = (
    "Time: each method on its own, from the decoded image to its labels, in turns within each frame. Peak "
    "memory: of the process (on CUDA of torch) during its frames, weights included."
)
SHARED = (
    "Time: the blocks before the last one run once for all rows and are counted in each row, without the "
    "fused and compiled parts of normal operation: compare it within this table only. Peak memory likewise."
)


def compare(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: CompareConfig,
    progress: Progress,
) -> ComparisonResult:
    """Label every frame by every method, each frame alone. Ctrl-C ends the run with what it has.

    Raises OvsegError on whatever the user can mend.
    """
    names = [entry.strip() for entry in config.methods.split(",")] if config.methods else []
    _check(names, engine, config)
    warn_of_ignored(engine, progress, smoothing=True)
    with open_source(path, recording, truth) as source:
        require_truth(source)
        words = prompts_of_run(engine.vocabulary, source.truth_names)
        vocabulary = build_vocabulary(words, VocabularyBuilder())
        mapping = make_meter(source.truth_names, truth.mapping, [vocabulary]).mapping(vocabulary)
        with progress.stage("loading the model"):
            segmenter = load_segmenter(engine)
            classifier = segmenter.encode(vocabulary)
            methods = _methods(names, config.ablate, segmenter)
            reference = _reference(config.reference, methods)
            runner = _runner(engine, config, segmenter, classifier, methods)
        counts = ComparisonCounts([method.name for method in methods], mapping)
        expected = source.expected(selection)
        with Interruption() as interruption, progress.stage("comparing", expected) as advance:
            frames = until_interrupted(interruption, source.frames(selection))
            left_out, interrupted = compare_frames(frames, runner, counts, on_frame=advance)
        for warning in source.warnings:
            progress.warn(warning)
    found = counts.compute(
        reference,
        left_out=left_out,
        interrupted=interrupted or interruption.requested,
        draws=config.draws,
        seed=config.seed,
    )
    about = segmenter.description
    return replace(
        found,
        data=str(path),
        classes=", ".join(entry.name for entry in vocabulary.classes),
        model=about["model"],
        device=about["device"],
        precision=about["precision"],
        short_side=about["short_side"],
        windows=about.get("windows"),
        templates=engine.vocabulary.templates,
        timing=SHARED if config.ablate else SEPARATE,
        command=command(),
    )


def compare_frames(
    frames: Iterable[Frame],
    runner: Runner,
    counts: ComparisonCounts,
    *,
    on_frame: Callable[[], None] = lambda: None,
) -> tuple[list[str], bool]:
    """Label every frame that has ground truth by every method, and count it.

    Each image is decoded once. A frame counts when all methods have labelled it; what cannot be decoded is
    left out. Ctrl-C ends the work with what is counted. Returns why frames were left out, and whether the
    user ended it. Raises DeviceLost, OutOfMemory.
    """
    left_out: list[str] = []
    try:
        for frame in frames:
            try:
                if frame.truth is None:
                    left_out.append(f"frame {frame.number}: no ground truth")
                else:
                    image, truth = frame.image(), frame.truth()
                    if image.shape[:2] != truth.shape:
                        sizes = (f"{height} x {width}" for height, width in (image.shape[:2], truth.shape))
                        raise CompareError("the image is {} and its truth {}".format(*sizes))
                    counts.add(truth, *zip(*runner.run(image), strict=True))
            except (DeviceLost, OutOfMemory):
                raise
            except OvsegError as error:
                left_out.append(f"frame {frame.number}: {error}")
            on_frame()
    except KeyboardInterrupt:
        return left_out, True
    return left_out, False


def _check(names: Sequence[str], engine: EngineConfig, config: CompareConfig) -> None:
    for name in names:
        find_method(name)
    if len(set(names)) != len(names):
        raise CompareError(f"a method is named twice in {', '.join(names)}; expected each once")
    if config.ablate and engine.method.window:
        raise CompareError("--ablate shares one pass over the whole image; leave out --window")


def _methods(names: Sequence[str], ablate: bool, segmenter: Segmenter) -> list[Method]:
    """The rows, with the numbers of the model and of the configuration."""
    model, config = segmenter.model, segmenter.config
    named = [resolve_method(model, replace(config, name=name)) for name in names]
    if ablate:
        base = resolve_method(model, replace(config, name="clipseg"))
        added = variants(model.backbone.depth, base)
        return [*named, *(method for method in added if method not in named)]
    return named or [resolve_method(model, replace(config, name=name)) for name in METHODS]


def _reference(wanted: str, methods: list[Method]) -> str:
    names = [method.name for method in methods]
    if wanted and wanted not in names:
        raise CompareError(f"the reference {wanted!r} is no row; expected one of {', '.join(names)}")
    return wanted or names[0]


def _runner(
    engine: EngineConfig,
    config: CompareConfig,
    segmenter: Segmenter,
    classifier: Classifier,
    methods: list[Method],
) -> Runner:
    if config.ablate:
        return SharedRunner(segmenter, methods, classifier)
    templates = engine.vocabulary.templates
    configs = [replace(engine.method, name=method.name) for method in methods]
    return SeparateRunner(
        [Segmenter(segmenter.model, entry, templates=templates) for entry in configs], classifier
    )
