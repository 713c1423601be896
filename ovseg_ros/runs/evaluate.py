"""`ovseg evaluate`: a recording labelled and scored offline, from the options to the report."""

import time
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ovseg_ros.clipseg import EngineConfig, MethodConfig
from ovseg_ros.clipseg.peak_memory import start_peak
from ovseg_ros.config import ConfigError
from ovseg_ros.recordings.bag_source import BagSource
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.frame import DEFAULT_RATE, Source, SourceError
from ovseg_ros.recordings.label_files import LabelFolder, LabelWriter
from ovseg_ros.recordings.sources import open_source, require_truth
from ovseg_ros.report.page import Video, write_run
from ovseg_ros.runs.calibrate import Calibrator, Recalibrated, parameters
from ovseg_ros.runs.config import EvaluateConfig
from ovseg_ros.runs.loop import score_frames, until_interrupted
from ovseg_ros.runs.output_folder import prepare
from ovseg_ros.runs.predictors import (
    FolderPredictor,
    ModelPredictor,
    Predictor,
    TopicPredictor,
    warn_of_ignored,
)
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.prompts import prompts_of_run
from ovseg_ros.runs.results import Percentiles, RunResult
from ovseg_ros.runs.scoring import RunScores, Scorer, make_meter
from ovseg_ros.runs.signals import Interruption
from ovseg_ros.runs.sinks import LabelledBag, OverlayVideo, Sink
from ovseg_ros.vocabulary import VocabularyBuilder, build_vocabulary


def evaluate(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: EvaluateConfig,
    progress: Progress,
) -> RunResult:
    """Label and score the frames of a recording, and write what is asked for. Ctrl-C ends the run with what
    it has.

    Raises ConfigError on options that contradict each other, OvsegError on whatever the user can mend.
    """
    if config.calibrate and config.predictions:
        raise ConfigError("--calibrate needs the model's scores; leave out --predictions")
    if engine.output.smoothing and config.predictions:
        raise ConfigError("--smoothing needs the model's scores; leave out --predictions")
    if engine.output.smoothing and config.calibrate:
        raise ConfigError("--calibrate fits to each frame alone; leave out --smoothing")
    if not config.predictions:
        warn_of_ignored(engine, progress)
    if config.output:
        prepare(Path(config.output))
    if config.predictions and not Path(config.predictions).is_dir() and not config.output:
        # No picture is needed: the recorded labels themselves are the frames.
        recording = replace(recording, topic=config.predictions)
    with open_source(path, recording, truth) as source, Interruption() as interruption:
        require_truth(source)
        return _Evaluation(source, engine, truth, selection, config, progress, interruption).run()


