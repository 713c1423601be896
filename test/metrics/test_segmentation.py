"""The figures of a run against an independent count in words."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.metrics.agreement import EXTRA_COLUMNS
from ovseg_ros.metrics.segmentation import SegmentationAccumulator, SegmentationMetrics
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

IDS = st.sampled_from([0, 1, 2, 3, 254, 255])
LABELS = arrays(np.uint8, (5, 7), elements=IDS)
CONFIDENCE = arrays(np.uint8, (5, 7), elements=st.integers(0, 255))
NAMES = {1: "a", 2: "b", 3: "c", 254: "d"}


def measured(truth: list, labels: list, vocabulary: Vocabulary, names: dict[int, str]) -> SegmentationMetrics:
    meter = SegmentationAccumulator(names)
    meter.update(np.array(truth, np.uint8), np.array(labels, np.uint8), None, vocabulary)
    return meter.compute()


def test_background_and_unlabelled_and_strangers_are_wrong() -> None:
    vocabulary = VocabularyBuilder().build(["car", "dragon"])
    quality = measured([[1, 1, 1, 1]], [[1, 0, 255, 2]], vocabulary, {1: "car"})
    assert quality.per_class_iou == {"car": 0.25}
    assert quality.pixel_accuracy == 0.25
    assert quality.unlabelled_share == 0.25
    assert quality.confusion.counts == ((1, 1, 1, 1),)
    assert EXTRA_COLUMNS == ("background", "unlabelled", "other")


def test_where_nobody_claims_the_truth_nothing_counts() -> None:
    vocabulary = VocabularyBuilder().build(["car"])
    quality = measured([[2, 2]], [[1, 1]], vocabulary, {1: "car", 2: "moon"})
    assert (quality.pixels, quality.pixel_accuracy, quality.per_class_iou) == (0, None, {"car": None})
    assert (quality.miou, quality.mean_accuracy, quality.frequency_weighted_iou) == (None, None, None)
    assert (quality.boundary_f, quality.flicker, quality.ece) == (None, None, None)


def test_the_same_truth_in_other_words_is_one_class_over_all() -> None:
    builder = VocabularyBuilder()
    first = builder.build(["pedestrian", "road"])
    second = builder.build(["road", "person; pedestrian"])
    meter = SegmentationAccumulator({1: "road", 2: "pedestrian"})
    truth = np.array([[1, 2]], np.uint8)
    meter.update(truth, np.array([[first.by_name("road").id, 0]], np.uint8), None, first)
    meter.update(truth, np.array([[0, second.by_name("person").id]], np.uint8), None, second)
    assert meter.compute(first).per_class_iou == {"pedestrian": 0.0, "road": 1.0}
    assert meter.compute(second).per_class_iou == {"pedestrian": 1.0, "road": 0.0}
    quality = meter.compute()
    assert quality.per_class_iou == {"pedestrian": 0.5, "road": 0.5}
    assert quality.confusion.truth == ("road", "pedestrian")
    assert (quality.pixel_accuracy, quality.frames) == (0.5, 2)


def test_other_words_are_no_flicker() -> None:
    builder = VocabularyBuilder()
    first, second = builder.build(["road"]), builder.build(["street; road"])
    meter = SegmentationAccumulator({1: "road"})
    truth = np.ones((1, 4), np.uint8)
    meter.update(truth, np.full((1, 4), 1, np.uint8), None, first)
    meter.update(truth, np.full((1, 4), 2, np.uint8), None, second)
    assert meter.compute().flicker is None
    meter.update(truth, np.array([[2, 2, 2, 0]], np.uint8), None, second)
    assert meter.compute().flicker == 0.25


def test_flicker_along_the_motion_equals_a_count_at_the_places_moved_to() -> None:
    """A camera pans by 6 pixels a frame, and labels are wrong at the same places of the scene: they change
    where they are in the image, but not where the scene goes."""
    random = np.random.default_rng(1)
    coarse = random.integers(0, 256, (15, 40, 3)).astype(np.uint8)
    scene = cv2.resize(coarse, (400, 120), interpolation=cv2.INTER_CUBIC)
    truth = np.ones((120, 400), np.uint8)
    labels = np.kron(random.integers(1, 3, (12, 40)), np.ones((10, 10))).astype(np.uint8)
    vocabulary = VocabularyBuilder().build(["a", "b"])
    views = [np.s_[:, start : start + 160] for start in range(50, 110, 6)]
    flips = [random.random((120, 160)) < share for share in (0.0, 0.2)]
    for flip, expected in ((flips[0], 0.0), (flips[1], 0.2)):
        meter = SegmentationAccumulator(NAMES)
        for number, where in enumerate(views):
            said = np.where(flip & (number % 2 == 1), 3 - labels[where], labels[where])
            meter.update(truth[where], said.astype(np.uint8), None, vocabulary, scene[where])
        quality = meter.compute()
        assert quality.flicker > 0.25
        assert quality.flicker_along_motion == pytest.approx(expected, abs=0.02)


def test_without_images_or_after_a_cut_there_is_no_motion_to_follow() -> None:
    vocabulary = VocabularyBuilder().build(["a"])
    ones, random = np.ones((24, 32), np.uint8), np.random.default_rng(2)
    images = [cv2.resize(random.integers(0, 256, (6, 8, 3)).astype(np.uint8), (32, 24)) for _ in range(2)]
    for first, second in ((None, None), (images[0], None), (None, images[0]), images):
        meter = SegmentationAccumulator(NAMES)
        meter.update(ones, ones, None, vocabulary, first)
        meter.update(ones, 2 * ones, None, vocabulary, second)
        assert (meter.compute().flicker, meter.compute().flicker_along_motion) == (1.0, None)
    meter = SegmentationAccumulator(NAMES)
    for labels in (ones, 2 * ones):
        meter.update(ones, labels, None, vocabulary, images[0])
    assert meter.compute().flicker_along_motion == 1.0


@given(st.lists(st.tuples(LABELS, LABELS, CONFIDENCE, st.booleans()), min_size=1, max_size=4))
def test_over_all_equals_a_count_in_words(frames: list) -> None:
    builder = VocabularyBuilder()
    vocabularies = [
        builder.build(["a", "b", "c"]),
        builder.build(["x; a", "ab", "c", "z; b"], background=["d"]),
    ]
    meter = SegmentationAccumulator(NAMES)
    pairs: list[tuple[str, str]] = []
    confidences: list[tuple[float, bool]] = []
    for truth, labels, confidence, later in frames:
        vocabulary = vocabularies[later]
        meter.update(truth, labels, confidence, vocabulary)
        claimed = {p for entry in vocabulary.classes for p in entry.prompts} | {*vocabulary.background}
        said = {0: "d" if vocabulary.background else "background", 255: "unlabelled"}
        for entry in vocabulary.classes:
            known = [prompt for prompt in entry.prompts if prompt in NAMES.values()]
            said[entry.id] = known[0] if known else "other"
        for t, p, c in zip(truth.flat, labels.flat, confidence.flat, strict=True):
            name = NAMES.get(int(t))
            if name in claimed:
                pairs.append((name, said.get(int(p), "other")))
                if p != 255:
                    confidences.append((c / 255, pairs[-1][0] == pairs[-1][1]))
    quality = meter.compute()
    ious, accuracies, weights = {}, [], []
    classes = quality.confusion.truth
    for name in classes:
        both = sum(t == p == name for t, p in pairs)
        either = sum(name in pair for pair in pairs)
        true = sum(t == name for t, _ in pairs)
        ious[name] = both / either if either else None
        accuracies += [both / true] if true else []
        weights.append((true, ious[name] or 0.0))
        columns = [*classes, *EXTRA_COLUMNS]
        row = list(quality.confusion.counts[classes.index(name)])
        assert row == [sum(t == name and p == column for t, p in pairs) for column in columns]
    there = [iou for iou in ious.values() if iou is not None]
    right = sum(t == p for t, p in pairs)

    def mean(values: list[float]) -> object:
        return pytest.approx(sum(values) / len(values), abs=1e-12) if values else None

    assert quality.per_class_iou == ious
    assert quality.miou == mean(there)
    assert quality.mean_accuracy == mean(accuracies)
    assert quality.pixel_accuracy == (right / len(pairs) if pairs else None)
    weighted = sum(count * iou for count, iou in weights) / len(pairs) if pairs else None
    assert quality.frequency_weighted_iou == (pytest.approx(weighted, abs=1e-12) if pairs else None)
    assert quality.unlabelled_share == (
        sum(p == "unlabelled" for _, p in pairs) / len(pairs) if pairs else None
    )
    assert quality.brier == mean([(c - float(r)) ** 2 for c, r in confidences])


def test_a_frame_on_its_own_counts_the_same_as_in_turn() -> None:
    vocabulary = VocabularyBuilder().build(["a", "b"], background=["c"])
    random = np.random.default_rng(0)
    frames = [random.integers(0, 4, (3, 9, 8)).astype(np.uint8) for _ in range(5)]
    in_turn, apart = SegmentationAccumulator(NAMES), SegmentationAccumulator(NAMES)
    for frame in frames:
        in_turn.update(frame[0], frame[1], frame[2], vocabulary)
    for scored in [apart.score(frame[0], frame[1], frame[2], vocabulary) for frame in frames]:
        apart.add(scored)
    assert in_turn.compute() == apart.compute()


def test_the_best_threshold_leaves_the_background_alone() -> None:
    vocabulary = VocabularyBuilder().build(["a"], background=["b"])
    meter = SegmentationAccumulator(NAMES)
    truth = np.array([[1, 1, 2, 2]], np.uint8)
    labels = np.array([[1, 0, 0, 1]], np.uint8)
    meter.update(truth, labels, np.array([[200, 10, 10, 90]], np.uint8), vocabulary)
    quality = meter.compute()
    # Without the false "a" at 90: a has 1 of 2, b 1 of 3; with it, a has 1 of 3.
    assert quality.best_threshold.threshold == pytest.approx(90.5 / 255)
    assert quality.best_threshold.miou == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert quality.miou == pytest.approx((1 / 3 + 1 / 3) / 2)
