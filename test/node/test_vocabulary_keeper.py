from pathlib import Path

import pytest

pytest.importorskip("builtin_interfaces", reason="ROS 2 is not installed")

from builtin_interfaces.msg import Time

from ovseg_ros.node.settings import VocabularySettings
from ovseg_ros.node.vocabulary_keeper import REMEMBERED, VocabularyKeeper, as_parameters
from ovseg_ros.vocabulary import VocabularyError

STAMP = Time(sec=5)


@pytest.fixture
def keeper() -> VocabularyKeeper:
    return VocabularyKeeper()


@pytest.fixture
def words_file(tmp_path: Path) -> str:
    path = tmp_path / "words.yaml"
    path.write_text("classes: [chair, lamp]\nbackground: [wall]\nthreshold: 0.25\n")
    return str(path)


def test_at_first_there_is_an_empty_vocabulary(keeper: VocabularyKeeper) -> None:
    assert keeper.current.classes == ()
    assert keeper.current.revision == 0


def test_what_waits_is_current_until_something_is_in_force(keeper: VocabularyKeeper) -> None:
    first = keeper.build(["mug"], (), (), 0.5)
    assert keeper.current is first
    keeper.enforce(first, STAMP)
    second = keeper.build(["spoon"], (), (), -1)
    assert keeper.current is first
    assert keeper.newest is second
    keeper.enforce(second, STAMP)
    assert keeper.current is second
    keeper.release()
    assert keeper.current is second


def test_a_negative_threshold_keeps_the_one_before(keeper: VocabularyKeeper) -> None:
    assert keeper.build(["mug"], (), (), 0.30000001192092896).threshold == 0.3
    assert keeper.build(["mug"], (), (), -1).threshold == 0.3


def test_costs_come_by_place_and_none_are_kept(keeper: VocabularyKeeper) -> None:
    first = keeper.build(["mug; cup", "spoon", "fork"], (), (), 0, costs=[254, -1, 3], default_cost=20)
    assert [cls.cost for cls in first.classes] == [254, None, 3]
    assert first.default_cost == 20
    assert not keeper.build(["mug", "spoon"], (), (), 0).has_costs


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ([1], "2 classes came with 1 costs"),
        ([1, 255], "the cost of class 'spoon' is 255"),
        ([-2, 1], "is -2"),
    ],
)
def test_costs_that_do_not_fit_are_refused(keeper: VocabularyKeeper, costs: list[int], said: str) -> None:
    with pytest.raises(VocabularyError, match=said):
        keeper.build(["mug", "spoon"], (), (), 0, costs=costs)


def test_parameters_bring_costs_back(keeper: VocabularyKeeper) -> None:
    first = keeper.build(["mug; cup", "spoon: big"], (), (), 0, costs=[254, 3], default_cost=20)
    values = {name.partition(".")[2]: value for name, value in as_parameters(first).items()}
    again = keeper.build_from(VocabularySettings(**values))
    assert again.classes == first.classes
    assert again.default_cost == 20


