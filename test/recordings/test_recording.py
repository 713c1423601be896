"""Answers on disk while a replay runs."""

from pathlib import Path
from typing import Any

import numpy as np

from ovseg_ros.recordings.recording import AnswerLog


def test_answers_are_given_back_by_number(tmp_path: Path, made_up_answers: Any) -> None:
    # Header stamps repeat, as they do when a bag is looped, and an answer may be late.
    written = {
        number: made_up_answers.answer(np.full((2, 3), number, np.uint8), revision, stamp_ns=5)
        for number, revision in ((0, 1), (4, 1), (2, 1), (7, 2))
    }
    log = AnswerLog(tmp_path / "answers")
    with log:
        for number, answer in written.items():
            log.write(number, answer.labels, answer.confidence, answer.summary)
    assert list(log.read()) == sorted(written.items())


def test_a_replay_without_answers_has_a_log_too(tmp_path: Path) -> None:
    log = AnswerLog(tmp_path / "answers")
    with log:
        pass
    assert list(log.read()) == []
