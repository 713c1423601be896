"""Evaluation without a graph: every frame of a source through a labeller and into the findings, in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Protocol, TypeVar

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.clipseg import Classifier, Segmentation, Segmenter, Smoother, SmoothingState
from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.segmentation import FrameScore
from ovseg_ros.recordings.answer_messages import make_answer
from ovseg_ros.recordings.label_files import LabelWriter
from ovseg_ros.recordings.source import SourceFrame
from ovseg_ros.runs.answered_frame import AnsweredFrame
from ovseg_ros.runs.findings import Findings, FindingsBuilder

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
PreparedT = TypeVar("PreparedT")

_AHEAD = 2
"""Frames per worker that are under way."""


class Labeller(Protocol[PreparedT]):
    """Gives frames their labels, in two steps: `prepare` in any thread, `label` in order on one."""

    def prepare(self, frame: SourceFrame) -> PreparedT:
        """What can be done for several frames at once. Raises OvsegError on a frame that cannot be used."""

    def label(
        self, frame: SourceFrame, prepared: PreparedT, truth: UInt8[np.ndarray, "H W"] | None
    ) -> AnsweredFrame | None:
        """The frame with its labels; None for one without."""


class ModelLabeller:
    """Labels by inference.

    Args:
        segmenter, classifier: the model and the words.
        smoother: steadies the labels from frame to frame; None: each frame is taken alone.
        answers: whether frames come with the messages of a labelled bag.
        on_segmentation: is called with each frame's truth and segmentation, in order.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        classifier: Classifier,
        *,
        smoother: Smoother | None = None,
        answers: bool = False,
        on_segmentation: Callable[[np.ndarray | None, Segmentation], None] | None = None,
    ) -> None:
        self._segmenter = segmenter
        self._classifier = classifier
        self._smoother = smoother
        self._answers = answers
        self._on_segmentation = on_segmentation
        self._warm = False

    def prepare(self, frame: SourceFrame) -> UInt8[np.ndarray, "H W 3"]:
        """The decoded image."""
        return frame.image()

    def label(
        self,
        frame: SourceFrame,
        prepared: UInt8[np.ndarray, "H W 3"],
        truth: UInt8[np.ndarray, "H W"] | None,
    ) -> AnsweredFrame:
        """Segment. Raises OutOfMemory, DeviceLost."""
        if not self._warm:  # the first pass allocates; its time is not a frame's
            self._segmenter.segment(prepared, self._classifier)
            self._warm = True
        state = None if self._smoother is None else SmoothingState(self._smoother, frame.source.stamp_ns)
        found = self._segmenter.segment(prepared, self._classifier, smoothing=state)
        if self._on_segmentation is not None:
            self._on_segmentation(truth, found)
        answer = None
        if self._answers:
            answer = make_answer(
                found.labels,
                found.confidence,
                found.vocabulary,
                found.summary(),
                found.inference_ms,
                frame.source.stamp_ns,
            )
        return AnsweredFrame(
            number=frame.number,
            sent_s=frame.seconds,
            source=frame.source,
            image=lambda: prepared,
            labels=found.labels,
            confidence=found.confidence,
            vocabulary=found.vocabulary,
            truth=truth,
            latency_ms=found.inference_ms,
            answer=answer,
        )


@dataclass
class OfflineRun:
    """What a run found, and which frames were left out and why."""

    findings: Findings
    left_out: list[str]


def evaluate_frames(
    frames: Iterable[SourceFrame],
    labeller: Labeller[PreparedT],
    builder: FindingsBuilder,
    *,
    workers: int = 1,
    writer: LabelWriter | None = None,
    on_frame: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> OfflineRun:
    """Label and measure every frame. The figures do not depend on `workers`.

    Args:
        frames: in order.
        labeller: gives the labels.
        builder: takes the frames; it is opened and closed here.
        workers: threads that decode and measure beside the labelling; 0 does all in turn.
        writer: gets the label images as they are scored.
        on_frame: is called after each frame.
        stop: is asked before each frame whether to end there.

    A frame that cannot be decoded or has no labels is left out and told. Raises DeviceLost, OutOfMemory.
    """
    left_out: list[str] = []
    wanted = takewhile(lambda frame: not stop(), frames)

    def labelled() -> Iterator[AnsweredFrame]:
        for frame, content in pool.map(partial(_prepare, labeller), wanted):
            answered = content if isinstance(content, str) else labeller.label(frame, *content)
            if isinstance(answered, AnsweredFrame):
                yield answered
            else:
                left_out.append(f"frame {frame.number}: {answered or 'no labels of its stamp'}")
                on_frame()

    with _Pool(workers) as pool, builder:
        for answered, scored in pool.map(partial(_score, builder, writer), labelled()):
            builder.add(answered, scored)
            on_frame()
    return OfflineRun(builder.finish(), left_out)


def _prepare(
    labeller: Labeller[PreparedT], frame: SourceFrame
) -> tuple[SourceFrame, tuple[PreparedT, np.ndarray | None] | str]:
    """What the labeller prepared, and the truth; or why the frame cannot be used."""
    try:
        return frame, (labeller.prepare(frame), None if frame.truth is None else frame.truth())
    except OvsegError as error:
        return frame, str(error)


def _score(
    builder: FindingsBuilder, writer: LabelWriter | None, frame: AnsweredFrame
) -> tuple[AnsweredFrame, FrameScore | None]:
    scored = builder.score(frame)
    if writer is not None:
        labels, confidence = (
            (scored.labels, scored.confidence) if scored else (frame.labels, frame.confidence)
        )
        writer.write(frame.number, frame.source.stamp_ns, labels, confidence)
    return frame, scored


class _Pool:
    """Maps in order with so many threads; without any, one item after the other."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor = ThreadPoolExecutor(workers) if workers else None

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)

    def map(self, function: Callable[[ItemT], ResultT], items: Iterable[ItemT]) -> Iterator[ResultT]:
        """The results in the order of the items; no more than a few items are under way."""
        if self._executor is None:
            yield from map(function, items)
            return
        pending: deque[Future[ResultT]] = deque()
        for item in items:
            pending.append(self._executor.submit(function, item))
            if len(pending) > _AHEAD * self._workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
