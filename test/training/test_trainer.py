"""The loss is what it says, a step lowers it, and a run that stopped goes on to the bit."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from training.dataset import Pictures
from training.trainer import CHECKPOINT, Trainer, TrainingConfig, TrainingError, contrastive_loss

from .conftest import SMALL_MODEL

CPU = torch.device("cpu")
CONFIG = TrainingConfig(steps=40, batch=32, rate=3e-3, warm_up=4, patch_dropout=0.25)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_the_loss_is_clips_where_every_caption_is_true_of_its_own_alone() -> None:
    images, texts = (F.normalize(torch.randn(6, 4, dtype=torch.float64), dim=-1) for _ in range(2))
    logits = 7.0 * images @ texts.T
    place = torch.arange(6)
    expected = (F.cross_entropy(logits, place) + F.cross_entropy(logits.T, place)) / 2
    ours = contrastive_loss(images, texts, torch.tensor(7.0), torch.eye(6, dtype=torch.bool))
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)


def test_what_is_true_of_another_is_no_counter_example() -> None:
    """Caption 0 is true of picture 1: the pair is in neither softmax."""
    images, texts = (F.normalize(torch.randn(3, 4), dim=-1) for _ in range(2))
    true = torch.eye(3, dtype=torch.bool)
    true[1, 0] = True
    logits = 5.0 * images @ texts.T
    by_picture = [logits[0], logits[1, 1:], logits[2]]
    by_caption = [logits[[0, 2], 0], logits[:, 1], logits[:, 2]]
    expected = sum(
        part.logsumexp(0) - own
        for parts in (by_picture, by_caption)
        for part, own in zip(parts, logits.diagonal(), strict=True)
    )
    assert contrastive_loss(images, texts, torch.tensor(5.0), true).item() == pytest.approx(
        expected.item() / 6
    )


def test_steps_lower_the_loss(painted_pictures: Pictures) -> None:
    losses: list[float] = []
    trainer = Trainer(SMALL_MODEL, CONFIG, painted_pictures, CPU)
    trainer.run(40, 0, lambda step, loss: losses.append(loss))
    assert trainer.step == 40
    assert all(math.isfinite(loss) for loss in losses)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_one_step_lowers_the_loss_of_its_batch(painted_pictures: Pictures) -> None:
    torch.manual_seed(0)
    config = replace(CONFIG, patch_dropout=0.0, warm_up=1, rate=3e-4)
    trainer = Trainer(SMALL_MODEL, config, painted_pictures, CPU)
    batch = trainer._maker[0]
    before = trainer._take(batch)
    assert trainer._take(batch) < before


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_resumed_run_is_equal_to_the_bit(
    tmp_path: Path, painted_pictures: Pictures, bfloat16: bool
) -> None:
    config = replace(CONFIG, bfloat16=bfloat16, steps=14)
    whole: dict[int, float] = {}
    straight = Trainer(SMALL_MODEL, config, painted_pictures, CPU)
    straight.run(14, 0, whole.__setitem__)

    parts: dict[int, float] = {}
    first = Trainer(SMALL_MODEL, config, painted_pictures, CPU)
    first.run(5, 0, parts.__setitem__)
    first.save(tmp_path)
    torch.manual_seed(999)  # whatever another process has drawn
    second = Trainer(SMALL_MODEL, config, painted_pictures, CPU)
    second.resume(tmp_path)
    assert second.step == 5
    second.run(14, 0, parts.__setitem__)

    assert parts == whole
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_the_rate_rises_and_falls(painted_pictures: Pictures) -> None:
    trainer = Trainer(SMALL_MODEL, CONFIG, painted_pictures, CPU)
    rates = [trainer._rate(step) for step in range(41)]
    assert rates[0] == 0.25
    assert rates[3] == rates[4] == 1.0
    assert rates[40] == pytest.approx(0.01)
    assert rates[4:] == sorted(rates[4:], reverse=True)


def test_another_run_and_a_damaged_checkpoint_are_refused(tmp_path: Path, painted_pictures: Pictures) -> None:
    Trainer(SMALL_MODEL, CONFIG, painted_pictures, CPU).save(tmp_path)
    other = Trainer(SMALL_MODEL, replace(CONFIG, rate=1e-4), painted_pictures, CPU)
    with pytest.raises(TrainingError, match=r"run with config .*0\.003.*another --output"):
        other.resume(tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"no checkpoint")
    with pytest.raises(TrainingError, match="cannot be read"):
        other.resume(tmp_path)


def test_fewer_pictures_than_a_batch_are_refused(painted_pictures: Pictures) -> None:
    with pytest.raises(TrainingError, match="render more shards or take a smaller --batch"):
        Trainer(SMALL_MODEL, replace(CONFIG, batch=1000), painted_pictures, CPU)