class _Evaluation:
    """An evaluation of an open source.

    Raises MappingError before a model is loaded, where words and ground truth have nothing in common.
    """

    def __init__(
        self,
        source: Source,
        engine: EngineConfig,
        truth: TruthConfig,
        selection: SelectionConfig,
        config: EvaluateConfig,
        progress: Progress,
        interruption: Interruption,
    ) -> None:
        self._source, self._engine, self._selection = source, engine, selection
        self._config, self._progress, self._interruption = config, progress, interruption
        self._output = Path(config.output) if config.output else None
        self._predictor: Predictor[Any]
        self._model: ModelPredictor | None = None
        recorded = self._recorded_labels() if config.predictions else None
        if recorded is not None:
            self._predictor, vocabularies = recorded, recorded.vocabularies
        else:
            words = prompts_of_run(engine.vocabulary, source.truth_names)
            vocabularies = [build_vocabulary(words, VocabularyBuilder())]
        self._vocabularies = vocabularies
        self._new_meter = partial(make_meter, source.truth_names, truth.mapping, vocabularies)
        self._meter = self._new_meter()
        if recorded is None:
            with progress.stage("loading the model"):
                messages = self._output is not None
                self._model = ModelPredictor(engine, vocabularies[0], messages=messages, warm_up=True)
            self._predictor = self._model
        self._video: OverlayVideo | None = None
        self._notes: list[str] = []
        self._left_out: list[str] = []

    def run(self) -> RunResult:
        """Everything from the first frame to the report."""
        model = self._model
        peak = start_peak(model.segmenter.model.device if model else torch.device("cpu"))
        first, refitted = 0, None
        if self._config.calibrate and model is not None:
            first, refitted = self._fit(model)
            model.on_segmentation = refitted.add
        started = time.perf_counter()
        scores = self._score(first)
        seconds = time.perf_counter() - started
        self._report(scores)
        result = self._result(scores, seconds, peak())
        if refitted is not None:
            fit = refitted.result(result.metrics)
            result = replace(result, calibration=fit)
            place = Path(self._config.parameters or (self._output or Path()) / "calibration.yaml")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(parameters(fit), encoding="utf-8")
        if self._output is not None:
            video = self._video
            shown = None if video is None else Video("overlay.webm", video.rate, video.poster)
            write_run(self._output, result, scores.pictures, shown)
        return result

    def _recorded_labels(self) -> FolderPredictor | TopicPredictor:
        predictions, words = self._config.predictions, self._engine.vocabulary
        named = build_vocabulary(words, VocabularyBuilder()) if words.classes or words.file else None
        if Path(predictions).is_dir():
            return FolderPredictor(LabelFolder(Path(predictions)), named)
        if not isinstance(self._source, BagSource):
            raise SourceError(
                f"{predictions} is no folder; expected one with label images, as {self._source.path} is no "
                "bag that could have a topic"
            )
        return TopicPredictor(self._source.bag, predictions, named)

    def _fit(self, model: ModelPredictor) -> tuple[int, Recalibrated]:
        """The number of frames in the first half, and what measures the fit to them."""
        source, selection, segmenter = self._source, self._selection, model.segmenter
        with self._progress.stage("counting frames"):
            total = sum(1 for _ in source.frames(selection))
        first = total // 2
        mapping = self._meter.mapping(self._vocabularies[0])
        calibrator = Calibrator(model.classifier, mapping, first, segmenter.logit_scale)
        with self._progress.stage("fitting", first) as advance:
            for frame in until_interrupted(self._interruption, islice(source.frames(selection), first)):
                if frame.truth is not None:
                    calibrator.add(frame, segmenter.segment(frame.image(), model.classifier))
                advance()
        self._notes.append(
            f"The confidence was fitted on the first {first} of {total} frames; all figures are those "
            f"of the other {total - first}, with the settings as they were."
        )
        return first, Recalibrated(
            calibrator.fit(), segmenter.logit_scale, model.classifier, self._new_meter()
        )

    def _score(self, first: int) -> RunScores:
        """The scores of the frames from `first` on."""
        topic, truth_names = self._source.topic, self._source.truth_names
        expected = max(0, self._source.expected(self._selection) - first)
        sinks: list[Sink] = []
        if self._output is not None:
            rate = (topic.rate or DEFAULT_RATE) / self._selection.every
            self._video = OverlayVideo(self._output / "overlay.webm", rate, self._vocabularies)
            sinks.append(self._video)
            if self._model is not None:
                sinks.append(LabelledBag(self._output / "labelled", topic.name, topic.type, truth_names))
        pictures, follow = self._output is not None, self._model is not None
        scorer = Scorer(self._meter, expected, sinks, pictures=pictures, follow=follow)
        folder = self._config.write_labels
        writer = LabelWriter(Path(folder), self._vocabularies[0]) if folder else None
        frames = islice(self._source.frames(self._selection, self._predictor.beside), first, None)
        with self._progress.stage("evaluating", expected) as advance:
            self._left_out = score_frames(
                until_interrupted(self._interruption, frames),
                self._predictor,
                scorer,
                workers=self._config.workers,
                writer=writer,
                on_frame=advance,
            )
        return scorer.finish()

    def _report(self, scores: RunScores) -> None:
        """Warn and take notes of what was not as it should be."""
        path, frames, left_out = self._source.path, len(scores.frames), self._left_out
        for warning in self._source.warnings:
            self._progress.warn(warning)
        if not frames and self._interruption.requested:
            raise KeyboardInterrupt
        if not frames:
            reason = f": {left_out[0]}" if left_out else ""
            raise SourceError(f"no frame of {path} was scored{reason}")
        if scores.metrics is None:
            raise SourceError(f"none of {frames} frames of {path} has ground truth of its stamp")
        if left_out:
            text = f"{len(left_out)} frames were left out; the first: {left_out[0]}"
            self._notes.append(text)
            self._progress.warn(text)
        if self._interruption.requested:
            self._notes.append(f"The run was interrupted after {frames} frames.")
        ignored = {name: None for phase in scores.phases for name in phase.ignored}
        if ignored:
            self._notes.append(f"Not counted, as no class of the vocabulary claims it: {', '.join(ignored)}.")

    def _result(self, scores: RunScores, seconds: float, peak_mb: float | None) -> RunResult:
        about = {"model": "recorded labels", "method": "recorded labels", "device": "none"}
        if self._model is not None:
            about = self._model.segmenter.description
        bag, frames = self._source.path.resolve().name, len(scores.frames)
        result = scores.result("evaluate", bag=bag, image_topic=self._source.topic.name, about=about)
        return replace(
            result,
            metrics=replace(result.metrics, frames=frames),
            frames_with_truth=result.metrics.frames,
            frames_left_out=len(self._left_out),
            interrupted=self._interruption.requested,
            latency_ms=Percentiles.of(result.latencies),
            seconds=seconds,
            frames_per_second=frames / seconds,
            peak_mb=peak_mb,
            configuration=self._configuration(about),
            notes=tuple(self._notes),
        )

    def _configuration(self, about: dict[str, str]) -> dict[str, object]:
        names = {"every": "every", "limit": "limit", "start": "start_s", "end": "end_s"}
        given = {known: getattr(self._selection, name) for name, known in names.items()}
        part = {name: value for name, value in given.items() if value}
        if self._model is None:
            return {"predictions": self._config.predictions, **part}
        method = vars(self._engine.method).items()
        default = MethodConfig()
        return {
            **{name: value for name, value in method if value != getattr(default, name) and name != "name"},
            "precision": about["precision"],
            "short_side": self._engine.method.short_side,
            "templates": self._engine.vocabulary.templates,
            "logit_scale": self._model.segmenter.logit_scale,
            "threshold": self._vocabularies[0].threshold,
            "smoothing": self._engine.output.smoothing,
            **part,
        }
