"""`ovseg evaluate`: a recording measured offline, from the options to the report."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ovseg_ros.clipseg import Classifier, Segmenter, Smoother
from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.clipseg.peak_memory import start_peak
from ovseg_ros.config import ConfigError
from ovseg_ros.graph.pacing import USUAL_RATE
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.label_files import LabelFolder, LabelWriter
from ovseg_ros.recordings.labelled_bag import LabelledBag
from ovseg_ros.recordings.source import BagSource, DatasetSource, SourceError, SourceFrame
from ovseg_ros.report.page import Media, Video, write_run
from ovseg_ros.runs.calibrate import Calibrator, Fit, Recalibrated
from ovseg_ros.runs.config import EvaluateConfig
from ovseg_ros.runs.findings import Findings, FindingsBuilder, FrameOutput
from ovseg_ros.runs.loop import Labeller, ModelLabeller, OfflineRun, evaluate_frames
from ovseg_ros.runs.output_folder import prepare
from ovseg_ros.runs.overlay_video import OverlayVideo
from ovseg_ros.runs.progress import Progress
from ovseg_ros.runs.recorded_labels import FolderLabels, TopicLabels
from ovseg_ros.runs.setup import EvaluateOptions, model_choice, recording_of, word_choice
from ovseg_ros.runs.summary import collect, command, latency_figures
from ovseg_ros.runs.surroundings import Interruption


@dataclass(frozen=True)
class EvaluateOutcome:
    """The content of metrics.json, what the frames showed, and whether the user ended the run early."""

    metrics: dict[str, Any]
    findings: Findings
    interrupted: bool


def evaluate(
    path: Path,
    engine: EngineConfig,
    recording: RecordingConfig,
    truth: TruthConfig,
    selection: SelectionConfig,
    config: EvaluateConfig,
    progress: Progress,
) -> EvaluateOutcome:
    """Label and score the frames of a recording, and write what is asked for. Ctrl-C ends the run with what
    it has.

    Raises ConfigError on options that contradict each other, OvsegError on whatever the user can mend.
    """
    _check(engine, selection, config)
    output = Path(config.output) if config.output else None
    if output is not None:
        prepare(output, command())
    options = EvaluateOptions(
        recording_of(path, recording, truth, selection),
        word_choice(engine.vocabulary, truth),
        model_choice(engine),
        config.predictions or None,
        engine.output.smoothing,
        config.calibrate,
        Path(config.parameters) if config.parameters else None,
        config.workers,
        output,
        Path(config.write_labels) if config.write_labels else None,
    )
    with ExitStack() as stack:
        return _Run(options, progress, stack).run()


def _check(engine: EngineConfig, selection: SelectionConfig, config: EvaluateConfig) -> None:
    if config.calibrate and config.predictions:
        raise ConfigError("--calibrate needs the model's scores; leave out --predictions")
    if engine.output.smoothing and config.predictions:
        raise ConfigError("--smoothing needs the model's scores; leave out --predictions")
    if engine.output.smoothing and config.calibrate:
        raise ConfigError("--calibrate fits to each frame alone; leave out --smoothing")
    if selection.end and selection.start >= selection.end:
        raise ConfigError(f"--start {selection.start:g} is not before --end {selection.end:g}")


class _Run:
    def __init__(self, options: EvaluateOptions, show: Progress, stack: ExitStack) -> None:
        self._options = options
        self._show = show
        self._part = options.recording.part
        self._interruption = Interruption()
        self._source = self._open()
        stack.enter_context(self._source)
        self._recorded = self._recorded_labels()
        self._model: tuple[Segmenter, Classifier] | None = None
        if self._recorded is not None:
            self._vocabularies = self._recorded.vocabularies
        else:
            self._vocabularies = [options.words.build(self._source.truth_names)]
        self._meter = self._new_meter()
        self._notes: list[str] = []

    def run(self) -> EvaluateOutcome:
        options = self._options
        if self._recorded is None:
            with self._show.stage("loading the model"):
                self._model = options.model.load(self._vocabularies[0])
        device = self._model[0].model.device if self._model else torch.device("cpu")
        peak = start_peak(device)
        with self._interruption:
            fit, again = self._fit()
            started = time.perf_counter()
            outcome, video = self._evaluate(again)
            seconds = time.perf_counter() - started
        self._tell_of(outcome)
        metrics = self._metrics(outcome, seconds, peak())
        if fit is not None and again is not None and outcome.findings.quality is not None:
            metrics["calibration"] = fit.figures(outcome.findings.quality, again.meter.compute())
            place = options.parameters or (options.output or Path()) / "calibration.yaml"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(fit.parameters(), encoding="utf-8")
        metrics["notes"] = self._notes
        if options.output is not None:
            shown = None if video is None else Video("overlay.webm", video.rate, video.poster)
            write_run(options.output, metrics, Media(outcome.findings.pictures, shown))
        return EvaluateOutcome(metrics, outcome.findings, self._interruption.requested)

    def _open(self) -> BagSource | DatasetSource:
        options = self._options
        recording, predictions = options.recording, options.predictions
        if predictions and not Path(predictions).is_dir() and options.output is None:
            # No picture is needed: the recorded labels themselves are the frames.
            recording = replace(recording, topic=predictions)
        return recording.open(messages=options.output is not None)

    def _recorded_labels(self) -> FolderLabels | TopicLabels | None:
        predictions = self._options.predictions
        if predictions is None:
            return None
        named = self._options.words.build({}) if self._options.words.given else None
        if Path(predictions).is_dir():
            return FolderLabels(LabelFolder(Path(predictions)), named)
        if not isinstance(self._source, BagSource):
            raise SourceError(
                f"{predictions} is no folder; expected one with label images, as "
                f"{self._options.recording.path} is no bag that could have a topic"
            )
        labels = TopicLabels(self._source.bag, predictions, named)
        self._source.beside = labels.topics
        return labels

    def _new_meter(self) -> SegmentationAccumulator:
        return self._options.words.meter(self._source.truth_names, self._vocabularies)

    def _frames(self) -> Iterator[SourceFrame]:
        """The frames to measure: with calibration the second half."""
        frames = self._source.frames(self._part)
        return islice(frames, self._first, None)

    _first = 0
    """How many frames at the beginning are for the fit alone."""

    def _fit(self) -> tuple[Fit, Recalibrated] | tuple[None, None]:
        if not self._options.calibrate or self._model is None:
            return None, None
        with self._show.stage("counting frames"):
            total = sum(1 for _ in self._source.frames(self._part))
        self._first = total // 2
        segmenter, classifier = self._model
        mapping = self._meter.mapping(self._vocabularies[0])
        calibrator = Calibrator(classifier, mapping, self._first, segmenter.logit_scale)
        with self._show.stage("fitting", self._first) as advance:
            for frame in islice(self._source.frames(self._part), self._first):
                if self._interruption.requested:
                    break
                if frame.truth is not None:
                    calibrator.add(frame.truth(), segmenter.segment(frame.image(), classifier))
                advance()
        fit = calibrator.fit()
        self._notes.append(
            f"The confidence was fitted on the first {self._first} of {total} frames; all figures are those "
            f"of the other {total - self._first}, with the settings as they were."
        )
        return fit, Recalibrated(fit, classifier, self._new_meter())

    def _evaluate(self, again: Recalibrated | None) -> tuple[OfflineRun, OverlayVideo | None]:
        options, topic = self._options, self._source.topic
        expected = max(0, self._source.expected(self._part) - self._first)
        outputs: list[FrameOutput] = []
        video = None
        if options.output is not None:
            rate = (topic.rate or USUAL_RATE) / self._part.every
            video = OverlayVideo(options.output / "overlay.webm", rate, self._vocabularies)
            outputs.append(video)
            if self._recorded is None:
                labelled = options.output / "labelled"
                names = self._source.truth_names
                outputs.append(LabelledBag(labelled, topic.name, topic.type, names))
        pictures = options.output is not None
        follow = self._recorded is None
        builder = FindingsBuilder(self._meter, expected, outputs, pictures=pictures, follow=follow)
        writer = None
        if options.write_labels is not None:
            writer = LabelWriter(options.write_labels, self._vocabularies[0])
        with self._show.stage("evaluating", expected) as advance:
            outcome = evaluate_frames(
                self._frames(),
                self._labeller(again),
                builder,
                workers=options.workers,
                writer=writer,
                on_frame=advance,
                stop=lambda: self._interruption.requested,
            )
        return outcome, video

    def _labeller(self, again: Recalibrated | None) -> Labeller[Any]:
        if self._model is None:
            assert self._recorded is not None
            return self._recorded
        return ModelLabeller(
            *self._model,
            smoother=Smoother(self._options.smoothing) if self._options.smoothing else None,
            answers=self._options.output is not None,
            on_segmentation=again.add if again is not None else None,
        )

    def _tell_of(self, outcome: OfflineRun) -> None:
        """Warnings and notes about what was not as it should be."""
        frames, quality = outcome.findings.frames, outcome.findings.quality
        for warning in self._source.warnings:
            self._show.warn(warning)
        if not frames and self._interruption.requested:
            raise KeyboardInterrupt
        if not frames:
            first = f": {outcome.left_out[0]}" if outcome.left_out else ""
            raise SourceError(f"no frame of {self._options.recording.path} was measured{first}")
        if quality is None:
            raise SourceError(
                f"none of {len(frames)} frames of {self._options.recording.path} has ground truth of its "
                "stamp"
            )
        if outcome.left_out:
            text = f"{len(outcome.left_out)} frames were left out; the first: {outcome.left_out[0]}"
            self._notes.append(text)
            self._show.warn(text)
        if self._interruption.requested:
            self._notes.append(f"The run was interrupted after {len(frames)} frames.")
        ignored = {name: None for phase in outcome.findings.phases for name in phase.ignored}
        if ignored:
            self._notes.append(f"Not counted, as no class of the vocabulary claims it: {', '.join(ignored)}.")

    def _metrics(self, outcome: OfflineRun, seconds: float, peak_mb: float | None) -> dict[str, Any]:
        options, findings = self._options, outcome.findings
        about = self._model[0].description if self._model else {}
        quality = findings.quality
        figures = collect(
            findings,
            kind="evaluate",
            bag=options.recording.path.resolve().name,
            image_topic=self._source.topic.name,
            model=about.get("model", "recorded labels"),
            method=about.get("method", "recorded labels"),
            device=about.get("device", "none"),
        )
        return {
            **figures,
            "frames": len(findings.frames),
            "frames_with_truth": 0 if quality is None else quality.frames,
            "frames_left_out": len(outcome.left_out),
            "interrupted": self._interruption.requested,
            "latency_ms": latency_figures(findings.latencies),
            "seconds": seconds,
            "frames_per_second": len(findings.frames) / seconds,
            "peak_mb": peak_mb,
            "configuration": self._configuration(about),
        }

    def _configuration(self, about: dict[str, str]) -> dict[str, Any]:
        part = {name: value for name, value in vars(self._part).items() if value is not None}
        if self._model is None:
            return {"predictions": self._options.predictions, **part}
        return {
            "precision": about["precision"],
            "short_side": self._options.model.short_side,
            "templates": self._options.model.templates,
            "logit_scale": self._model[0].logit_scale,
            "threshold": self._vocabularies[0].threshold,
            "smoothing": self._options.smoothing,
            **part,
        }
