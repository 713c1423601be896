"""Metrics against a count pixel by pixel, and the bringing together of names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.evaluation.metrics import (
    ConfusionMatrix,
    Scorer,
    TruthMapping,
    mean_iou,
    per_class_iou,
    pixel_accuracy,
)
from ovseg_ros.vocabulary import VocabularyBuilder

FEW_IDS = st.sampled_from([0, 1, 2, 3, 254, 255])
LABELS = arrays(np.uint8, (5, 7), elements=FEW_IDS)


def slow_figures(
    pairs: list[tuple[np.ndarray, np.ndarray]], ids: list[int], ignore: int = 255
) -> tuple[dict[int, float | None], float | None, float | None]:
    """IoU, mean and accuracy by walking over every pixel with Python's own numbers."""
    pixels = [
        (int(t), int(p))
        for truth, prediction in pairs
        for t, p in zip(truth.flat, prediction.flat, strict=True)
        if t != ignore
    ]
    ious = {}
    for wanted in ids:
        both = sum(1 for t, p in pixels if t == wanted and p == wanted)
        either = sum(1 for t, p in pixels if t == wanted or p == wanted)
        ious[wanted] = both / either if either else None
    there = [iou for iou in ious.values() if iou is not None]
    mean = sum(there) / len(there) if there else None
    accuracy = sum(1 for t, p in pixels if t == p) / len(pixels) if pixels else None
    return ious, mean, accuracy


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=3))
def test_figures_equal_a_count_pixel_by_pixel(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    matrix = ConfusionMatrix()
    for truth, prediction in pairs:
        matrix.update(truth, prediction)
    ids = [1, 2, 3, 254]
    ious, mean, accuracy = slow_figures(pairs, ids)
    scores = matrix.compute(ids)
    assert scores.per_class_iou == ious
    assert scores.mean_iou == (pytest.approx(mean, abs=1e-12) if mean is not None else None)
    assert scores.pixel_accuracy == accuracy
    assert scores.pixels == sum(int((truth != 255).sum()) for truth, _ in pairs)


def test_a_case_by_hand() -> None:
    matrix = ConfusionMatrix()
    matrix.update(np.array([[1, 1, 2, 255]], np.uint8), np.array([[1, 2, 2, 1]], np.uint8))
    assert per_class_iou(matrix.counts, [1, 2, 3]) == {1: 0.5, 2: 0.5, 3: None}
    assert mean_iou(matrix.counts, [1, 2, 3]) == 0.5
    assert pixel_accuracy(matrix.counts) == pytest.approx(2 / 3)


def test_nothing_counted_gives_no_figure() -> None:
    scores = ConfusionMatrix().compute([1, 2])
    assert (scores.mean_iou, scores.pixel_accuracy, scores.pixels) == (None, None, 0)


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ValueError, match="must be equal"):
        ConfusionMatrix().update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))


def test_counts_are_exact_beyond_32_bits() -> None:
    matrix = ConfusionMatrix()
    matrix.counts[1, 1] = 2**40
    matrix.update(np.ones((1, 1), np.uint8), np.ones((1, 1), np.uint8))
    assert matrix.counts[1, 1] == 2**40 + 1


NAMES = {1: "Car", 2: "pedestrian", 3: "sky", 4: "truck", 5: "kerb"}


class TestTruthMapping:
    def test_matches_names_and_synonyms_whatever_the_case(self) -> None:
        vocabulary = VocabularyBuilder().build(["person; Pedestrian", "car"])
        mapping = TruthMapping.by_name(NAMES, vocabulary)
        assert mapping.groups == {vocabulary.by_name("person").id: (2,), vocabulary.by_name("car").id: (1,)}
        assert mapping.ignored == ("sky", "truck", "kerb")

    def test_several_truth_classes_go_into_one(self) -> None:
        vocabulary = VocabularyBuilder().build(["vehicle; car; truck"])
        mapping = TruthMapping.by_name(NAMES, vocabulary)
        assert mapping.groups == {1: (1, 4)}
        assert mapping.group_name(1) == "Car + truck"
        truth = np.array([[1, 4, 2, 0, 255]], np.uint8)
        assert mapping.truth_as_vocabulary(truth).tolist() == [[1, 1, 255, 255, 255]]

    def test_a_background_prompt_claims_truth_for_background(self) -> None:
        vocabulary = VocabularyBuilder().build(["car"], background=["sky"])
        mapping = TruthMapping.by_name(NAMES, vocabulary)
        assert mapping.groups == {1: (1,), 0: (3,)}
        assert mapping.truth_as_vocabulary(np.array([3], np.uint8)).tolist() == [0]

    def test_void_is_never_a_class(self) -> None:
        vocabulary = VocabularyBuilder().build(["void"])
        assert TruthMapping.by_name({255: "void"}, vocabulary).groups == {}


