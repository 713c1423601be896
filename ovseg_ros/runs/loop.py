"""The frames of a source through a predictor and a scorer, in order, decoded and scored by worker threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import takewhile
from typing import TypeVar, cast

from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics.segmentation import FrameScore
from ovseg_ros.recordings.frame import Frame
from ovseg_ros.recordings.label_files import LabelWriter
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.predictors import Predictor
from ovseg_ros.runs.scoring import Scorer
from ovseg_ros.runs.signals import Interruption

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
PreparedT = TypeVar("PreparedT")

_AHEAD = 2
"""Frames per worker that are under way."""


def until_interrupted(interruption: Interruption, items: Iterable[ItemT]) -> Iterator[ItemT]:
    """The items until the user wants an end."""
    return takewhile(lambda item: not interruption.requested, items)


def score_frames(
    frames: Iterable[Frame],
    predictor: Predictor[PreparedT],
    scorer: Scorer,
    *,
    workers: int = 1,
    writer: LabelWriter | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> list[str]:
    """Predict and score every frame. The figures do not depend on `workers`.

    Args:
        frames: in order.
        predictor: gives the labels.
        scorer: takes the predictions; it is opened and closed here.
        workers: threads that decode and score meanwhile; 0 does all in turn.
        writer: gets the label images as they are scored.
        on_frame: is called after each frame.

    Returns which frames were left out and why: those that cannot be decoded or have no labels. Raises
    DeviceLost, OutOfMemory.
    """
    left_out: list[str] = []

    def prepared(frame: Frame) -> tuple[Frame, PreparedT | None, str]:
        try:
            if frame.truth is not None:
                truth = frame.truth()
                frame = replace(frame, truth=lambda: truth)
            return frame, predictor.prepare(frame), ""
        except OvsegError as error:
            return frame, None, str(error)

    def scored(prediction: Prediction) -> tuple[Prediction, FrameScore | None]:
        found = scorer.score(prediction)
        if writer is not None:
            shown, frame = found or prediction, prediction.frame
            writer.write(frame.number, frame.stamp_ns, shown.labels, shown.confidence)
        return prediction, found

    def predictions() -> Iterator[Prediction]:
        for frame, content, reason in pool.map(prepared, frames):
            prediction = None if reason else predictor.predict(frame, cast(PreparedT, content))
            if prediction is not None:
                yield prediction
            else:
                left_out.append(f"frame {frame.number}: {reason or 'no labels of its stamp'}")
                on_frame()

    with _Pool(workers) as pool, scorer:
        for prediction, found in pool.map(scored, predictions()):
            scorer.add(prediction, found)
            on_frame()
    return left_out


class _Pool:
    """Maps in order with a number of threads; without any, one item after the other."""

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
