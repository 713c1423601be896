"""The frames of a replay once it has ended: what was played, and what was answered."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ovseg_ros.graph.node_process import ReplayError
from ovseg_ros.graph.pacing import Selection
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.frame import Message
from ovseg_ros.recordings.frames import Frame, read_frames
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.message_types import IMAGE
from ovseg_ros.recordings.recording import CONFIDENCE_TOPIC, LABELS_TOPIC, Answer, AnswerLog
from ovseg_ros.runs.answered_frame import AnsweredFrame, SentFrame
from ovseg_ros.runs.replay_result import Trace
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class Recording:
    """A bag that is played: its image topic, the topic of its truth, and which frames."""

    path: Path
    image_topic: str
    labels_topic: str | None
    selection: Selection

    def frames(self, pass_starts: list[int] | None = None) -> Generator[Frame, None, None]:
        """All frames of all passes; `pass_starts` is given the number of each pass's first frame.

        Opens the bag for itself, so that any thread may iterate.
        """
        starts = [] if pass_starts is None else pass_starts
        for number, (turn, frame) in enumerate(self.selection.frames(self._read)):
            if turn == len(starts):
                starts.append(number)
            yield frame

    def _read(self) -> Iterator[Frame]:
        with Bag(self.path) as bag:
            yield from read_frames(bag, self.image_topic, labels_topic=self.labels_topic)


def replayed_frames(
    bag: Bag,
    frames: Iterable[Frame],
    trace: Trace,
    log: AnswerLog,
    vocabulary_of: Callable[[int], Vocabulary | None],
    label_map: LabelMap | None,
) -> Iterator[SentFrame | AnsweredFrame]:
    """Every frame that was sent, in the order of sending.

    Args:
        bag: open, to decode messages with.
        frames: as they were played.
        trace: of the replay.
        log: with the answers.
        vocabulary_of: the vocabulary of a revision.
        label_map: of the truth.

    Raises ReplayError where an answer is in a vocabulary that the node never published.
    """
    answers = log.read()
    answered, answer = next(answers, (-1, None))
    for number, (frame, sent_s, latency_ms) in enumerate(
        zip(frames, trace.sent_s, trace.latency_ms, strict=False)
    ):
        if math.isnan(sent_s):
            continue
        if answer is None or number != answered:
            yield SentFrame(number, sent_s, frame)
            continue
        vocabulary = vocabulary_of(answer.revision)
        if vocabulary is None:
            raise ReplayError(f"the node labelled with vocabulary {answer.revision}, but never published it")
        yield _answered(bag, SentFrame(number, sent_s, frame), answer, latency_ms, vocabulary, label_map)
        answered, answer = next(answers, (-1, None))


def _answered(
    bag: Bag,
    sent: SentFrame,
    answer: Answer,
    latency_ms: float,
    vocabulary: Vocabulary,
    label_map: LabelMap | None,
) -> AnsweredFrame:
    source = sent.source
    log_ns = source.image.log_ns
    return AnsweredFrame(
        number=sent.number,
        sent_s=sent.sent_s,
        source=source,
        image=partial(bag.decode_image, source.image),
        labels=bag.decode_labels(Message(LABELS_TOPIC, IMAGE, log_ns, answer.labels, source.stamp_ns)),
        confidence=bag.decode_labels(
            Message(CONFIDENCE_TOPIC, IMAGE, log_ns, answer.confidence, source.stamp_ns)
        ),
        vocabulary=vocabulary,
        truth=None if source.truth is None else bag.decode_labels(source.truth, label_map),
        latency_ms=latency_ms,
        answer=answer,
    )
