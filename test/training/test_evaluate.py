"""Scores of segmenters whose answers are known, and the list of methods."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ovseg_ros.clipseg import METHODS
from ovseg_ros.vocabulary import Vocabulary
from training.catalogue import kind_of, label_names, label_of
from training.evaluate import methods, most_seen, render_frames, score


class Copyist:
    """A segmenter that answers with what the picture's red channel holds."""

    method = METHODS["clipseg"]

    def encode(self, vocabulary: Vocabulary) -> Vocabulary:
        assert all(entry.name == kind_of(entry.id).name for entry in vocabulary.classes)
        return vocabulary

    def segment(self, image: np.ndarray, classifier: Vocabulary) -> Any:
        return SimpleNamespace(labels=image[..., 0])


def frame(truth: np.ndarray, answer: np.ndarray) -> Any:
    """A frame of that truth, on which the copyist gives that answer."""
    return SimpleNamespace(
        labels=truth.astype(np.uint8), color=np.repeat(answer[..., None], 3, 2).astype(np.uint8)
    )


def test_scores_are_over_the_kinds_that_occur() -> None:
    cube, wall, sofa = (label_of(name) for name in ("cube", "wall", "sofa"))
    truth = np.array([[cube, cube, wall, wall]])
    names = label_names()
    perfect = score(Copyist(), [frame(truth, truth)], names)
    assert (perfect.mean_iou, perfect.pixel_accuracy) == (100, 100)
    assert perfect.per_kind == {"wall": 100, "cube": 100}
    half = score(Copyist(), [frame(truth, np.array([[cube, wall, wall, sofa]]))], names)
    assert half.per_kind == {"wall": pytest.approx(100 / 3), "cube": 50}
    assert half.mean_iou == pytest.approx((100 / 3 + 50) / 2)
    assert half.pixel_accuracy == 50
    cubes = score(
        Copyist(), [frame(truth, np.array([[cube, wall, wall, sofa]]))], {cube: "cube", sofa: "sofa"}
    )
    assert (cubes.per_kind, cubes.pixel_accuracy) == ({"cube": 50}, 50)


def test_the_kinds_most_seen_come_first() -> None:
    cube, wall, sofa = (label_of(name) for name in ("cube", "wall", "sofa"))
    first, second = np.array([[cube, cube, wall]]), np.array([[cube, sofa, sofa]])
    assert most_seen([frame(first, first), frame(second, second)], 2) == [cube, sofa]


def test_both_halves_of_the_method_are_measured_alone() -> None:
    chosen = methods()
    assert {"vanilla", "maskclip", "clearclip", "sclip", "naclip", "clipseg"} <= set(chosen)
    assert chosen["clipseg, CERA alone"].deep is None
    assert chosen["clipseg, CERA alone"].coherence == METHODS["clipseg"].coherence
    assert chosen["clipseg, DSI alone"].coherence is None
    assert chosen["clipseg, DSI alone"].deep == METHODS["clipseg"].deep


def test_frames_are_of_scenes_of_the_split(world: Any) -> None:
    frames = render_frames("test", 2)
    assert len({f.scene.seed for f in frames}) == 2
    assert all(f.scene.seed >= 1_100_000 for f in frames)
    assert frames[0].color.shape == (480, 640, 3)
