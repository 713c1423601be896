"""The rules of a vocabulary: what is refused and how it is said, stable ids, thresholds, revisions."""

import array
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.vocabulary import (
    BACKGROUND_ID,
    MAX_BACKGROUND,
    MAX_CLASSES,
    MAX_PROMPT_LENGTH,
    UNLABELLED_ID,
    Vocabulary,
    VocabularyBuilder,
    VocabularyError,
)

NAMES = [f"class {number}" for number in range(10)]


def ids_of(vocabulary: Vocabulary) -> dict[str, int]:
    return {cls.name: cls.id for cls in vocabulary.classes}


def test_a_class_has_a_name_and_synonyms() -> None:
    vocabulary = VocabularyBuilder().build(["road", " person ;  pedestrian on   foot; walker"])
    road, person = vocabulary.classes
    assert (road.name, road.synonyms, road.prompts) == ("road", (), ("road",))
    assert (person.name, person.synonyms) == ("person", ("pedestrian on foot", "walker"))
    assert person.prompts == ("person", "pedestrian on foot", "walker")


def test_the_callers_order_stays() -> None:
    builder = VocabularyBuilder()
    builder.build(["a", "b", "c"])
    assert [cls.name for cls in builder.build(["c", "a", "b"]).classes] == ["c", "a", "b"]


def test_unicode_names_are_welcome() -> None:
    vocabulary = VocabularyBuilder().build(["Straße; chaussée", "人", "🚗"])
    assert [cls.name for cls in vocabulary.classes] == ["Straße", "人", "🚗"]


