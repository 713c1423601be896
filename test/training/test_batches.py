"""A batch is a function of its number."""

import numpy as np
import pytest
import torch

from training.batches import BatchMaker, batches, merge, which_are_true
from training.caption import Caption, Seen
from training.dataset import PICTURE_SIDE, Pictures


def test_a_number_gives_one_batch(painted_pictures: Pictures) -> None:
    first, again = (BatchMaker(painted_pictures, 16, seed=3)[21] for _ in range(2))
    assert first.pictures.shape == (16, 3, PICTURE_SIDE, PICTURE_SIDE)
    assert first.pictures.dtype == torch.uint8
    assert torch.equal(first.pictures, again.pictures)
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.pictures, BatchMaker(painted_pictures, 16, seed=4)[21].pictures)
    assert not torch.equal(first.pictures, BatchMaker(painted_pictures, 16, seed=3)[22].pictures)


def test_an_epoch_shows_every_picture_once(painted_pictures: Pictures) -> None:
    shown: list[int] = []

    class Counting(Pictures):
        def decode(self, index: int) -> np.ndarray:
            shown.append(int(index))
            return super().decode(index)

    maker = BatchMaker(Counting(painted_pictures.encoded, painted_pictures.seen), 50, seed=0)
    for number in range(6):
        maker[number]
    assert sorted(shown) == list(range(300))
    first = shown.copy()
    shown.clear()
    for number in range(6, 12):
        maker[number]
    assert sorted(shown) == list(range(300))
    assert shown != first


def test_workers_change_nothing(painted_pictures: Pictures) -> None:
    maker = BatchMaker(painted_pictures, 8, seed=1)
    alone, together = (list(batches(maker, 5, 9, workers)) for workers in (0, 2))
    assert len(alone) == 4
    for a, b in zip(alone, together, strict=True):
        assert torch.equal(a.pictures, b.pictures)
        assert torch.equal(a.tokens, b.tokens)
        assert torch.equal(a.true, b.true)


def test_too_few_pictures_are_refused(painted_pictures: Pictures) -> None:
    with pytest.raises(ValueError, match="300 pictures are fewer than one batch of 301"):
        BatchMaker(painted_pictures, 301, seed=0)


def test_captions_are_true_of_every_picture_that_shows_what_they_say() -> None:
    captions = [
        Caption("red cube", frozenset({("cube", "red")})),
        Caption("cube", frozenset({("cube", None)})),
    ]
    seen = [[Seen("cube", "red", 0.2)], [Seen("cube", "blue", 0.2), Seen("floor", None, 0.5)]]
    assert which_are_true(captions, seen).tolist() == [[True, True], [False, True]]


def test_every_caption_is_true_of_its_own_picture(painted_pictures: Pictures) -> None:
    batch = BatchMaker(painted_pictures, 40, seed=0)[2]
    assert batch.true.diagonal().all()
    assert not batch.true.all()


def test_a_mosaic_shows_what_its_parts_show() -> None:
    red, blue = Seen("cube", "red", 0.2), Seen("cube", "blue", 0.1)
    floor = Seen("floor", None, 0.8)
    merged = merge([[floor, red], [floor], [floor, blue], [Seen("cube", "red", 0.6)]])
    assert [(entry.kind, entry.adjective) for entry in merged] == [
        ("floor", None),
        ("cube", "red"),
        ("cube", "blue"),
    ]
    assert [entry.share for entry in merged] == pytest.approx([0.6, 0.2, 0.025])


def test_mosaics_are_put_together_of_the_batchs_pictures(painted_pictures: Pictures) -> None:
    plain = BatchMaker(painted_pictures, 16, seed=3)[5]
    tiled = BatchMaker(painted_pictures, 16, seed=3, mosaics=1.0)[5]
    side = PICTURE_SIDE
    assert tiled.pictures.shape == (16, 3, 2 * side, 2 * side)
    for rows in (slice(0, side), slice(side, None)):
        for columns in (slice(0, side), slice(side, None)):
            corner = tiled.pictures[:, :, rows, columns]
            assert sorted(map(_sum, corner)) == sorted(map(_sum, plain.pictures))
    assert tiled.true.diagonal().all()
    assert tiled.true.sum() > plain.true.sum()


def _sum(picture: torch.Tensor) -> int:
    return int(picture.int().sum())
