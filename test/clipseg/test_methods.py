import dataclasses
from dataclasses import replace

import pytest

from ovseg_ros.clipseg import METHODS, Coherence, Deep, Method, MethodConfig, ModelError
from ovseg_ros.clipseg.baselines.gem import ParallelPath
from ovseg_ros.clipseg.baselines.resclip import CrossCorrelation
from ovseg_ros.clipseg.methods import find_method, layers_of
from ovseg_ros.config import options_of


@pytest.mark.parametrize(
    ("depth", "coherence", "deep"),
    [(12, (6, 9), (8, 10)), (24, (11, 16), (17, 22)), (32, (16, 24), (22, 28))],
)
def test_layers_follow_the_models_depth(depth: int, coherence: tuple, deep: tuple) -> None:
    method = METHODS["clipseg"]
    assert layers_of(method, depth).coherence == tuple(range(coherence[0], coherence[1] + 1))
    assert layers_of(method, depth).deep == tuple(range(deep[0], deep[1] + 1))


@pytest.mark.parametrize("depth", range(2, 50))
def test_every_depth_has_layers_before_the_last_block(depth: int) -> None:
    for layers in (layers_of(METHODS["clipseg"], depth).coherence, layers_of(METHODS["clipseg"], depth).deep):
        assert layers
        assert min(layers) >= 1
        assert max(layers) < depth


@pytest.mark.parametrize("depth", range(2, 50))
@pytest.mark.parametrize("name", METHODS)
def test_every_method_keeps_blocks_that_the_model_has(name: str, depth: int) -> None:
    kept = layers_of(METHODS[name], depth).kept
    assert kept <= set(range(depth))


def test_kept_blocks_of_twelve() -> None:
    kept = {name: sorted(layers_of(method, 12).kept) for name, method in METHODS.items()}
    assert kept == {
        "vanilla": [],
        "maskclip": [],
        "clearclip": [],
        "sclip": [],
        "naclip": [],
        "gem": [6, 7, 8, 9, 10, 11],
        "resclip": [5, 6, 7, 8],
        "scclip": [4, 5, 6, 7, 8, 9, 10],
        "rfclip": [0],
        "clipseg": [6, 7, 8, 9, 10],
    }


def test_layers_outside_the_model_are_refused() -> None:
    method = replace(METHODS["clipseg"], deep=Deep(layers=(20, 22)))
    with pytest.raises(ModelError, match=r"deep layers 20-22 .* 12 blocks"):
        layers_of(method, 12)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"self_term": "zz"}, "self term"),
        ({"coherence": Coherence(reading="zz")}, "reading"),
        ({"coherence": Coherence(lam=1.5)}, "lam"),
        ({"coherence": Coherence(), "cls": True}, "CERA"),
        ({"deep": Deep(kind="zz")}, "integration"),
        ({"cross": CrossCorrelation()}, "class token"),
        ({"cross": CrossCorrelation(lam=2.0), "cls": True}, "lam"),
        ({"rule": ParallelPath(), "residual": True}, "at their defaults"),
        ({"rule": ParallelPath(), "self_term": "kk"}, "at their defaults"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict, word: str) -> None:
    with pytest.raises(ModelError, match=word):
        Method("m", **settings)


def test_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(ModelError, match="clipseg"):
        find_method("nothing")


def test_methods_are_frozen_and_named_after_their_keys() -> None:
    for name, method in METHODS.items():
        assert method.name == name
        with pytest.raises(dataclasses.FrozenInstanceError):
            method.name = "other"


def test_a_model_may_bring_numbers_of_cera_and_dsi() -> None:
    default = METHODS["clipseg"]
    tuned = default.tuned({"gamma": 20.0, "lam": 0.75, "alpha": 0.7})
    assert tuned.coherence == Coherence(gamma=20.0, lam=0.75)
    assert tuned.deep == Deep(alpha=0.7)
    assert default.tuned({}) == default
    halves = replace(default, deep=None)
    assert halves.tuned({"alpha": 0.7}) == halves
    for name in set(METHODS) - {"clipseg"}:
        assert METHODS[name].tuned({"gamma": 20.0}) == METHODS[name]


def test_the_configuration_offers_every_method() -> None:
    assert set(options_of(MethodConfig)["name"].choices) == set(METHODS)
