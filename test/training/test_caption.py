"""Captions name what is visible, all of what is named is visible, and nothing else counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.caption import (
    LEAST_SHARE,
    MOST_NAMED,
    NOTED_SHARE,
    Seen,
    facts,
    what_is_seen,
    write_caption,
)
from training.catalogue import KINDS
from training.render import RenderCamera, RenderedFrame

from .conftest import floor, scene_of, thing, wall

SCENE = scene_of(
    thing("cube", 0, 0, 0.3, "red"),
    thing("cube", 1, 0, 0.3, "red"),
    thing("cube", 2, 0, 0.3, "blue"),
    floor(),
    wall(4),
    sky=1,
)


def frame_of(instances: np.ndarray) -> RenderedFrame:
    """A frame in which these instances of `SCENE` are seen."""
    height, width = instances.shape
    camera = RenderCamera.looking((0, -3, 1), (0, 0, 0), 0.9, width, height)
    blank = np.zeros((height, width, 3), np.uint8)
    labels = np.zeros((height, width), np.uint8)
    return RenderedFrame(blank, labels.astype(np.float32), labels, instances.astype(np.int16), camera, SCENE)


def test_shares_are_counted_and_equal_things_count_together() -> None:
    instances = np.full((10, 10), 3)  # floor
    instances[0, :4], instances[1, :6], instances[2, :5], instances[5:8] = 0, 1, 2, -1
    assert what_is_seen(frame_of(instances)) == [
        Seen("floor", None, pytest.approx(0.55)),
        Seen("sky", None, pytest.approx(0.30)),
        Seen("cube", "red", pytest.approx(0.10)),
        Seen("cube", "blue", pytest.approx(0.05)),
    ]


def test_a_few_pixels_are_noted_and_fewer_are_not() -> None:
    instances = np.full((100, 100), 3)
    instances[0, :39] = 4
    assert [seen.kind for seen in what_is_seen(frame_of(instances))] == ["floor"]
    instances[0, :40] = 4
    assert NOTED_SHARE == 0.004
    assert [seen.kind for seen in what_is_seen(frame_of(instances))] == ["floor", "wall"]


def test_only_what_covers_enough_is_named() -> None:
    seen = [
        Seen("floor", None, 0.9),
        Seen("wall", None, LEAST_SHARE),
        Seen("cube", "red", LEAST_SHARE - 0.001),
    ]
    named = {kind for i in range(60) for kind, _ in write_caption(seen, np.random.default_rng(i)).meaning}
    assert named == {"floor", "wall"}


def test_a_full_caption_names_all_it_may() -> None:
    seen = [Seen(kind, None, 0.1) for kind in ("floor", "wall", "cube", "sofa", "lamp")]
    counts = [len(write_caption(seen, np.random.default_rng(i), full=True).meaning) for i in range(20)]
    assert counts == [MOST_NAMED] * 20
    assert {len(write_caption(seen, np.random.default_rng(i)).meaning) for i in range(60)} == {1, 2, 3, 4}


def test_a_caption_is_true_where_all_it_claims_is_seen() -> None:
    seen = [Seen("cube", "red", 0.5), Seen("floor", None, 0.1)]
    assert frozenset({("cube", None)}) <= facts(seen)
    assert frozenset({("cube", "red"), ("floor", None)}) <= facts(seen)
    assert not frozenset({("cube", "blue")}) <= facts(seen)
    assert not frozenset({("cube", None), ("wall", None)}) <= facts(seen)


def test_a_part_of_the_frame_counts_alone() -> None:
    instances = np.full((10, 20), 3)
    instances[4:8, 10:14] = 2
    assert what_is_seen(frame_of(instances), (10, 4, 4, 4)) == [Seen("cube", "blue", 1.0)]
    assert what_is_seen(frame_of(instances), (0, 0, 10, 10)) == [Seen("floor", None, 1.0)]


def test_wordings_of_one_thing() -> None:
    texts = {write_caption([Seen("cube", "red", 0.5)], np.random.default_rng(i)).text for i in range(60)}
    assert texts == {"cube", "red cube", "a photo of a cube.", "a photo of a red cube."}


def test_synonyms_and_order_do_not_change_the_meaning() -> None:
    seen = [Seen("sofa", None, 0.5), Seen("carpet", None, 0.3)]
    captions = [write_caption(seen, np.random.default_rng(i), full=True) for i in range(60)]
    assert len({caption.text for caption in captions}) > 8
    assert {caption.meaning for caption in captions} == {frozenset({("sofa", None), ("carpet", None)})}


def test_nothing_seen_is_refused() -> None:
    with pytest.raises(ValueError, match="something that is seen"):
        write_caption([], np.random.default_rng(0))


_SEEN = st.builds(
    Seen,
    st.sampled_from([kind.name for kind in KINDS]),
    st.sampled_from([None, "red", "blue", "wooden"]),
    st.just(0.1),
)


@given(st.lists(_SEEN, min_size=1, max_size=8), st.integers(0, 1000))
def test_every_word_is_of_something_seen(seen: list[Seen], seed: int) -> None:
    caption = write_caption(seen, np.random.default_rng(seed))
    assert caption.meaning <= facts(seen)
    assert 1 <= len(caption.meaning) <= MOST_NAMED
    text = caption.text.removeprefix("a photo of a ").removesuffix(".")
    phrases = {p for part in text.split(", ") for p in part.split(" and ")}
    words = {kind.name: kind.words for kind in KINDS}
    allowed = {
        f"{adjective} {word}" if adjective else word
        for kind, adjective in caption.meaning
        for word in words[kind]
    }
    assert phrases <= allowed
    assert len(phrases) == len(caption.meaning)