def test_parameters_go_before_the_costs_of_a_file(keeper: VocabularyKeeper, tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text("{classes: [chair, {name: lamp, cost: 50}], default_cost: 9}")
    built = keeper.build_from(VocabularySettings(file=str(path), costs=("chair: 7",)))
    assert [cls.cost for cls in built.classes] == [7, 50]
    assert built.default_cost == 9
    built = keeper.build_from(VocabularySettings(file=str(path), costs=("lamp:1",), default_cost=0))
    assert [built.cost_of(cls) for cls in built.classes] == [0, 1]


@pytest.mark.parametrize("entry", ["chair", "chair 7", ": 7", "chair: x", "chair: -1", "chair: 1.5"])
def test_a_cost_parameter_of_another_form_is_refused(keeper: VocabularyKeeper, entry: str) -> None:
    with pytest.raises(VocabularyError, match="not of the form 'person: 254'"):
        keeper.build_from(VocabularySettings(classes=("chair",), costs=(entry,)))


def test_what_is_withdrawn_leaves_no_trace_but_its_ids(keeper: VocabularyKeeper) -> None:
    first = keeper.build(["mug"], (), (), 0.5)
    keeper.enforce(first, STAMP)
    failed = keeper.build(["spoon"], (), (), 0.9)
    keeper.withdraw(failed)
    assert keeper.newest is keeper.current is first
    third = keeper.build(["fork", "spoon"], (), (), -1)
    assert third.threshold == 0.5
    assert third.by_name("spoon").id == failed.by_name("spoon").id


def test_withdrawing_an_older_one_keeps_the_newest(keeper: VocabularyKeeper) -> None:
    keeper.enforce(keeper.build(["mug"], (), (), -1), STAMP)
    failed = keeper.build(["spoon"], (), (), -1)
    newest = keeper.build(["fork"], (), (), -1)
    keeper.withdraw(failed)
    assert keeper.newest is newest


def test_parameters_go_before_the_file(keeper: VocabularyKeeper, words_file: str) -> None:
    from_file = keeper.build_from(VocabularySettings(file=words_file))
    assert [cls.name for cls in from_file.classes] == ["chair", "lamp"]
    assert (from_file.background, from_file.threshold) == (("wall",), 0.25)
    mixed = keeper.build_from(VocabularySettings(file=words_file, background=("sky",), threshold=0.5))
    assert [cls.name for cls in mixed.classes] == ["chair", "lamp"]
    assert (mixed.background, mixed.threshold) == (("sky",), 0.5)
    own = keeper.build_from(VocabularySettings(file=words_file, classes=("mug",)))
    assert [cls.name for cls in own.classes] == ["mug"]
    assert own.background == ()


def test_no_words_at_all_are_refused(keeper: VocabularyKeeper) -> None:
    with pytest.raises(VocabularyError, match=r"vocabulary\.classes"):
        keeper.build_from(VocabularySettings(file=""))


def test_check_changes_nothing(keeper: VocabularyKeeper) -> None:
    before = keeper.build(["mug"], (), (), -1)
    keeper.check(VocabularySettings(classes=("spoon", "fork")))
    with pytest.raises(VocabularyError):
        keeper.check(VocabularySettings(classes=("spoon", "spoon")))
    assert keeper.newest is before
    after = keeper.build(["knife"], (), (), -1)
    assert after.revision == before.revision + 1
    assert after.classes[0].id == 2


def test_parameters_are_asked_to_follow_once_and_only_at_rest(keeper: VocabularyKeeper) -> None:
    keeper.enforce(keeper.build_from(VocabularySettings(classes=("mug",))), STAMP)
    assert keeper.undescribed() is None, "the parameters tell of it already"
    called = keeper.build(["spoon"], (), (), -1)
    assert keeper.undescribed() is None, "it is not in force yet"
    keeper.enforce(called, STAMP)
    assert keeper.undescribed() is called
    assert keeper.undescribed() is None


def test_a_vocabulary_as_parameters_builds_it_again(keeper: VocabularyKeeper) -> None:
    vocabulary = keeper.build(["mug; cup", "spoon"], (9, 4), ["table"], 0.5)
    values = {name.partition(".")[2]: value for name, value in as_parameters(vocabulary).items()}
    again = keeper.build_from(VocabularySettings(**values))
    assert (again.classes, again.background, again.threshold) == (
        vocabulary.classes,
        vocabulary.background,
        vocabulary.threshold,
    )


def test_it_is_known_since_when_a_vocabulary_is_in_force(keeper: VocabularyKeeper) -> None:
    first = keeper.build(["mug"], (), (), -1)
    assert keeper.since(first) == Time()
    keeper.enforce(first, STAMP)
    assert keeper.since(first) == STAMP
    for number in range(REMEMBERED):
        keeper.enforce(keeper.build(["spoon"], (), (), -1), Time(sec=number))
    assert keeper.since(keeper.current) == Time(sec=REMEMBERED - 1)
    assert keeper.since(first) == Time(), "old ones are forgotten"
