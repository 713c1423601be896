"""The frames of a replay: what is played, and once it has ended, what the node published for each."""

import math
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from ovseg_ros.graph.client import NodeOutput, ReplayError
from ovseg_ros.graph.pacing import passes
from ovseg_ros.graph.player import Trace
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.frame import Frame, Message, Source
from ovseg_ros.recordings.messages import (
    CONFIDENCE_TOPIC,
    IMAGE,
    LABELS_TOPIC,
    SUMMARY,
    SUMMARY_TOPIC,
)
from ovseg_ros.recordings.sources import open_source
from ovseg_ros.recordings.writer import BagWriter
from ovseg_ros.runs.prediction import Prediction
from ovseg_ros.vocabulary import Vocabulary


@dataclass(frozen=True)
class PlayedRecording:
    """Selected frames of a recording, played `loops` times (0: endlessly)."""

    path: Path
    recording: RecordingConfig
    truth: TruthConfig
    selection: SelectionConfig
    loops: int

    def expected(self, source: Source) -> int | None:
        """About how many frames are played; None where there is no end."""
        return source.expected(self.selection) * self.loops or None

    def frames(self, pass_starts: list[int] | None = None) -> Generator[Frame, None, None]:
        """The frames as `passes` has them; the number of each pass's first frame is added to `pass_starts`.

        Opens the recording for itself, so that any thread may iterate.
        """
        starts = [] if pass_starts is None else pass_starts
        with open_source(self.path, self.recording, self.truth) as source:
            for turn, frame in passes(lambda: source.frames(self.selection), self.loops):
                if turn == len(starts):
                    starts.append(frame.number)
                yield frame


LOGGED = {LABELS_TOPIC: IMAGE, CONFIDENCE_TOPIC: IMAGE, SUMMARY_TOPIC: SUMMARY}


class PredictionLog:
    """What the node published, on disk, by the number of the frame; use as a context manager while writing.

    It is a bag in which the time of a message is the frame's number: no image is written while a run is
    measured, and memory does not grow with it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bag = BagWriter(path)

    def __enter__(self) -> "PredictionLog":
        self._bag.__enter__()
        for name, kind in LOGGED.items():
            self._bag.add_topic(name, kind)
        return self

    def __exit__(self, *exception: object) -> None:
        self._bag.__exit__(*exception)

    def write(self, number: int, output: NodeOutput) -> None:
        """Keep the output for a frame."""
        for name, data in zip(LOGGED, (output.labels, output.confidence, output.summary), strict=True):
            self._bag.write_cdr(name, data, number)

    def predictions(
        self, frames: Iterable[Frame], trace: Trace, vocabularies: Mapping[int, Vocabulary]
    ) -> Iterator[tuple[Frame, float, Prediction | None]]:
        """Every frame that was sent, when (seconds from the start), and its prediction, None for a dropped
        frame; once writing has ended.

        Args:
            frames: as they were played.
            trace: of the replay.
            vocabularies: by revision.

        Raises ReplayError where the node used a vocabulary that it never published.
        """
        with Bag(self._path) as bag:
            logged = groupby(bag.messages(list(LOGGED)), key=lambda message: message.log_ns)
            number, messages = next(logged, (-1, None))
            for frame, sent_s, latency_ms in zip(frames, trace.sent_s, trace.latency_ms, strict=False):
                if math.isnan(sent_s):
                    continue
                if messages is None or frame.number != number:
                    yield frame, sent_s, None
                    continue
                found = {message.topic: message for message in messages}
                revision = int(bag.read(found[SUMMARY_TOPIC]).vocabulary_revision)
                if revision not in vocabularies:
                    raise ReplayError(f"the node used vocabulary {revision}, but never published it")
                prediction = Prediction(
                    frame,
                    labels=bag.decode_labels(found[LABELS_TOPIC]),
                    confidence=bag.decode_labels(found[CONFIDENCE_TOPIC]),
                    vocabulary=vocabularies[revision],
                    latency_ms=latency_ms,
                    sent_s=sent_s,
                    messages=partial(_data, found),
                )
                yield frame, sent_s, prediction
                number, messages = next(logged, (-1, None))


def _data(messages: Mapping[str, Message]) -> dict[str, bytes]:
    return {topic: message.data for topic, message in messages.items()}