REFUSED = [
    pytest.param({"classes": []}, "has no class, expected at least one", id="none"),
    pytest.param({"classes": ["a", ""]}, "class 2 '' is blank", id="empty"),
    pytest.param({"classes": ["a", "b", " \n "]}, "class 3 .* is blank", id="white space"),
    pytest.param({"classes": ["a;"]}, "class 1 'a;' has a blank part", id="blank synonym"),
    pytest.param({"classes": ["; a"]}, "class 1 '; a' has a blank part", id="blank name"),
    pytest.param({"classes": ["a", "b", "a"]}, "class 3 'a' is a duplicate of class 1 'a'", id="duplicate"),
    pytest.param({"classes": ["Traffic cone", "traffic  CONE"]}, "duplicate", id="duplicate but for case"),
    pytest.param({"classes": ["caf\u00e9", "cafe\u0301"]}, "duplicate", id="duplicate but for composition"),
    pytest.param(
        {"classes": ["person; pedestrian", "pedestrian"]},
        "class 2 'pedestrian' is a duplicate of synonym 'pedestrian' of class 1 'person'",
        id="duplicate of a synonym",
    ),
    pytest.param({"classes": ["a; b; A"]}, "synonym 'A' of class 1 'a' is a duplicate", id="own synonym"),
    pytest.param(
        {"classes": [f"c{n}" for n in range(255)]}, "255 classes, expected at most 254", id="too many"
    ),
    pytest.param({"classes": ["a", "x" * 201]}, "class 2 'xxx.* has 201 characters", id="too long"),
    pytest.param({"classes": ["a" * 150 + "; " + "b" * 60]}, "has 212 characters", id="too long in all"),
    pytest.param({"classes": ["a\x07b"]}, "class 1 .* control character U\\+0007 at place 2", id="bell"),
    pytest.param({"classes": ["a\tb"]}, "control character U\\+0009", id="tab"),
    pytest.param({"classes": ["a\x00"]}, "control character U\\+0000", id="NUL"),
    pytest.param(
        {"classes": ["road", "ro\u200bad"]}, "format character U\\+200B at place 3", id="zero width"
    ),
    pytest.param({"classes": ["\u202eroad"]}, "format character U\\+202E", id="right to left"),
    pytest.param({"classes": ["road\ud800"]}, "surrogate character U\\+D800", id="surrogate"),
    pytest.param({"classes": ["a", 3]}, "class 2 is 3 \\(int\\), expected text", id="number"),
    pytest.param({"classes": [None]}, "class 1 is None", id="None"),
    pytest.param({"classes": "road"}, "classes is 'road' \\(str\\), expected a list", id="no list"),
    pytest.param({"ids": [1]}, "2 classes came with 1 ids", id="too few ids"),
    pytest.param({"ids": [1, 2, 3]}, "2 classes came with 3 ids", id="too many ids"),
    pytest.param({"ids": [1, 0]}, "id 0 of class 2 'b' is kept for background", id="id 0"),
    pytest.param({"ids": [255, 1]}, "id 255 of class 1 'a' is kept for unlabelled", id="id 255"),
    pytest.param({"ids": [1, 256]}, "id 256 of class 2 'b' is out of range", id="id 256"),
    pytest.param({"ids": [-1, 2]}, "id -1 of class 1 'a' is out of range", id="id -1"),
    pytest.param({"ids": [7, 7]}, "id 7 is given to class 1 'a' and to class 2 'b'", id="id twice"),
    pytest.param({"ids": [1.5, 2]}, "id of class 1 'a' is 1.5, expected a whole number", id="id 1.5"),
    pytest.param({"ids": [True, 2]}, "id of class 1 'a' is True", id="id True"),
    pytest.param({"background": ["sky", " "]}, "background prompt 2 ' ' is blank", id="blank background"),
    pytest.param({"background": ["x" * 201]}, "background prompt 1 .* 201 characters", id="long background"),
    pytest.param({"background": ["a\x1b[0m"]}, "background prompt 1 .* U\\+001B", id="escape background"),
    pytest.param({"background": ["sky", "SKY"]}, "background prompt 'SKY' is a duplicate", id="sky twice"),
    pytest.param(
        {"background": ["B"]}, "prompt 'B' is a duplicate of class 2 'b'", id="background is a class"
    ),
    pytest.param({"background": [5]}, "background prompt 1 is 5", id="background number"),
    pytest.param(
        {"background": [f"p{n}" for n in range(MAX_BACKGROUND + 1)]},
        "255 background prompts",
        id="much background",
    ),
    pytest.param({"threshold": float("nan")}, "the threshold is nan, expected a number 0..1", id="NaN"),
    pytest.param({"threshold": -0.1}, "the threshold is -0.1", id="below 0"),
    pytest.param({"threshold": 1.01}, "the threshold is 1.01", id="above 1"),
    pytest.param({"threshold": "0.5"}, "the threshold is '0.5'", id="threshold text"),
    pytest.param(
        {"thresholds": {"c": 0.5}}, "threshold is given for 'c', expected the name", id="unknown name"
    ),
    pytest.param({"thresholds": {"b": 7}}, "threshold of class 'b' is 7", id="own threshold"),
    pytest.param({"costs": {"c": 5}}, "cost is given for 'c', expected the name", id="cost of nobody"),
    pytest.param({"costs": {"b": 255}}, "cost of class 'b' is 255, expected a whole", id="cost 255"),
    pytest.param({"costs": {"b": -1}}, "cost of class 'b' is -1", id="cost -1"),
    pytest.param({"costs": {"b": 1.5}}, "cost of class 'b' is 1.5", id="cost 1.5"),
    pytest.param({"costs": {"b": True}}, "cost of class 'b' is True", id="cost True"),
    pytest.param({"default_cost": 300}, "default cost is 300", id="default cost"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_is_refused_says_which_entry_and_changes_nothing(arguments: dict, message: str) -> None:
    builder, untouched = VocabularyBuilder(), VocabularyBuilder()
    first = {"classes": ["z", "y"], "ids": [9, 8], "threshold": 0.25}
    assert builder.build(**first) == untouched.build(**first)
    with pytest.raises(VocabularyError, match=message):
        builder.build(**{"classes": ["a", "b"], **arguments})
    assert builder.build(["a", "z", "b"]) == untouched.build(["a", "z", "b"])


def test_limits_are_inclusive() -> None:
    longest = "x" * MAX_PROMPT_LENGTH
    assert VocabularyBuilder().build([longest]).classes[0].name == longest
    assert VocabularyBuilder().build(["a"], threshold=1).threshold == 1.0
    assert VocabularyBuilder().build(["a", "b"], ids=[1, 254]).classes[1].id == 254


def test_254_classes_take_all_ids() -> None:
    vocabulary = VocabularyBuilder().build([f"c{n}" for n in range(MAX_CLASSES)])
    assert [cls.id for cls in vocabulary.classes] == list(range(1, 255))
    assert len({cls.slug for cls in vocabulary.classes}) == MAX_CLASSES


def test_ids_come_from_a_ros_message_too() -> None:
    assert VocabularyBuilder().build(["a", "b"], ids=array.array("H", [40, 3])).classes[0].id == 40
    assert VocabularyBuilder().build(["a"], ids=array.array("H")).classes[0].id == 1
    assert VocabularyBuilder().build(["a"], ids=np.array([7], np.uint16)).classes[0].id == 7


def test_background_entries_are_split_at_semicolons() -> None:
    assert VocabularyBuilder().build(["a"], background=["sky; clouds", "sea"]).background == (
        "sky",
        "clouds",
        "sea",
    )


def test_a_label_keeps_its_id_whatever_comes_between() -> None:
    builder = VocabularyBuilder()
    builder.build(["road", "person", "car"])
    assert ids_of(builder.build(["dog", "car"])) == {"dog": 4, "car": 3}
    assert ids_of(builder.build(["PERSON", "tree", "road; street"])) == {"PERSON": 2, "tree": 5, "road": 1}


def test_the_lowest_number_never_handed_out_comes_next() -> None:
    builder = VocabularyBuilder()
    assert ids_of(builder.build(["a", "b", "c"], ids=[2, None, 1])) == {"a": 2, "b": 3, "c": 1}
    builder.build(["d"], ids=[5])
    assert ids_of(builder.build(["e", "f"])) == {"e": 4, "f": 6}


def test_a_fixed_id_of_another_label_is_refused() -> None:
    builder = VocabularyBuilder()
    builder.build(["cat", "cow"])
    with pytest.raises(
        VocabularyError, match="id 1 of class 'dog' belongs to 'cat' for the life of this node"
    ):
        builder.build(["dog"], ids=[1])
    with pytest.raises(VocabularyError, match="id 2 of class 'cat' belongs to 'cow'"):
        builder.build(["cat", "cow"], ids=[2, 1])


def test_a_fixed_id_moves_a_label_and_its_old_number_stays_its_own() -> None:
    builder = VocabularyBuilder()
    builder.build(["cat"])
    assert ids_of(builder.build(["cat", "dog"], ids=[7, None])) == {"cat": 7, "dog": 2}
    assert ids_of(builder.build(["cat"])) == {"cat": 7}
    with pytest.raises(VocabularyError, match="belongs to 'cat'"):
        builder.build(["dog"], ids=[1])
    assert ids_of(builder.build(["cat"], ids=[1])) == {"cat": 1}


def test_numbers_are_reused_only_when_all_are_gone_and_the_oldest_first() -> None:
    builder = VocabularyBuilder()
    builder.build([f"a{n}" for n in range(200)])
    assert ids_of(builder.build([f"b{n}" for n in range(54)]))["b53"] == 254
    builder.build(["a0"])
    assert ids_of(builder.build(["new", "b0"])) == {"new": 2, "b0": 201}
    assert ids_of(builder.build(["a0", "a1"])) == {"a0": 1, "a1": 3}


def test_when_all_are_gone_the_caller_may_take_a_number_but_not_from_the_same_vocabulary() -> None:
    builder = VocabularyBuilder()
    builder.build([f"a{n}" for n in range(254)])
    with pytest.raises(VocabularyError, match="id 1 of class 'new' belongs to 'a0'"):
        builder.build(["new", "a0"], ids=[1, None])
    assert ids_of(builder.build(["new", "a7"], ids=[1, None])) == {"new": 1, "a7": 8}


def test_threshold_stays_until_it_is_changed() -> None:
    builder = VocabularyBuilder()
    assert builder.build(["a"]).threshold == 0.0
    assert builder.build(["a"], threshold=0.3).threshold == 0.3
    assert builder.build(["b"]).threshold == 0.3
    assert builder.build(["b"], threshold=0.0).threshold == 0.0


def test_a_class_may_have_its_own_threshold() -> None:
    vocabulary = VocabularyBuilder().build(["road", "Person"], threshold=0.2, thresholds={"person": 0.7})
    assert [vocabulary.threshold_of(cls) for cls in vocabulary.classes] == [0.2, 0.7]
    assert [cls.threshold for cls in vocabulary.classes] == [None, 0.7]


def test_costs() -> None:
    plain = VocabularyBuilder().build(["floor", "person"])
    assert not plain.has_costs
    assert [plain.cost_of(cls) for cls in plain.classes] == [0, 0]
    assert not VocabularyBuilder().build(["floor"], default_cost=100).has_costs
    vocabulary = VocabularyBuilder().build(
        ["floor", "person; man", "rug"], costs={"Person": 254, "rug": 0}, default_cost=50
    )
    assert vocabulary.has_costs
    assert [cls.cost for cls in vocabulary.classes] == [None, 254, 0]
    assert [vocabulary.cost_of(cls) for cls in vocabulary.classes] == [50, 254, 0]


def test_revision_counts_what_succeeded() -> None:
    builder = VocabularyBuilder()
    assert builder.build(["a"]).revision == 1
    with pytest.raises(VocabularyError):
        builder.build([])
    assert builder.build(["a"]).revision == 2


def test_look_up_by_id_and_by_name() -> None:
    vocabulary = VocabularyBuilder().build(["road", "person; pedestrian"], ids=[4, 9])
    assert vocabulary.by_id(9).name == "person"
    assert vocabulary.by_name("ROAD").id == 4
    assert vocabulary.by_name("pedestrian").id == 9
    with pytest.raises(VocabularyError, match="no class has the id 5, expected one of: 4, 9"):
        vocabulary.by_id(5)
    with pytest.raises(VocabularyError, match="no class is called 'dog', expected one of: 'road', 'person'"):
        vocabulary.by_name("dog")


def test_palette() -> None:
    vocabulary = VocabularyBuilder().build(["road", "person"], ids=[4, 9])
    palette = vocabulary.palette()
    assert (palette.shape, palette.dtype) == ((256, 3), np.uint8)
    assert tuple(palette[4]) == vocabulary.by_id(4).color
    assert tuple(palette[9]) == vocabulary.by_id(9).color
    assert tuple(palette[BACKGROUND_ID]) == tuple(palette[100]) == (0, 0, 0)
    assert tuple(palette[UNLABELLED_ID]) == (128, 128, 128)


def test_vocabularies_are_values() -> None:
    first, second = (VocabularyBuilder().build(["a; b"], background=["c"], threshold=0.5) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != VocabularyBuilder().build(["a"], background=["c"], threshold=0.5)


class_lists = st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True)


@settings(deadline=None)
@given(st.lists(st.tuples(class_lists, st.randoms(use_true_random=False), st.booleans()), max_size=12))
def test_ids_are_stable_legal_and_unique_in_any_sequence_of_calls(
    calls: list[tuple[list[str], random.Random, bool]],
) -> None:
    builder = VocabularyBuilder()
    meaning: dict[int, str] = {}
    current: dict[str, int] = {}
    for names, chance, fix in calls:
        ids = [chance.choice([None, chance.randrange(0, 14)]) for _ in names] if fix else []
        try:
            vocabulary = builder.build(names, ids)
        except VocabularyError:
            continue
        assert [cls.name for cls in vocabulary.classes] == names
        assert len({cls.id for cls in vocabulary.classes}) == len(names)
        for place, cls in enumerate(vocabulary.classes):
            assert 1 <= cls.id <= 254
            assert meaning.setdefault(cls.id, cls.name) == cls.name
            asked = ids[place] if fix else None
            assert cls.id == (asked or current.get(cls.name, cls.id))
            current[cls.name] = cls.id


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 120), min_size=3, max_size=8))
def test_no_id_is_lost_when_numbers_run_out(sizes: list[int]) -> None:
    builder = VocabularyBuilder()
    for call, size in enumerate(sizes):
        vocabulary = builder.build(["always", *(f"{call} {n}" for n in range(size))])
        assert vocabulary.by_name("always").id == 1
        assert len({cls.id for cls in vocabulary.classes}) == size + 1
