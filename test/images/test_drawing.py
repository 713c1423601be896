"""Overlays and legends: right pixels, and pictures that fit at any size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.images.drawing import colorize, legend, overlay, with_legend
from ovseg_ros.vocabulary import Vocabulary, VocabularyBuilder

WORDS = VocabularyBuilder().build(["road", "person; pedestrian", "car"], ids=[1, 2, 200], background=["sky"])


def color(class_id: int) -> np.ndarray:
    return np.array(WORDS.by_id(class_id).color)


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def swatches(strip: np.ndarray, vocabulary: Vocabulary) -> dict[int, int]:
    """Ids of the classes whose colour fills a swatch, in reading order, with the number of pixels."""
    places = {}
    for cls in vocabulary.classes:
        rows, columns = np.nonzero((strip == cls.color).all(axis=-1))
        if rows.size > 20:
            places[cls.id] = (rows.min() // 10, columns.min(), rows.size)
    return {class_id: places[class_id][2] for class_id in sorted(places, key=lambda key: places[key][:2])}


def test_colorize() -> None:
    colors = colorize(np.array([[0, 1], [255, 200]], np.uint8), WORDS)
    assert (colors.shape, colors.dtype) == ((2, 2, 3), np.uint8)
    assert colors.tolist() == [[[0, 0, 0], color(1).tolist()], [[128, 128, 128], color(200).tolist()]]


def test_overlay_tints_a_class_and_leaves_the_input_alone() -> None:
    picture, labels = image(40, 60), np.full((40, 60), 2, np.uint8)
    before = picture.copy()
    result = overlay(picture, labels, WORDS, 0.25)
    assert (result.shape, result.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(picture, before)
    assert np.abs(result - (0.75 * picture + 0.25 * color(2))).max() <= 0.5001


def test_overlay_shows_unlabelled_pixels_as_they_are_and_darkens_background() -> None:
    picture, labels = image(40, 60), np.zeros((40, 60), np.uint8)
    labels[:, 30:] = 255
    result = overlay(picture, labels, WORDS, 0.5)
    assert np.array_equal(result[:, 30:], picture[:, 30:])
    assert np.abs(result[:, :30] - 0.75 * picture[:, :30]).max() <= 0.5001


def test_a_line_in_full_color_runs_along_the_edge_of_a_class() -> None:
    picture, labels = image(40, 60), np.ones((40, 60), np.uint8)
    labels[:, 20:40] = 2
    labels[:, 40:] = 255
    result = overlay(picture, labels, WORDS, 0.5)
    assert (result[:, 19] == color(1)).all()
    assert (result[:, 20] == color(2)).all()
    assert (result[:, 39] == color(2)).all()
    assert np.array_equal(result[:, 40:], picture[:, 40:])
    assert not (result[:, 18] == color(1)).all()


def test_labels_of_another_size_are_brought_to_the_image() -> None:
    small = np.array([[1, 2], [255, 200]], np.uint8)
    large = np.kron(small, np.ones((20, 30), np.uint8))
    picture = image(40, 60)
    assert np.array_equal(overlay(picture, small, WORDS), overlay(picture, large, WORDS))


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_extremes_of_alpha(alpha: float) -> None:
    picture, labels = image(20, 20), np.full((20, 20), 1, np.uint8)
    expected = np.broadcast_to(color(1), picture.shape) if alpha else picture
    assert np.array_equal(overlay(picture, labels, WORDS, alpha), expected)


@pytest.mark.parametrize(
    ("picture", "labels", "alpha"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), 0.5),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 4), np.uint8), 0.5),
        (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), 0.5),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int64), 0.5),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 1), np.uint8), 0.5),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), 1.5),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), float("nan")),
    ],
)
def test_what_overlay_refuses(picture: np.ndarray, labels: np.ndarray, alpha: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        overlay(picture, labels, WORDS, alpha)


def test_a_legend_without_numbers_shows_every_class() -> None:
    assert set(swatches(legend(WORDS, width=400), WORDS)) == {1, 2, 200}


def test_a_legend_shows_the_classes_seen_largest_first() -> None:
    shares = {1: 0.2, 2: 0.0, 200: 0.7}
    assert list(swatches(legend(WORDS, shares, width=600), WORDS)) == [200, 1]


def test_a_legend_wraps_and_says_how_many_more() -> None:
    many = VocabularyBuilder().build([f"thing {n}" for n in range(40)])
    wide, narrow = (legend(many, width=width, max_entries=10) for width in (1000, 150))
    assert wide.shape[1] == 1000
    assert narrow.shape[0] > 2 * wide.shape[0]
    assert len(swatches(wide, many)) == len(swatches(narrow, many)) == 9  # the tenth place says "+31 more"
    assert legend(many, width=1000, max_entries=40).shape[0] > wide.shape[0]


def test_a_legend_can_keep_its_size() -> None:
    one = legend(WORDS, {1: 1.0}, width=200, rows=3)
    three = legend(WORDS, dict.fromkeys((1, 2, 200), 0.3), width=200, rows=3)
    assert one.shape == three.shape


def test_names_in_any_script_and_length_can_be_drawn() -> None:
    words = VocabularyBuilder().build(["人", "Straße", "é" * 200, "🚗; car", "W" * 200])
    strip = legend(words, width=300)
    assert strip.shape[1] == 300
    assert len(swatches(strip, words)) == 5


def test_the_legend_stands_under_wide_and_beside_upright_images() -> None:
    wide, upright = image(240, 320), image(320, 200)
    under = with_legend(wide, WORDS, np.ones((240, 320), np.uint8))
    beside = with_legend(upright, WORDS, np.ones((320, 200), np.uint8))
    assert under.shape[1] == 320
    assert under.shape[0] > 240
    assert np.array_equal(under[:240], wide)
    assert beside.shape[0] == 320
    assert beside.shape[1] > 200
    assert np.array_equal(beside[:, :200], upright)


def test_text_grows_with_the_image() -> None:
    labels = np.ones((4, 4), np.uint8)
    heights = [with_legend(image(h, 4 * h // 3), WORDS, labels).shape[0] - h for h in (240, 480, 1080)]
    assert heights[0] < heights[1] < heights[2]


def test_the_share_is_of_all_pixels() -> None:
    labels = np.full((100, 100), 255, np.uint8)
    labels[:30] = 1
    labels[30:80] = 2
    assert list(swatches(with_legend(image(100, 100), WORDS, labels)[100:], WORDS)) == [2, 1]


def test_pictures_of_a_video_have_one_size() -> None:
    rng = np.random.default_rng(1)
    frames = [
        np.ones((90, 120), np.uint8),
        np.zeros((90, 120), np.uint8),
        rng.choice(np.array([0, 1, 2, 200, 255], np.uint8), (90, 120)),
    ]
    picture = image(90, 120)
    assert len({with_legend(picture, WORDS, labels, fixed_size=True).shape for labels in frames}) == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 130), st.integers(1, 130), st.booleans(), st.integers(0, 2**32 - 1))
def test_any_image_gets_a_legend(height: int, width: int, fixed: bool, seed: int) -> None:
    picture = image(height, width)
    labels = np.random.default_rng(seed).choice(np.array([0, 1, 2, 200, 255], np.uint8), (height, width))
    result = with_legend(picture, WORDS, labels, fixed_size=fixed)
    assert result.dtype == np.uint8
    assert result.shape[0] >= height
    assert result.shape[1] >= width
    assert result.shape[0] % 2 == result.shape[1] % 2 == 0
    if height > 1.2 * width:
        assert np.array_equal(result[:height, :width], picture)
    else:
        left = (max(width, result.shape[1] - 1) - width) // 2
        assert any(np.array_equal(result[:height, x : x + width], picture) for x in (left, left + 1))
