from pathlib import Path

import pytest

pytest.importorskip("sensor_msgs", reason="ROS 2 is not installed")

from ovseg_ros.node.vocabulary_state import VocabularyState, as_parameters
from ovseg_ros.vocabulary import VocabularyError
from ovseg_ros.vocabulary.config import VocabularyConfig


@pytest.fixture
def state() -> VocabularyState:
    return VocabularyState()


@pytest.fixture
def words_file(tmp_path: Path) -> str:
    path = tmp_path / "words.yaml"
    path.write_text("classes: [chair, lamp]\nbackground: [wall]\nthreshold: 0.25\n")
    return str(path)


def test_at_first_there_is_an_empty_vocabulary(state: VocabularyState) -> None:
    assert state.newest.classes == ()
    assert state.newest.revision == 0


def test_a_negative_threshold_keeps_the_one_before(state: VocabularyState) -> None:
    assert state.build(["mug"], (), (), 0.30000001192092896).threshold == 0.3
    assert state.build(["mug"], (), (), -1).threshold == 0.3


def test_costs_come_by_place_and_none_are_kept(state: VocabularyState) -> None:
    first = state.build(["mug; cup", "spoon", "fork"], (), (), 0, costs=[254, -1, 3], default_cost=20)
    assert [cls.cost for cls in first.classes] == [254, None, 3]
    assert first.default_cost == 20
    assert not state.build(["mug", "spoon"], (), (), 0).has_costs


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([1], "2 classes came with 1 costs"),
        ([1, 255], "the cost of class 'spoon' is 255"),
        ([-2, 1], "is -2"),
    ],
)
def test_costs_that_do_not_fit_are_refused(state: VocabularyState, costs: list[int], said: str) -> None:
    with pytest.raises(VocabularyError, match=said):
        state.build(["mug", "spoon"], (), (), 0, costs=costs)


def test_parameters_bring_costs_back(state: VocabularyState) -> None:
    first = state.build(["mug; cup", "spoon: big"], (), (), 0, costs=[254, 3], default_cost=20)
    values = as_parameters(first)
    again = state.build_from(VocabularyConfig(**values))
    assert again.classes == first.classes
    assert again.default_cost == 20


def test_parameters_override_the_costs_of_a_file(state: VocabularyState, tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("{classes: [chair, {name: lamp, cost: 50}], default_cost: 9}")
    built = state.build_from(VocabularyConfig(file=str(path), costs=("chair: 7",)))
    assert [cls.cost for cls in built.classes] == [7, 50]
    assert built.default_cost == 9
    built = state.build_from(VocabularyConfig(file=str(path), costs=("lamp:1",), default_cost=0))
    assert [built.cost_of(cls) for cls in built.classes] == [0, 1]


@pytest.mark.parametrize("entry", ["chair", "chair 7", ": 7", "chair: x", "chair: -1", "chair: 1.5"])
def test_a_cost_parameter_of_another_form_is_refused(state: VocabularyState, entry: str) -> None:
    with pytest.raises(VocabularyError, match="not of the form 'person: 254'"):
        state.build_from(VocabularyConfig(classes=("chair",), costs=(entry,)))


def test_what_is_withdrawn_leaves_no_trace_but_its_ids(state: VocabularyState) -> None:
    first = state.build(["mug"], (), (), 0.5)
    failed = state.build(["spoon"], (), (), 0.9)
    state.withdraw(failed, first)
    assert state.newest is first
    third = state.build(["fork", "spoon"], (), (), -1)
    assert third.threshold == 0.5
    assert third.by_name("spoon").id == failed.by_name("spoon").id


def test_withdrawing_an_older_one_keeps_the_newest(state: VocabularyState) -> None:
    in_force = state.build(["mug"], (), (), -1)
    failed = state.build(["spoon"], (), (), -1)
    newest = state.build(["fork"], (), (), -1)
    state.withdraw(failed, in_force)
    assert state.newest is newest


def test_parameters_override_the_file(state: VocabularyState, words_file: str) -> None:
    from_file = state.build_from(VocabularyConfig(file=words_file))
    assert [cls.name for cls in from_file.classes] == ["chair", "lamp"]
    assert (from_file.background, from_file.threshold) == (("wall",), 0.25)
    mixed = state.build_from(VocabularyConfig(file=words_file, background=("sky",), threshold=0.5))
    assert [cls.name for cls in mixed.classes] == ["chair", "lamp"]
    assert (mixed.background, mixed.threshold) == (("sky",), 0.5)
    own = state.build_from(VocabularyConfig(file=words_file, classes=("mug",)))
    assert [cls.name for cls in own.classes] == ["mug"]
    assert own.background == ()


def test_no_words_at_all_are_refused(state: VocabularyState) -> None:
    with pytest.raises(VocabularyError, match=r"vocabulary\.classes"):
        state.build_from(VocabularyConfig(file=""))


def test_check_changes_nothing(state: VocabularyState) -> None:
    before = state.build(["mug"], (), (), -1)
    state.check(VocabularyConfig(classes=("spoon", "fork")))
    with pytest.raises(VocabularyError):
        state.check(VocabularyConfig(classes=("spoon", "spoon")))
    assert state.newest is before
    after = state.build(["knife"], (), (), -1)
    assert after.revision == before.revision + 1
    assert after.classes[0].id == 2


def test_parameters_are_asked_to_follow_once_and_only_at_rest(state: VocabularyState) -> None:
    first = state.build_from(VocabularyConfig(classes=("mug",)))
    assert state.undescribed(first) is None, "the parameters tell of it already"
    called = state.build(["spoon"], (), (), -1)
    assert state.undescribed(first) is None, "it is not in force yet"
    assert state.undescribed(called) is called
    assert state.undescribed(called) is None


def test_parameters_follow_what_waits_for_configure(state: VocabularyState) -> None:
    called = state.build(["spoon"], (), (), -1)
    assert state.undescribed(None) is called


def test_a_vocabulary_as_parameters_builds_it_again(state: VocabularyState) -> None:
    vocabulary = state.build(["mug; cup", "spoon"], (9, 4), ["table"], 0.5)
    values = as_parameters(vocabulary)
    again = state.build_from(VocabularyConfig(**values))
    assert (again.classes, again.background, again.threshold) == (
        vocabulary.classes,
        vocabulary.background,
        vocabulary.threshold,
    )
