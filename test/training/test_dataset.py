"""Shards are reproducible, come back as they were written, and say what their pictures show."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.arrange import make_scene
from training.dataset import (
    PICTURE_SIDE,
    Pictures,
    load_pictures,
    make_shard,
    save_shard,
    shard_path,
)
from training.scene import SceneError


def test_a_shard_comes_back_as_written(tmp_path: Path, painted_pictures: Pictures) -> None:
    save_shard(shard_path(tmp_path, "train", 0), painted_pictures)
    save_shard(shard_path(tmp_path, "train", 1), painted_pictures)
    loaded = load_pictures(tmp_path, "train")
    assert len(loaded) == 2 * len(painted_pictures)
    assert loaded.seen == painted_pictures.seen * 2
    np.testing.assert_array_equal(loaded.decode(301), painted_pictures.decode(1))
    assert not list(tmp_path.glob("*.tmp"))


def test_missing_and_damaged_shards_are_named(tmp_path: Path, painted_pictures: Pictures) -> None:
    with pytest.raises(SceneError, match=r"holds no val pictures.*training\.dataset"):
        load_pictures(tmp_path, "val")
    path = shard_path(tmp_path, "val", 3)
    save_shard(path, painted_pictures)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SceneError, match=r"val-00003\.npz is damaged"):
        load_pictures(tmp_path, "val")


def test_a_shard_follows_from_its_number(world: Any) -> None:
    first, again = (make_shard("train", 4, world, scenes=1) for _ in range(2))
    assert len(first) > 20
    assert first.seen == again.seen
    for a, b in zip(first.encoded, again.encoded, strict=True):
        np.testing.assert_array_equal(a, b)
    assert make_shard("train", 5, world, scenes=1).seen != first.seen


def test_pictures_show_what_their_scene_has(world: Any) -> None:
    pictures = make_shard("train", 9, world, scenes=1)
    scene = make_scene(9)
    has = {(instance.kind, instance.adjective) for instance in scene.instances} | {("sky", None)}
    for index in range(len(pictures)):
        assert pictures.decode(index).shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
        assert {(seen.kind, seen.adjective) for seen in pictures.seen[index]} <= has
        assert sum(seen.share for seen in pictures.seen[index]) <= 1 + 1e-9


def test_a_shard_beyond_the_seeds_is_refused(world: Any) -> None:
    with pytest.raises(SceneError, match="beyond the seeds"):
        make_shard("val", 100_000, world, scenes=1)
