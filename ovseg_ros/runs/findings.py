"""What a run showed: figures frame by frame and over all, and pictures for the report."""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import UInt8

from ovseg_ros.images.drawing import overlay
from ovseg_ros.metrics.segmentation import FrameScore, SegmentationAccumulator
from ovseg_ros.runs.answered_frame import AnsweredFrame, SentFrame
from ovseg_ros.runs.gallery import Gallery
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.runs.scoring import PhaseScores, RunScores
from ovseg_ros.vocabulary import Vocabulary


class FrameOutput(Protocol):
    """Something that is written frame by frame. Use as a context manager."""

    def __enter__(self) -> "FrameOutput": ...

    def __exit__(self, *exception: object) -> None: ...

    def write(self, frame: SentFrame) -> None:
        """Write a frame that was not answered."""

    def write_answered(
        self,
        frame: AnsweredFrame,
        figures: FrameResult,
        image: UInt8[np.ndarray, "H W 3"],
        colored: UInt8[np.ndarray, "H W 3"],
    ) -> None:
        """Write an answered frame; `image` and its overlay are RGB."""


class FindingsBuilder:
    """Takes frames in order and makes the findings. Use as a context manager, which closes the outputs.

    Args:
        meter: measures them; also says how the truth's names and the vocabulary come together.
        expected: how many answered frames will come, for an even choice of pictures.
        outputs: the labelled bag and the video, where they are wanted.
        pictures: whether to keep some.
        follow: whether to measure the flicker along the motion. Without it, pictures and outputs no image is
            decoded.
    """

    def __init__(
        self,
        meter: SegmentationAccumulator,
        expected: int,
        outputs: Sequence[FrameOutput] = (),
        *,
        pictures: bool = True,
        follow: bool = False,
    ) -> None:
        self._meter = meter
        self._follow = follow
        self._outputs = outputs
        self._gallery = Gallery(expected) if pictures else None
        self._frames: list[FrameResult] = []
        self._answered: dict[int, int] = {}
        self._with_truth: set[int] = set()
        self._vocabularies: dict[int, Vocabulary] = {}
        self._open = ExitStack()

    def __enter__(self) -> "FindingsBuilder":
        with ExitStack() as opened:
            for output in self._outputs:
                opened.enter_context(output)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def score(self, frame: AnsweredFrame) -> FrameScore | None:
        """Count a frame on its own, before `add`; may run in several threads. None for one without truth."""
        if frame.truth is None or not self._meter.truth_names:
            return None
        labels, confidence = frame.labels, frame.confidence
        if labels.shape != frame.truth.shape:
            size = (frame.truth.shape[1], frame.truth.shape[0])
            labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
            if confidence is not None:
                confidence = cv2.resize(confidence, size, interpolation=cv2.INTER_NEAREST)
        image = frame.image() if self._follow else None
        return self._meter.score(frame.truth, labels, confidence, frame.vocabulary, image)

    def add_dropped(self, frame: SentFrame) -> None:
        """Take a frame that was not answered."""
        self._frames.append(FrameResult(frame.number, frame.sent_s))
        for output in self._outputs:
            output.write(frame)

    def add(self, frame: AnsweredFrame, scored: FrameScore | None = None) -> FrameResult:
        """Take an answered frame, with its counts where `score` made them already."""
        revision = frame.vocabulary.revision
        self._vocabularies[revision] = frame.vocabulary
        self._answered[revision] = self._answered.get(revision, 0) + 1
        scored = scored or self.score(frame)
        miou = pixel_accuracy = None
        if scored is not None:
            self._meter.add(scored)
            self._with_truth.add(revision)
            miou, pixel_accuracy = scored.miou, scored.pixel_accuracy
        known = (frame.number, frame.sent_s, revision, frame.latency_ms)
        figures = FrameResult(*known, miou, pixel_accuracy)
        self._frames.append(figures)
        if self._gallery is not None:
            self._gallery.offer(frame, figures, scored.truth if scored else None)
        if self._outputs:
            image = frame.image()
            colored = overlay(image, frame.labels, frame.vocabulary)
            for output in self._outputs:
                output.write_answered(frame, figures, image, colored)
        return figures

    def finish(self) -> RunScores:
        """The findings over the frames so far."""
        phases = [self._phase(vocabulary) for vocabulary in self._vocabularies.values()]
        quality = self._meter.compute() if self._with_truth else None
        pictures = self._gallery.pictures() if self._gallery is not None else []
        return RunScores(self._frames, phases, quality, pictures)

    def _phase(self, vocabulary: Vocabulary) -> PhaseScores:
        revision = vocabulary.revision
        if revision not in self._with_truth:
            return PhaseScores(vocabulary, self._answered[revision], None, ())
        ignored = self._meter.mapping(vocabulary).ignored
        return PhaseScores(vocabulary, self._answered[revision], self._meter.compute(vocabulary), ignored)
