"""Scenes follow from their seed, and no split shares an arrangement, a texture or a held-out shape."""

from collections.abc import Sequence

import pytest

from training.arrange import FAMILIES, make_scene, scene_split
from training.scene import SEEDS, SPLITS, Scene, SceneError, Split


@pytest.fixture(scope="module")
def scenes() -> dict[Split, list[Scene]]:
    """40 scenes of each split."""
    return {split: [make_scene(SEEDS[split].start + i) for i in range(40)] for split in SPLITS}


def test_a_seed_makes_one_scene() -> None:
    assert make_scene(7) == make_scene(7)
    assert make_scene(7) != make_scene(8)


def test_splits_share_no_seed() -> None:
    for split in SPLITS:
        for other in SPLITS:
            if split != other:
                assert not range(
                    max(SEEDS[split].start, SEEDS[other].start), min(SEEDS[split].stop, SEEDS[other].stop)
                )


def test_splits_share_no_arrangement(scenes: dict[Split, list[Scene]]) -> None:
    for split in SPLITS:
        assert {scene_split(scene.arrangement) for scene in scenes[split]} == {split}
    assert len({scene.arrangement for scene in scenes["train"]}) == 40


def _textures(scenes: Sequence[Scene]) -> set[tuple[str, int]]:
    return {(s.texture, s.texture_seed) for scene in scenes for s in scene.surfaces}


def test_test_textures_are_seen_nowhere_else(scenes: dict[Split, list[Scene]]) -> None:
    seen = _textures(scenes["train"]) | _textures(scenes["val"])
    assert not seen & _textures(scenes["test"])
    seeds = {thing.seed for scene in scenes["train"] + scenes["val"] for thing in scene.things}
    assert not seeds & {thing.seed for scene in scenes["test"] for thing in scene.things}


def test_held_out_shapes_stand_in_test_scenes_only(scenes: dict[Split, list[Scene]]) -> None:
    for split in SPLITS:
        held_out = [t for scene in scenes[split] for t in scene.things if t.model.held_out]
        assert bool(held_out) == (split == "test")


@pytest.mark.parametrize("family", FAMILIES)
def test_families_have_something_to_see(family: str) -> None:
    scene = make_scene(3, family)
    assert scene.family == family
    assert len(scene.things) >= 4
    assert (scene.sky is not None) == (family in ("yard", "street"))
    for thing in scene.things:
        assert thing.height > 0
        assert (thing.color is None) or (thing.adjective is not None)


def test_things_on_the_ground_do_not_stand_in_each_other() -> None:
    scene = make_scene(11, "yard")
    small = [t for t in scene.things if t.kind not in ("house", "fence")]
    for place, a in enumerate(small):
        for b in small[:place]:
            away = ((a.position[0] - b.position[0]) ** 2 + (a.position[1] - b.position[1]) ** 2) ** 0.5
            assert away > 0.8 * (a.model.reach * a.height + b.model.reach * b.height)


def test_foreign_seeds_and_families_are_refused() -> None:
    with pytest.raises(SceneError, match="belongs to no split"):
        make_scene(-1)
    with pytest.raises(SceneError, match="room, tabletop, yard, street"):
        make_scene(0, "forest")
