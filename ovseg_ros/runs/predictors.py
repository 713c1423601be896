"""Where the labels of a run come from: the model, a folder of label images, or a topic of the bag."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.clipseg import EngineConfig, Segmentation, Smoother, SmoothingState, load_segmenter
from ovseg_ros.clipseg.segmenter import OutputSize
from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frame import Frame, Message
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.messages import (
    IMAGE,
    SUMMARY,
    VOCABULARY,
    prediction_messages,
    read_vocabulary_message,
)
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.runs.progress import Progress
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyBuilder

PreparedT = TypeVar("PreparedT")


class Predictor(ABC, Generic[PreparedT]):
    """Predicts the labels of frames in two steps: `prepare` in any thread, `predict` in order on one.

    Attributes:
        beside: topics whose messages must come with each frame.
        vocabularies: all that predictions may be in.
    """

    beside: tuple[str, ...] = ()
    vocabularies: list[Vocabulary]

    @abstractmethod
    def prepare(self, frame: Frame) -> PreparedT:
        """What can be done for several frames at once. Raises OvsegError on a frame that cannot be used."""

    @abstractmethod
    def predict(self, frame: Frame, prepared: PreparedT) -> Prediction | None:
        """The labels of the frame; None for a frame without."""


class ModelPredictor(Predictor[UInt8[np.ndarray, "H W 3"]]):
    """Labels by inference, exactly as the node makes them from the same configuration; only
    `model.max_latency_ms` cannot be followed without a clock.

    Args:
        engine: model, method and output.
        vocabulary: the words.
        messages: whether predictions come with the messages of a labelled bag.
        warm_up: segment the first frame once beforehand, as a first pass allocates.

    Attributes:
        segmenter, classifier: the model and the encoded words.
        on_segmentation: is called with each frame and its segmentation, in order.

    Raises ModelError, OutOfMemory, DeviceLost.
    """

    def __init__(
        self,
        engine: EngineConfig,
        vocabulary: Vocabulary,
        *,
        messages: bool = False,
        warm_up: bool = False,
    ) -> None:
        self.segmenter = load_segmenter(engine)
        self.classifier = self.segmenter.encode(vocabulary)
        self.vocabularies = [vocabulary]
        self.on_segmentation: Callable[[Frame, Segmentation], None] = lambda frame, segmentation: None
        self._size: OutputSize = engine.output.size  # type: ignore[assignment]  # checked by the option
        seconds = engine.output.smoothing
        self._smoother = Smoother(seconds) if seconds else None
        self._messages = messages
        self._warm = not warm_up

    def restart(self) -> None:
        """Begin another recording: nothing of the last one is smoothed into it."""
        if self._smoother is not None:
            self._smoother.reset()

    def prepare(self, frame: Frame) -> UInt8[np.ndarray, "H W 3"]:
        """The decoded image."""
        return frame.image()

    def predict(self, frame: Frame, prepared: UInt8[np.ndarray, "H W 3"]) -> Prediction:
        """Segment the frame. Raises OutOfMemory, DeviceLost."""
        if not self._warm:
            self.segmenter.segment(prepared, self.classifier)
            self._warm = True
        smoothing = None if self._smoother is None else SmoothingState(self._smoother, frame.stamp_ns)
        found = self.segmenter.segment(prepared, self.classifier, output_size=self._size, smoothing=smoothing)
        self.on_segmentation(frame, found)
        return Prediction(
            frame=replace(frame, image=lambda: prepared),
            labels=found.labels,
            confidence=found.confidence,
            vocabulary=found.vocabulary,
            latency_ms=found.inference_ms,
            sent_s=frame.seconds,
            messages=partial(_messages, found, frame.stamp_ns) if self._messages else None,
        )


def warn_of_ignored(engine: EngineConfig, progress: Progress, *, smoothing: bool = False) -> None:
    """Warn of settings in a node's parameters that an offline run does not follow."""
    if engine.model.max_latency_ms:
        progress.warn(
            "model.max_latency_ms is not followed offline: all frames are segmented at method.short_side, "
            f"{engine.method.short_side}"
        )
    if smoothing and engine.output.smoothing:
        progress.warn("output.smoothing is not followed here: each frame is segmented alone")


def _messages(found: Segmentation, stamp_ns: int) -> Mapping[str, bytes]:
    summary, ms = found.summary(), found.inference_ms
    return prediction_messages(found.labels, found.confidence, found.vocabulary, summary, ms, stamp_ns)


