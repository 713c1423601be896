"""What follows from the text of a name: how it is compared, its colour and its topic."""

import colorsys
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.vocabulary.phrases import MAX_SLUG_LENGTH, color_of, label_key, quote, slugs_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Road", "road"),
        ("traffic  cone", " Traffic cone "),
        ("STRASSE", "straße"),
        ("\uff43\uff41\uff52", "car"),
        ("é", "e\u0301"),
    ],
)
def test_names_that_look_alike_have_one_key(one: str, other: str) -> None:
    assert label_key(one) == label_key(other)
    assert color_of(one) == color_of(other)


def test_other_names_have_other_keys() -> None:
    assert len({label_key(name) for name in ("road", "roads", "ro ad", "r-oad")}) == 4


@settings(deadline=None)
@given(st.text(min_size=1))
def test_every_color_is_bright_and_saturated(name: str) -> None:
    red, green, blue = color_of(name)
    assert all(isinstance(channel, int) and 0 <= channel <= 255 for channel in (red, green, blue))
    _, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    assert saturation > 0.55
    assert value > 0.5


def test_the_classes_that_are_seen_most_have_clearly_different_colors() -> None:
    colors = [color_of(name) for name in ("road", "sidewalk", "building", "tree", "sky", "car", "person")]
    for place, one in enumerate(colors):
        for other in colors[place + 1 :]:
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 60, (one, other)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("road", "road"),
        ("Traffic Cone", "traffic_cone"),
        ("t-shirt", "t_shirt"),
        ("café", "caf_"),
        ("3d printer", "class_7"),
        ("人", "class_7"),
        ("!?", "class_7"),
        ("no 1", "no_1"),
        ("x" * 200, "x" * MAX_SLUG_LENGTH),
    ],
)
def test_slug_of_one_name(name: str, slug: str) -> None:
    assert slugs_of([name], [7]) == (slug,)


def test_names_with_one_slug_all_get_their_id() -> None:
    assert slugs_of(["a b", "a-b", "c"], [4, 9, 5]) == ("a_b_4", "a_b_9", "c")
    assert slugs_of(["a-b", "c", "a b"], [9, 5, 4]) == ("a_b_9", "c", "a_b_4")


def test_an_added_id_does_not_make_a_new_collision() -> None:
    assert slugs_of(["a b", "a-b", "a b 1"], [1, 2, 3]) == ("a_b_1_1", "a_b_2", "a_b_1_3")
    assert slugs_of(["人", "class 5"], [5, 3]) == ("class_5_5", "class_5_3")


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
near_names = st.text("ab -_1", min_size=1, max_size=4)


@settings(deadline=None)
@given(st.lists(st.one_of(names, near_names), min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_slugs_are_legal_and_unique(some: list[str], chance: object) -> None:
    ids = chance.sample(range(1, 255), len(some))  # type: ignore[attr-defined]
    slugs = slugs_of(some, ids)
    assert len(set(slugs)) == len(some)
    for slug in slugs:
        assert re.fullmatch("[a-z_][a-z0-9_]*", slug)


def test_a_long_entry_is_quoted_short() -> None:
    assert quote("road") == "'road'"
    assert len(quote("x" * 1000)) < 60
    assert quote("a\nb\u200b") == r"'a\nb\u200b'"
