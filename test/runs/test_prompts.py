"""The words of a run, and saying them in another way."""

from pathlib import Path

import pytest

from ovseg_ros.metrics import TruthMapping
from ovseg_ros.runs.prompts import (
    OTHER_WORDS,
    node_parameters,
    other_prompts,
    prompts_of_run,
    request_fields,
    truth_prompts,
)
from ovseg_ros.vocabulary import VocabularyBuilder, VocabularyError, build_vocabulary, shipped_vocabularies
from ovseg_ros.vocabulary.config import VocabularyConfig
from ovseg_ros.vocabulary.phrases import label_key

STREET = "sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist"
CAMVID = dict(enumerate(STREET.split(", "), start=1))


def test_words_written_out() -> None:
    words = VocabularyConfig("", ("road", "person; pedestrian", "car"))
    assert node_parameters(words) == {"vocabulary.classes": ["road", "person; pedestrian", "car"]}
    assert request_fields(words) == {
        "classes": ["road", "person; pedestrian", "car"],
        "ids": [],
        "background": [],
        "threshold": -1.0,
    }


def test_words_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "classes:\n  - {name: road, id: 7}\n  - {name: person, synonyms: [pedestrian], id: 9}\n"
        "background: [sky]\nthreshold: 0.25\n",
        encoding="utf-8",
    )
    words = VocabularyConfig(str(file))
    assert node_parameters(words) == {"vocabulary.file": str(file)}
    assert request_fields(words) == {
        "classes": ["road", "person; pedestrian"],
        "ids": [7, 9],
        "background": ["sky"],
        "threshold": 0.25,
    }


def test_a_shipped_vocabulary_by_name() -> None:
    for name, path in shipped_vocabularies().items():
        assert node_parameters(VocabularyConfig(name)) == {"vocabulary.file": str(path.resolve())}


@pytest.mark.parametrize(
    "words",
    [
        VocabularyConfig("absent.yaml"),
        VocabularyConfig("folder/absent"),
        VocabularyConfig("", ("road", "", "car")),
        VocabularyConfig("", ("road", "Road")),
        VocabularyConfig(""),
    ],
)
def test_what_no_node_would_take_is_refused(words: VocabularyConfig) -> None:
    with pytest.raises(VocabularyError):
        request_fields(words)


def test_the_truths_own_names_without_background_and_void() -> None:
    names = {0: "background", 1: "car", 2: "road", 3: "Car", 255: "unlabelled"}
    assert truth_prompts(names) == ("Car", "road")


def test_other_words_of_a_street_keep_every_class_of_the_truth() -> None:
    first = prompts_of_run(VocabularyConfig(""), CAMVID)
    second = other_prompts(first)
    assert len(second.classes) == len(first.classes)
    assert "sidewalk; pavement" in second.classes
    assert "person; pedestrian" in second.classes
    mapping = TruthMapping.by_name(CAMVID, VocabularyBuilder().build(second.classes))
    assert mapping.ignored == ()
    assert sorted(mapping.groups.values()) == [(number,) for number in CAMVID]


@pytest.mark.parametrize("names", [["road", "street"], ["road", "street", "car", "vehicle"], ["person"]])
def test_a_word_that_is_taken_is_not_used_twice(names: list[str]) -> None:
    VocabularyBuilder().build(other_prompts(VocabularyConfig("", tuple(names))).classes)


def test_unknown_words_become_a_choice_of_three_before_the_rest_as_background() -> None:
    second = other_prompts(VocabularyConfig("", ("glork", "blib", "wug", "dax", "fep"), background=("sky",)))
    assert second == VocabularyConfig("", ("glork", "blib", "wug"), background=("sky", "dax", "fep"))


def test_the_table_of_other_words_is_usable() -> None:
    for name, other in OTHER_WORDS.items():
        assert name == label_key(name)
        VocabularyBuilder().build([f"{other}; {name}"])


def test_given_words_precede_those_of_the_truth_and_background_is_no_class() -> None:
    given = VocabularyConfig("", ("lorry",))
    assert prompts_of_run(given, CAMVID) is given
    assert prompts_of_run(VocabularyConfig("indoor"), CAMVID).classes == ()
    own = prompts_of_run(VocabularyConfig("", background=("Sky", "wall")), {1: "road", 2: "sky"})
    assert own.classes == ("road",)
    assert build_vocabulary(own, VocabularyBuilder()).background == ("Sky", "wall")


def test_costs_and_thresholds_reach_the_node() -> None:
    words = VocabularyConfig("", ("road",), threshold=0.2, costs=("road: 3",), default_cost=9)
    assert node_parameters(words) == {
        "vocabulary.classes": ["road"],
        "vocabulary.threshold": 0.2,
        "vocabulary.costs": ["road: 3"],
        "vocabulary.default_cost": 9,
    }
