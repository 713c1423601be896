"""Labels that were recorded, in the place of inference."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ovseg_ros.errors import OvsegError
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.message_types import IMAGE, SUMMARY, VOCABULARY
from ovseg_ros.recordings.recording import read_vocabulary_message
from ovseg_ros.recordings.source import SourceFrame
from ovseg_ros.runs.answered_frame import AnsweredFrame
from ovseg_ros.vocabulary import BACKGROUND_ID, UNLABELLED_ID, Vocabulary, VocabularyBuilder

Recorded = tuple[UInt8[np.ndarray, "H W"], UInt8[np.ndarray, "H W"] | None, Vocabulary, float | None]
"""Labels, confidence, the vocabulary that they are in, and the ms of inference where they were recorded."""


class RecordedLabelsError(OvsegError):
    """Recorded labels that cannot be scored."""


class FolderLabels:
    """Labels from a folder, with the confidence that was written with them.

    `vocabulary` names their ids where the folder has no `classes.json`.
    """

    def __init__(self, folder: LabelFolder, vocabulary: Vocabulary | None = None) -> None:
        self._folder = folder
        self.vocabularies = [vocabulary or folder.vocabulary() or _named(folder.names, folder.path)]

    def prepare(self, frame: SourceFrame) -> Recorded | None:
        """Read the labels. Raises LabelFileError."""
        file = self._folder.find(frame.source.stamp_ns)
        if file is None:
            return None
        return self._folder.read(file), self._folder.confidence(file), self.vocabularies[0], None

    def label(
        self, frame: SourceFrame, prepared: Recorded | None, truth: UInt8[np.ndarray, "H W"] | None
    ) -> AnsweredFrame | None:
        """The frame with its labels."""
        return _answered(frame, prepared, truth)


class TopicLabels:
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
        place = topic.rpartition("/")[0]
        self._confidence = _there(bag, f"{place}/confidence", IMAGE)
        self._summary = _there(bag, f"{place}/summary", SUMMARY)
        words = _there(bag, f"{place}/vocabulary", VOCABULARY)
        if vocabulary is None and words is not None:
            found = [read_vocabulary_message(bag.read(message)) for message in bag.messages([words])]
        else:
            found = [vocabulary or _named(bag.label_names(topic), bag.path)]
        self._by_revision = {entry.revision: entry for entry in found}
        if len(self._by_revision) > 1 and self._summary is None:
            raise RecordedLabelsError(
                f"{bag.path} has {len(self._by_revision)} vocabularies, and no {place}/summary that tells "
                "which frame was labelled in which; expected that topic, or --vocabulary"
            )

    @property
    def topics(self) -> list[str]:
        """What must come beside each frame."""
        return [name for name in (self._topic, self._confidence, self._summary) if name is not None]

    @property
    def vocabularies(self) -> list[Vocabulary]:
        """All that labels may be in."""
        return list(self._by_revision.values())

    def prepare(self, frame: SourceFrame) -> Recorded | None:
        """Decode the labels. Raises BagError."""
        beside = frame.source.beside
        image = frame.source.image
        labels = image if image.topic == self._topic else beside.get(self._topic)
        if labels is None:
            return None
        vocabulary, inference_ms = self._of(beside.get(self._summary or ""))
        if vocabulary is None:
            return None
        confidence = beside.get(self._confidence or "")
        decoded = None if confidence is None else self._bag.decode_labels(confidence)
        return self._bag.decode_labels(labels), decoded, vocabulary, inference_ms

    def label(
        self, frame: SourceFrame, prepared: Recorded | None, truth: UInt8[np.ndarray, "H W"] | None
    ) -> AnsweredFrame | None:
        """The frame with its labels."""
        return _answered(frame, prepared, truth)

    def _of(self, summary: Message | None) -> tuple[Vocabulary | None, float | None]:
        only = self.vocabularies[0] if len(self._by_revision) == 1 else None
        if summary is None:
            return only, None
        told = self._bag.read(summary)
        return self._by_revision.get(told.vocabulary_revision, only), float(told.inference_ms)


def _answered(
    frame: SourceFrame, recorded: Recorded | None, truth: np.ndarray | None
) -> AnsweredFrame | None:
    if recorded is None:
        return None
    labels, confidence, vocabulary, inference_ms = recorded
    return AnsweredFrame(
        number=frame.number,
        sent_s=frame.seconds,
        source=frame.source,
        image=frame.image,
        labels=labels,
        confidence=confidence,
        vocabulary=vocabulary,
        truth=truth,
        latency_ms=inference_ms,
    )


def _named(names: dict[int, str], place: Path) -> Vocabulary:
    """A vocabulary of nothing but ids and names."""
    classes = {number: name for number, name in names.items() if number not in (BACKGROUND_ID, UNLABELLED_ID)}
    if not classes:
        raise RecordedLabelsError(
            f"{place} does not say what the recorded labels mean; expected a Vocabulary or LabelInfo beside "
            "the topic, classes.json or classes.txt in the folder, or --vocabulary with ids"
        )
    return VocabularyBuilder().build(list(classes.values()), list(classes))


def _there(bag: Bag, name: str, kind: str) -> str | None:
    topic = bag.topic(name)
    return name if topic is not None and topic.type == kind and topic.count else None
