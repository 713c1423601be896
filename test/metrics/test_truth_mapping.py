"""Bringing the truth's names and a vocabulary together."""

from pathlib import Path

import numpy as np
import pytest

from ovseg_ros.metrics import MappingError, TruthMapping, read_mapping
from ovseg_ros.vocabulary import VocabularyBuilder

NAMES = {1: "Car", 2: "pedestrian", 3: "sky", 4: "truck", 5: "kerb"}


def test_matches_names_and_synonyms_whatever_the_case() -> None:
    vocabulary = VocabularyBuilder().build(["person; Pedestrian", "car"])
    mapping = TruthMapping.by_name(NAMES, vocabulary)
    assert mapping.groups == {vocabulary.by_name("person").id: (2,), vocabulary.by_name("car").id: (1,)}
    assert mapping.ignored == ("sky", "truck", "kerb")


def test_several_truth_classes_go_into_one() -> None:
    vocabulary = VocabularyBuilder().build(["vehicle; car; truck"])
    mapping = TruthMapping.by_name(NAMES, vocabulary)
    assert mapping.groups == {1: (1, 4)}
    assert mapping.group_name(1) == "Car + truck"
    truth = np.array([[1, 4, 2, 0, 255]], np.uint8)
    assert mapping.table[truth].tolist() == [[1, 1, 255, 255, 255]]


def test_a_background_prompt_claims_truth_for_background() -> None:
    vocabulary = VocabularyBuilder().build(["car"], background=["sky"])
    mapping = TruthMapping.by_name(NAMES, vocabulary)
    assert mapping.groups == {1: (1,), 0: (3,)}
    assert mapping.table[np.array([3], np.uint8)].tolist() == [0]


def test_void_is_never_a_class() -> None:
    vocabulary = VocabularyBuilder().build(["void"])
    assert TruthMapping.by_name({255: "void"}, vocabulary).groups == {}


def test_what_is_given_goes_before_names() -> None:
    vocabulary = VocabularyBuilder().build(["car", "person; human", "sky"], background=["wall"])
    given = {"TRUCK": "car", "pedestrian": "Human", "kerb": "background", "sky": "ignore"}
    mapping = TruthMapping.by_name(NAMES, vocabulary, given)
    car, person = vocabulary.by_name("car").id, vocabulary.by_name("person").id
    assert mapping.groups == {car: (1, 4), person: (2,), 0: (5,)}
    assert mapping.ignored == ("sky",)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pedestrain": "car"}, "did you mean 'pedestrian'"),
        ({"sky": "heaven"}, "no class is called 'heaven'.*'car'.*background, ignore"),
    ],
)
def test_a_mapping_must_name_what_there_is(given: dict[str, str], message: str) -> None:
    with pytest.raises(MappingError, match=message):
        TruthMapping.by_name(NAMES, VocabularyBuilder().build(["car"]), given)


def test_a_mapping_file(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("pedestrian: person\nsky: background\nkerb:\n", encoding="utf-8")
    assert read_mapping(file) == {"pedestrian": "person", "sky": "background", "kerb": "ignore"}


@pytest.mark.parametrize("text", ["", "- a\n", "a: [b, c]\n", "1: car\n", "a: {b"])
def test_a_file_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MappingError, match=r"mapping\.yaml"):
        read_mapping(file)
