from dataclasses import fields

import pytest

from ovseg_ros.clipseg import METHODS, Method
from ovseg_ros.clipseg.methods import layers_of
from ovseg_ros.runs.ablation import variants


@pytest.mark.parametrize("depth", [3, 4, 12, 24, 32])
def test_every_variant_has_a_name_of_its_own_and_blocks_that_the_model_has(depth: int) -> None:
    found = variants(depth)
    assert found[0] == METHODS["clipseg"]
    assert len({method.name for method in found}) == len(found)
    for method in found:
        assert layers_of(method, depth).kept <= set(range(depth))


def test_variants_of_twelve_blocks() -> None:
    names = {method.name for method in variants(12)}
    assert {
        "neither CERA nor DSI", "CERA alone", "DSI alone", "M 4-7", "M 8-11", "M 4-11", "M 7-7", "D 6-8",
        "D 10-11", "D 6-11", "D 9-9", "lambda 0", "lambda 1", "gamma 10", "beta 1", "alpha 1",
        "reading logits", "reading identity", "reading sum", "DSI plain, alpha 1", "self term kk",
        "self term identity", "residual on", "MLP on", "residual and MLP on",
    } <= names  # fmt: skip
    assert not {"lambda 0.5", "gamma 3", "beta 1.1", "alpha 0.4", "reading mix", "M 6-9", "D 8-10"} & names


def test_a_variant_changes_one_thing() -> None:
    default, *others = variants(12)
    twofold = {"neither CERA nor DSI", "residual and MLP on"}
    for method in others:
        changed = [f.name for f in fields(Method) if getattr(method, f.name) != getattr(default, f.name)]
        assert len(changed) == (3 if method.name in twofold else 2), method.name  # its name is one of them
