"""A few frames of a run to look at."""

import numpy as np

from ovseg_ros.runs.answered_frame import AnsweredFrame
from ovseg_ros.runs.results import FrameResult
from ovseg_ros.runs.scoring import Picture

_EXTREMES = 2
_SAMPLES = 6


class Gallery:
    """Keeps the best frames, the worst, the ones around each change of vocabulary, and some evenly spread
    where there is no truth to choose by. Images are decoded only for the frames that are kept."""

    def __init__(self, expected: int) -> None:
        self._spread = set(np.linspace(0, expected - 1, _SAMPLES).round().astype(int).tolist())
        self._seen = 0
        self._previous: tuple[AnsweredFrame, FrameResult, np.ndarray | None] | None = None
        self._best: list[Picture] = []
        self._worst: list[Picture] = []
        self._changes: list[Picture] = []
        self._samples: list[Picture] = []

    def offer(self, frame: AnsweredFrame, figures: FrameResult, truth: np.ndarray | None) -> None:
        """Look at the next answered frame; `truth` as in Picture."""
        current = (frame, figures, truth)
        revision = frame.vocabulary.revision
        if self._previous is not None and self._previous[0].vocabulary.revision != revision:
            last = self._previous[0].vocabulary.revision
            self._changes.append(_picture(f"The last frame in vocabulary {last}", *self._previous))
            self._changes.append(_picture(f"The first frame in vocabulary {revision}", *current))
        if figures.miou is not None:
            if len(self._best) < _EXTREMES or figures.miou > _miou(self._best[-1]):
                self._best.append(_picture("Among the best", *current))
                self._best = sorted(self._best, key=lambda p: -_miou(p))[:_EXTREMES]
            if len(self._worst) < _EXTREMES or figures.miou < _miou(self._worst[-1]):
                self._worst.append(_picture("Among the worst", *current))
                self._worst = sorted(self._worst, key=_miou)[:_EXTREMES]
        elif self._seen in self._spread:
            self._samples.append(_picture("Sample", *current))
        # Its messages are let go with the next frame; a chosen picture holds arrays of its own.
        self._previous = current
        self._seen += 1

    def pictures(self) -> list[Picture]:
        """The chosen frames, each once."""
        once: dict[int, Picture] = {}
        for picture in [*self._changes, *self._best, *reversed(self._worst), *self._samples]:
            once.setdefault(picture.score.number, picture)
        return list(once.values())


def _picture(title: str, frame: AnsweredFrame, figures: FrameResult, truth: np.ndarray | None) -> Picture:
    return Picture(title, figures, frame.vocabulary, frame.image(), frame.labels, frame.confidence, truth)


def _miou(picture: Picture) -> float:
    return picture.score.miou or 0.0