class TestScorer:
    def test_background_and_unlabelled_and_strangers_are_wrong(self) -> None:
        vocabulary = VocabularyBuilder().build(["car", "dragon"])
        scorer = Scorer({1: "car"})
        truth = np.full((1, 4), 1, np.uint8)
        frame = scorer.update(truth, np.array([[1, 0, 255, 2]], np.uint8), vocabulary)
        assert frame.per_class_iou == {"car": 0.25}
        assert frame.pixel_accuracy == 0.25

    def test_where_nobody_claims_the_truth_nothing_counts(self) -> None:
        vocabulary = VocabularyBuilder().build(["car"])
        scorer = Scorer({1: "car", 2: "moon"})
        frame = scorer.update(np.array([[2, 2]], np.uint8), np.array([[1, 1]], np.uint8), vocabulary)
        assert (frame.pixels, frame.pixel_accuracy, frame.per_class_iou) == (0, None, {"car": None})

    def test_the_same_truth_in_other_words_is_one_class_over_all(self) -> None:
        builder = VocabularyBuilder()
        first = builder.build(["pedestrian", "road"])
        second = builder.build(["road", "person; pedestrian"])
        scorer = Scorer({1: "road", 2: "pedestrian"})
        truth = np.array([[1, 2]], np.uint8)
        scorer.update(truth, np.array([[first.by_name("road").id, 0]], np.uint8), first)
        scorer.update(truth, np.array([[0, second.by_name("person").id]], np.uint8), second)
        assert scorer.revision_scores(first).per_class_iou == {"pedestrian": 0.0, "road": 1.0}
        assert scorer.revision_scores(second).per_class_iou == {"pedestrian": 1.0, "road": 0.0}
        assert scorer.scores().per_class_iou == {"pedestrian": 0.5, "road": 0.5}
        assert scorer.scores().pixel_accuracy == 0.5

    @given(st.lists(st.tuples(LABELS, LABELS, st.booleans()), min_size=1, max_size=4))
    def test_over_all_equals_a_count_in_words(
        self, frames: list[tuple[np.ndarray, np.ndarray, bool]]
    ) -> None:
        builder = VocabularyBuilder()
        vocabularies = [
            builder.build(["a", "b", "c"]),
            builder.build(["x; a", "ab", "c", "z; b"], background=["d"]),
        ]
        names = {1: "a", 2: "b", 3: "c", 254: "d"}
        scorer = Scorer(names)
        words: tuple[list[str], list[str]] = [], []
        for truth, labels, later in frames:
            vocabulary = vocabularies[later]
            scorer.update(truth, labels, vocabulary)
            claimed = {p: p for entry in vocabulary.classes for p in entry.prompts} | dict.fromkeys(
                vocabulary.background, "d"
            )
            said = {0: "d"} if vocabulary.background else {}
            said |= {
                entry.id: next((p for p in entry.prompts if p in names.values()), entry.name)
                for entry in vocabulary.classes
            }
            for t, p in zip(truth.flat, labels.flat, strict=True):
                name = names.get(int(t))
                if name in claimed:
                    words[0].append(name)
                    words[1].append(said.get(int(p), "nothing"))
        scores = scorer.scores()
        for name, iou in scores.per_class_iou.items():
            pairs = list(zip(*words, strict=True))
            either = sum(1 for t, p in pairs if name in (t, p))
            both = sum(1 for t, p in pairs if t == p == name)
            assert iou == (both / either if either else None)
        right = sum(1 for t, p in zip(*words, strict=True) if t == p)
        assert scores.pixel_accuracy == (right / len(words[0]) if words[0] else None)
