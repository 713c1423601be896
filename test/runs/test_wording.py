"""The words of a replay, and saying them in another way."""

from pathlib import Path

import pytest

from ovseg_ros.metrics import TruthMapping
from ovseg_ros.runs.wording import OTHER_WORDS, Words, other_words, read_words, truth_words
from ovseg_ros.vocabulary import VocabularyBuilder, VocabularyError, shipped_vocabularies
from ovseg_ros.vocabulary.phrases import label_key

STREET = "sky, building, pole, road, pavement, tree, sign, fence, car, pedestrian, bicyclist"
CAMVID = dict(enumerate(STREET.split(", "), start=1))


def test_words_written_out() -> None:
    words = read_words("road, person; pedestrian,car ")
    assert words == Words(("road", "person; pedestrian", "car"))
    assert words.parameters() == {"vocabulary.classes": ["road", "person; pedestrian", "car"]}
    assert words.fields() == {
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
    words = read_words(str(file))
    assert words.parameters() == {"vocabulary.file": str(file)}
    assert words.fields() == {
        "classes": ["road", "person; pedestrian"],
        "ids": [7, 9],
        "background": ["sky"],
        "threshold": 0.25,
    }


def test_a_shipped_vocabulary_by_name() -> None:
    for name, path in shipped_vocabularies().items():
        assert read_words(name).file == path.resolve()


@pytest.mark.parametrize("text", ["absent.yaml", "folder/absent", "road, ,car", "road, Road", ""])
def test_what_no_node_would_take_is_refused(text: str) -> None:
    with pytest.raises(VocabularyError):
        read_words(text)


def test_the_truths_own_names_without_background_and_void() -> None:
    names = {0: "background", 1: "car", 2: "road", 3: "Car", 255: "unlabelled"}
    assert truth_words(names).classes == ("Car", "road")


def test_other_words_of_a_street_keep_every_class_of_the_truth() -> None:
    first = truth_words(CAMVID)
    second = other_words(first)
    assert len(second.classes) == len(first.classes)
    assert "sidewalk; pavement" in second.classes
    assert "person; pedestrian" in second.classes
    mapping = TruthMapping.by_name(CAMVID, VocabularyBuilder().build(second.classes))
    assert mapping.ignored == ()
    assert sorted(mapping.groups.values()) == [(number,) for number in CAMVID]


@pytest.mark.parametrize("names", [["road", "street"], ["road", "street", "car", "vehicle"], ["person"]])
def test_a_word_that_is_taken_is_not_used_twice(names: list[str]) -> None:
    VocabularyBuilder().build(other_words(Words(tuple(names))).classes)


def test_unknown_words_become_a_choice_of_three_before_the_rest_as_background() -> None:
    second = other_words(Words(("glork", "blib", "wug", "dax", "fep"), background=("sky",)))
    assert second == Words(("glork", "blib", "wug"), background=("sky", "dax", "fep"))


def test_the_table_of_other_words_is_usable() -> None:
    for name, other in OTHER_WORDS.items():
        assert name == label_key(name)
        VocabularyBuilder().build([f"{other}; {name}"])
