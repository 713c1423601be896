"""Small dataset folders and made-up answers for the evaluation's tests."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ovseg_ros.evaluation.answer_messages import make_answer
from ovseg_ros.evaluation.recording import Answer
from ovseg_ros.vocabulary import Vocabulary

CLASSES = ("road", "sky", "red box")
COLORS = np.array([[90, 90, 90], [120, 180, 240], [220, 30, 30]], np.uint8)


def _write_dataset(folder: Path, count: int = 12, suffix: str = "jpg") -> list[np.ndarray]:
    """Frames, 64 x 48, of a red box that walks over a grey road below a blue sky; returns the true labels."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    all_labels = []
    for index in range(count):
        labels = np.zeros((48, 64), np.uint8)
        labels[:16] = 1
        left = index * 48 // max(1, count - 1)
        labels[24:36, left : left + 16] = 2
        labels[-2:] = 255
        image = COLORS[np.minimum(labels, 2)]
        cv2.imwrite(str(folder / "images" / f"frame{index + 1}.{suffix}"), image[..., ::-1])
        cv2.imwrite(str(folder / "labels" / f"frame{index + 1}.png"), labels)
        all_labels.append(labels)
    return all_labels


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., list[np.ndarray]]:
    """Writes a dataset folder: (folder, count, suffix) -> labels."""
    return _write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset folder of twelve frames with the classes road, sky and red box."""
    _write_dataset(tmp_path / "dataset")
    return tmp_path / "dataset"


@pytest.fixture
def made_up_answers() -> "MadeUpAnswers":
    """Answers of a node that never was."""
    return MadeUpAnswers()


class MadeUpAnswers:
    """Serialized messages as the node would send them."""

    def answer(self, labels: np.ndarray, revision: int, stamp_ns: int) -> Answer:
        """An answer with these labels and a confidence of 200 everywhere."""
        vocabulary = Vocabulary(classes=(), revision=revision)
        return make_answer(labels, np.full_like(labels, 200), vocabulary, [], 5.0, stamp_ns)
