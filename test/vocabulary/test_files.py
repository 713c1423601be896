"""Vocabulary files: every form that is read, every fault that is named, and the files that ship."""

from pathlib import Path
from typing import Any

import pytest

from ovseg_ros.vocabulary import (
    Vocabulary,
    VocabularyBuilder,
    VocabularyError,
    build_vocabulary,
    shipped_vocabularies,
)
from ovseg_ros.vocabulary.config import VocabularyConfig


def of_file(source: Path | str, **given: Any) -> Vocabulary:
    return build_vocabulary(VocabularyConfig(file=str(source), **given), VocabularyBuilder())


def load(folder: Path, text: str, name: str = "words.yaml") -> Vocabulary:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return of_file(path)


def test_a_list_of_texts_is_a_vocabulary(tmp_path: Path) -> None:
    vocabulary = load(tmp_path, "- road\n- person; pedestrian\n")
    assert [cls.prompts for cls in vocabulary.classes] == [("road",), ("person", "pedestrian")]


def test_the_full_form(tmp_path: Path) -> None:
    vocabulary = load(
        tmp_path,
        """
        classes:
          - {name: road, id: 7, threshold: 0.4}
          - {name: person, synonyms: [pedestrian, walker]}
          - {name: car; van, synonyms: taxi}
          - tree; bush
        background: [sky, clouds]
        threshold: 0.2
        """,
    )
    assert [(cls.id, cls.prompts, cls.threshold) for cls in vocabulary.classes] == [
        (7, ("road",), 0.4),
        (1, ("person", "pedestrian", "walker"), None),
        (2, ("car", "van", "taxi"), None),
        (3, ("tree", "bush"), None),
    ]
    assert vocabulary.background == ("sky", "clouds")
    assert vocabulary.threshold == 0.2


def test_costs(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(
        "classes: [floor, {name: person, synonyms: [man], cost: 254}, {name: rug; mat, cost: 0}]\n"
        "default_cost: 90\n"
    )
    vocabulary = of_file(path)
    assert [cls.cost for cls in vocabulary.classes] == [None, 254, 0]
    assert [vocabulary.cost_of(cls) for cls in vocabulary.classes] == [90, 254, 0]
    own = of_file(path, costs=("Person: 200", "floor: 3"), default_cost=7)
    assert [cls.cost for cls in own.classes] == [3, 200, 0]
    assert own.default_cost == 7


def test_plain_text_has_a_class_a_line(tmp_path: Path) -> None:
    vocabulary = load(tmp_path, "\ufeff# streets\nroad\n\n  person; pedestrian \r\n", "words.txt")
    assert [cls.prompts for cls in vocabulary.classes] == [("road",), ("person", "pedestrian")]


def test_the_callers_background_and_threshold_go_before_the_files(tmp_path: Path) -> None:
    path = tmp_path / "words.yml"
    path.write_text("{classes: [road], background: [sky], threshold: 0.5}")
    own = of_file(path, background=("sea",), threshold=0.0)
    assert (own.background, own.threshold) == (("sea",), 0.0)
    assert of_file(path).background == ("sky",)
    assert of_file(path).threshold == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds None, expected a list of classes"),
        ("road", "holds 'road', expected a list of classes"),
        ("background: [sky]", "'classes' is None, expected a list"),
        ("classes: road", "'classes' is 'road', expected a list"),
        ("classes: [road]\nbackgrounds: [sky]", r"unknown key 'backgrounds' \(did you mean 'background'\?\)"),
        (
            "- {name: road, colour: red}",
            "class 1 has the unknown key 'colour', expected only: name, synonyms",
        ),
        ("- road\n- {synonyms: [street]}", "class 2 has None for a name or synonym"),
        ("- {name: road, synonyms: 3}", "class 1 has 3 for a name or synonym"),
        ("- road\n- yes", "class 2 is True .bool., expected text"),
        ("- road\n- 12", "class 2 is 12"),
        ("- {name: road, id: 255}", "id 255 of class 1 'road'"),
        ("- {name: road, threshold: high}", "threshold of class 'road' is 'high'"),
        ("classes: [road]\nthreshold: .nan", "the threshold is nan"),
        ("classes: [road]\nbackground: sky", "background is 'sky' .str., expected a list"),
        ("classes: []", "has no class"),
        ("- road\n- [a", "not valid YAML"),
        ("- 2024-13-45", "not valid YAML"),
        ("[" * 3000, "not valid YAML"),
        ("- road\n- !!python/object:os.system x", "not valid YAML"),
    ],
)
def test_faults_are_named_with_the_file(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(VocabularyError, match=message) as caught:
        load(tmp_path, text)
    assert str(tmp_path / "words.yaml") in str(caught.value)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "words.yaml"
    path.write_bytes(b"\xff\xfe\x00road")
    with pytest.raises(VocabularyError, match="cannot be read as UTF-8"):
        of_file(path)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(VocabularyError, match=r"has the suffix '\.jpg', expected \.yaml"):
        load(tmp_path, "- road", "picture.jpg")


@pytest.mark.parametrize("source", ["/no/such/file.yaml", " ", ".", "road, person " * 50, "a\0b.yaml"])
def test_a_source_that_is_not_there(source: str) -> None:
    with pytest.raises(
        VocabularyError, match=r"no vocabulary .*, expected a \.yaml.*shipped names: .*indoor"
    ):
        of_file(source)


def test_neither_words_nor_a_file() -> None:
    with pytest.raises(VocabularyError, match="there is no vocabulary: set"):
        of_file("")


def test_a_name_nearly_right_gets_a_hint() -> None:
    with pytest.raises(VocabularyError, match="did you mean 'warehouse'"):
        of_file("warehose")


def test_the_promised_vocabularies_ship() -> None:
    assert set(shipped_vocabularies()) >= {"indoor", "outdoor_driving", "off_road", "warehouse", "tabletop"}


@pytest.mark.parametrize("name", sorted(shipped_vocabularies()))
def test_shipped_vocabularies_load_and_are_of_use(name: str) -> None:
    vocabulary = of_file(name)
    assert 15 <= len(vocabulary.classes) <= 30
    assert len(vocabulary.background) >= 3
    assert shipped_vocabularies()[name].read_text(encoding="utf-8").startswith("# ")
    assert len({cls.color for cls in vocabulary.classes}) == len(vocabulary.classes)


def test_all_shipped_vocabularies_fit_into_one_node() -> None:
    builder = VocabularyBuilder()
    labels: dict[str, int] = {}
    for name in shipped_vocabularies():
        for cls in build_vocabulary(VocabularyConfig(file=name), builder).classes:
            assert labels.setdefault(cls.name, cls.id) == cls.id
    assert len(set(labels.values())) == len(labels)