class RecordedLabelsError(OvsegError):
    """Recorded labels that cannot be scored."""


class _RecordedPredictor(Predictor[Prediction | None]):
    """Labels that are read in `prepare`."""

    def predict(self, frame: Frame, prepared: Prediction | None) -> Prediction | None:
        return prepared


class FolderPredictor(_RecordedPredictor):
    """Labels from a folder, with the confidence that was written with them.

    `vocabulary` names their ids where the folder has no `classes.json`.
    """

    def __init__(self, folder: LabelFolder, vocabulary: Vocabulary | None = None) -> None:
        self._folder = folder
        self.vocabularies = [vocabulary or folder.vocabulary() or _named(folder.names, folder.path)]

    def prepare(self, frame: Frame) -> Prediction | None:
        """Read the labels. Raises LabelFileError."""
        file = self._folder.find(frame.stamp_ns)
        if file is None:
            return None
        labels, confidence = self._folder.read(file), self._folder.confidence(file)
        return Prediction(frame, labels, confidence, self.vocabularies[0], None, frame.seconds)


class TopicPredictor(_RecordedPredictor):
    """Labels from a topic of the bag, as the node publishes them: with confidence, summary and vocabulary in
    the same namespace, as far as these were recorded.

    Args:
        bag: open.
        topic: of the labels.
        vocabulary: names their ids, where neither Vocabulary nor LabelInfo was recorded.

    Raises RecordedLabelsError, BagError.
    """

    def __init__(self, bag: Bag, topic: str, vocabulary: Vocabulary | None = None) -> None:
        self._bag = bag
        self._topic = bag.image_topic(topic).name
        namespace = topic.rpartition("/")[0]
        self._confidence = _recorded(bag, f"{namespace}/confidence", IMAGE)
        self._summary = _recorded(bag, f"{namespace}/summary", SUMMARY)
        words = _recorded(bag, f"{namespace}/vocabulary", VOCABULARY)
        if vocabulary is None and words:
            found = [read_vocabulary_message(bag.read(message)) for message in bag.messages([words])]
        else:
            found = [vocabulary or _named(bag.label_map(topic).names, bag.path)]
        self._by_revision = {entry.revision: entry for entry in found}
        self.vocabularies = list(self._by_revision.values())
        self.beside = tuple(name for name in (self._topic, self._confidence, self._summary) if name)
        if len(self._by_revision) > 1 and not self._summary:
            raise RecordedLabelsError(
                f"{bag.path} has {len(self._by_revision)} vocabularies, and no {namespace}/summary that says "
                "which frame was labelled in which; expected that topic, or --vocabulary"
            )

    def prepare(self, frame: Frame) -> Prediction | None:
        """Decode the labels. Raises BagError."""
        image = frame.message()
        labels = image if image.topic == self._topic else frame.beside.get(self._topic)
        vocabulary, inference_ms = self._vocabulary_of(frame.beside.get(self._summary))
        if labels is None or vocabulary is None:
            return None
        confidence = frame.beside.get(self._confidence)
        decoded = None if confidence is None else self._bag.decode_labels(confidence)
        found = self._bag.decode_labels(labels)
        return Prediction(frame, found, decoded, vocabulary, inference_ms, frame.seconds)

    def _vocabulary_of(self, summary: Message | None) -> tuple[Vocabulary | None, float | None]:
        only = self.vocabularies[0] if len(self._by_revision) == 1 else None
        if summary is None:
            return only, None
        message: Any = self._bag.read(summary)
        return self._by_revision.get(message.vocabulary_revision, only), float(message.inference_ms)


def _named(names: Mapping[int, str], place: Path) -> Vocabulary:
    """A vocabulary of nothing but ids and names."""
    classes = {number: name for number, name in names.items() if number not in (BACKGROUND_ID, UNLABELLED_ID)}
    if not classes:
        raise RecordedLabelsError(
            f"{place} does not say what the recorded labels mean; expected a Vocabulary or LabelInfo "
            "next to the topic, classes.json or classes.txt in the folder, or --vocabulary with ids"
        )
    return VocabularyBuilder().build(list(classes.values()), list(classes))


def _recorded(bag: Bag, name: str, kind: str) -> str:
    """The name of a topic of that type, empty where nothing was recorded on it."""
    topic = bag.topic(name)
    return name if topic is not None and topic.type == kind and topic.count else ""
