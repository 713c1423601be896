"""What the node published for the frames of a replay, kept on disk while it runs."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from ovseg_ros.graph.client import NodeOutput, ReplayError
from ovseg_ros.graph.player import Trace
from ovseg_ros.recordings.frame import Frame, Message
from ovseg_ros.recordings.messages import (
    IMAGE,
    prediction_messages,
)
from ovseg_ros.runs.replayed_frames import PredictionLog
from ovseg_ros.vocabulary import Vocabulary

VOCABULARIES = {revision: Vocabulary(classes=(), revision=revision) for revision in (1, 2)}
STAMP = 5  # stamps repeat, as they do when a recording is looped


def frame(number: int) -> Frame:
    message = Message("/image", IMAGE, number, b"", STAMP)
    return Frame(number, "", 0.0, STAMP, number, lambda: np.zeros((2, 3, 3), np.uint8), None, lambda: message)


def output(number: int, revision: int) -> NodeOutput:
    """With labels that are the frame's number, and a confidence of 200."""
    labels = np.full((2, 3), number, np.uint8)
    vocabulary = Vocabulary(classes=(), revision=revision)
    messages = prediction_messages(labels, np.full_like(labels, 200), vocabulary, [], 5.0, STAMP)
    return NodeOutput(STAMP, *messages.values())


def logged(path: Path, revisions: dict[int, int]) -> PredictionLog:
    """A log of outputs that came in this order: the vocabularies' revisions by the frames' numbers."""
    log = PredictionLog(path)
    with log:
        for number, revision in revisions.items():
            log.write(number, output(number, revision))
    return log


def trace(sent_s: list[float]) -> Trace:
    made = Trace()
    for number, sent in enumerate(sent_s):
        made.add(sent, 0.0)
        made.latency_ms[number] = 10.0 * number
    return made


def test_predictions_come_back_with_their_frames(tmp_path: Path) -> None:
    # An output may be late; frame 3 was not sent.
    log = logged(tmp_path / "log", {0: 1, 4: 1, 2: 1, 6: 2})
    sent = trace([0.0, 0.1, 0.2, np.nan, 0.4, 0.5, 0.6])
    found = list(log.predictions([frame(number) for number in range(7)], sent, VOCABULARIES))
    assert [(played.number, sent_s) for played, sent_s, _ in found] == [
        (0, 0.0), (1, 0.1), (2, 0.2), (4, 0.4), (5, 0.5), (6, 0.6)
    ]  # fmt: skip
    predictions = [prediction for _, _, prediction in found if prediction is not None]
    assert [p.frame.number for p in predictions] == [0, 2, 4, 6]
    assert [p.labels[0, 0] for p in predictions] == [0, 2, 4, 6]
    assert [p.vocabulary.revision for p in predictions] == [1, 1, 1, 2]
    assert [p.latency_ms for p in predictions] == [0.0, 20.0, 40.0, 60.0]
    for prediction in predictions:
        assert prediction.confidence is not None
        assert (prediction.confidence == 200).all()
        assert prediction.messages is not None
        made = output(prediction.frame.number, prediction.vocabulary.revision)
        assert list(prediction.messages().values()) == [made.labels, made.confidence, made.summary]


def test_a_replay_without_outputs_has_a_log_too(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", {})
    ((_, _, prediction),) = log.predictions([frame(0)], trace([0.0]), VOCABULARIES)
    assert prediction is None


def test_a_vocabulary_that_was_never_published_is_named(tmp_path: Path) -> None:
    log = logged(tmp_path / "log", {0: 7})
    with pytest.raises(ReplayError, match="used vocabulary 7, but never published it"):
        list(log.predictions([frame(0)], trace([0.0]), VOCABULARIES))
