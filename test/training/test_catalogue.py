"""The catalogue is complete, its words are unambiguous, and its shapes stand on the ground."""

import numpy as np
import pytest

from ovseg_ros.vocabulary import VocabularyBuilder
from training.catalogue import COLORS, KINDS, MODELS, Model, kind_of, label_names, label_of, models_of

BUILT = [model for model in MODELS if not isinstance(model.source, str)]


def test_labels_and_kinds_belong_together() -> None:
    assert len(KINDS) >= 30
    assert label_of("wall") == 1
    for label, name in label_names().items():
        assert label_of(name) == label
        assert kind_of(label).name == name


def test_every_word_belongs_to_one_kind() -> None:
    entries = ["; ".join(kind.words) for kind in KINDS]
    vocabulary = VocabularyBuilder().build(entries)  # refuses duplicates
    assert len(vocabulary.classes) == len(KINDS)


def test_every_thing_has_a_model_to_train_on_and_some_are_held_out() -> None:
    for kind in KINDS:
        if not kind.stuff:
            assert models_of(kind.name, for_test=False), kind.name
    held_out = [model for model in MODELS if model.held_out]
    assert len({model.kind for model in held_out}) >= 5
    for model in held_out:
        assert model not in models_of(model.kind, for_test=False)
        assert model in models_of(model.kind, for_test=True)


def test_models_name_known_kinds_and_colors() -> None:
    for model in MODELS:
        assert 1 <= label_of(model.kind) <= len(KINDS)
        assert 0 < model.heights[0] <= model.heights[1]
        assert model.own_color is None or model.own_color in {*COLORS, "wooden"}


@pytest.mark.parametrize("model", BUILT, ids=lambda model: model.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_shapes_stand_on_the_ground(model: Model, seed: int) -> None:
    assert not isinstance(model.source, str)
    parts = model.source(np.random.default_rng(seed))
    vertices = np.concatenate([part.mesh.vertices for part in parts])
    assert -0.05 <= vertices[:, 2].min() <= 0.36  # a window hangs, a car has wheels
    assert vertices[:, 2].max() > 0.02
    low = vertices[vertices[:, 2] < 2]  # where a camera could run into it; the arm of a street lamp is above
    reach = np.linalg.norm(low[:, :2], axis=1).max()
    tall = vertices[:, 2].max()
    assert reach < 2.0 * model.reach * (tall if model.scalable else model.heights[0])
