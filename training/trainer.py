"""Contrastive training of a small CLIP from random weights, resumed exactly where it stopped."""

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from open_clip.model import CLIP
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR

from ovseg_ros.config import option
from ovseg_ros.errors import OvsegError
from training.batches import BatchMaker, TrainingBatch, batches
from training.dataset import PICTURE_SIDE, Pictures
from training.tiny_clip import build, encode_pictures, prepare

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class TrainingError(OvsegError):
    """A training run cannot start, or cannot go on from where it stopped."""


@dataclass(frozen=True)
class TrainingConfig:
    """What decides the outcome of a run; a run is resumed only with the configuration that it began with."""

    steps: int = option(6400, "Optimizer steps in all.", bounds=(1, math.inf))
    batch: int = option(256, "Pictures in a batch.", bounds=(2, math.inf))
    rate: float = option(1.5e-3, "Highest learning rate; a cosine takes it to 1 % at the end.", bounds=(0, 1))
    warm_up: int = option(200, "Steps over which the learning rate rises.", bounds=(1, math.inf))
    weight_decay: float = option(0.1, "Weight decay, on matrices.", bounds=(0, 1))
    patch_dropout: float = option(
        0.5,
        "Share of the patches left out of each picture, on average over the steps; a step draws up to twice "
        "as many, so that the model sees few patches and all of them.",
        bounds=(0, 1),
    )
    mosaics: float = option(0.1, "Share of steps on mosaics of four pictures.", bounds=(0, 1))
    late_looks: float = option(
        0.75,
        "Share of steps in which the class token sees the patches in the last blocks alone.",
        bounds=(0, 1),
    )
    bfloat16: bool = option(
        False,
        "Forward pass in bfloat16 where torch finds it safe; faster on CUDA and on some CPUs.",
        flags="--bfloat16/--no-bfloat16",
    )
    seed: int = option(0, "Of weights, order and captions.", bounds=(0, math.inf))


def contrastive_loss(
    images: Float[Tensor, "b e"], texts: Float[Tensor, "b e"], scale: Tensor, true: Bool[Tensor, "b b"]
) -> Tensor:
    """The symmetric contrastive loss of CLIP on embeddings of length 1.

    A caption that is true of another's picture too is no counter-example there: such a pair is left out.
    """
    others = true & ~torch.eye(len(true), dtype=torch.bool, device=true.device)
    logits = (scale * images @ texts.T).masked_fill(others, -math.inf)
    place = torch.arange(len(true), device=true.device)
    return (F.cross_entropy(logits, place) + F.cross_entropy(logits.T, place)) / 2


class Trainer:
    """Model, optimizers and progress of a run.

    Args:
        architecture: as `tiny_clip.MODEL_CONFIG`.
        config: of the run.
        pictures: those to train on.
        device: where to train.

    Raises:
        TrainingError: fewer pictures than one batch.
    """

    def __init__(
        self, architecture: dict[str, Any], config: TrainingConfig, pictures: Pictures, device: torch.device
    ) -> None:
        self.architecture = architecture
        self.config = config
        self.device = device
        self.step = 0
        self.seconds = 0.0
        torch.manual_seed(config.seed)
        self.model: CLIP = build(architecture, config.patch_dropout).to(device)
        try:
            self._maker = BatchMaker(pictures, config.batch, config.seed, config.mosaics)
        except ValueError as error:
            raise TrainingError(f"{error}; render more shards or take a smaller --batch") from error
        self._optimizers = _optimizers(self.model, config)
        self._schedules = [LambdaLR(optimizer, self._rate) for optimizer in self._optimizers]

    def run(self, until: int, workers: int, after: Callable[[int, float], None]) -> None:
        """Take steps up to step `until`, calling `after(step, loss)` after each.

        Args:
            until: number of the last step.
            workers: processes that prepare batches; 0: this one.
            after: called after each step.
        """
        for batch in batches(self._maker, self.step, until, workers):
            start = time.perf_counter()
            loss = self._take(batch.to(self.device))
            self.step += 1
            self.seconds += time.perf_counter() - start
            after(self.step, loss)

    def _take(self, batch: TrainingBatch) -> float:
        self.model.train()
        tiles = batch.pictures.shape[-1] // PICTURE_SIDE
        self._drop_patches(tiles)
        height, width = self.model.visual.image_size
        # The fused attention of torch is several times slower than the plain one on so few tokens on a CPU.
        with (
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.bfloat16),
            sdpa_kernel(SDPBackend.MATH) if self.device.type == "cpu" else nullcontext(),
        ):
            pixels = prepare(batch.pictures, (tiles * height, tiles * width))
            images = encode_pictures(self.model, pixels, self._draw_first_look())
            texts = self.model.encode_text(batch.tokens, normalize=True)
        loss = contrastive_loss(images.float(), texts.float(), self.model.logit_scale.exp(), batch.true)
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            self.model.logit_scale.clamp_(0, math.log(100))
        return float(loss.detach())

    def _drop_patches(self, tiles: int) -> None:
        """Draw the share of patches to leave out of this step's pictures; a mosaic keeps twice as many."""
        kept = 1 - min(0.9, 2 * self.config.patch_dropout) * float(torch.rand(()))
        self.model.visual.patch_dropout.prob = 1 - kept * (1 if tiles == 1 else 2 / tiles**2)

    def _draw_first_look(self) -> int:
        """Block from which on the class token sees the patches: the first, or one of the last few."""
        if float(torch.rand(())) >= self.config.late_looks:
            return 0
        depth = len(self.model.visual.transformer.resblocks)
        return depth - 1 - int(torch.randint(max(1, depth // 4), ()))

    def _rate(self, step: int) -> float:
        if step < self.config.warm_up:
            return (step + 1) / self.config.warm_up
        done = (step - self.config.warm_up) / max(1, self.config.steps - self.config.warm_up)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def save(self, folder: Path) -> None:
        """Write everything that resuming exactly needs, atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "config": asdict(self.config),
            "architecture": self.architecture,
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "schedules": [schedule.state_dict() for schedule in self._schedules],
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        temporary = folder / f"{CHECKPOINT}.tmp"
        torch.save(state, temporary)
        os.replace(temporary, folder / CHECKPOINT)

    def resume(self, folder: Path) -> None:
        """Resume from a folder's checkpoint.

        Raises:
            TrainingError: it cannot be read, or is of a run with other config.
        """
        path = folder / CHECKPOINT
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises nearly anything on a damaged file
            raise TrainingError(f"{path} cannot be read: {error}; delete it to start again") from error
        for name, given in (("config", asdict(self.config)), ("architecture", self.architecture)):
            if state.get(name) != given:
                raise TrainingError(
                    f"{path} is of a run with {name} {json.dumps(state.get(name))}, not {json.dumps(given)}; "
                    "give the same options, or another --output"
                )
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for schedule, kept in zip(self._schedules, state["schedules"], strict=True):
            schedule.load_state_dict(kept)
        self.step, self.seconds = state["step"], state["seconds"]
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda" and state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])


def _optimizers(model: CLIP, config: TrainingConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, AdamW for everything else.

    Muon (Jordan et al. 2024) makes the singular values of an update alike; scaled to the size of AdamW's
    updates (Liu et al. 2025) it takes AdamW's rate and weight decay.
    """
    towers = (model.visual.transformer, model.transformer)
    hidden = [p for tower in towers for p in tower.parameters() if p.ndim == 2]
    known = {id(p) for p in hidden}
    others = [p for p in model.parameters() if id(p) not in known]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [
        Muon(hidden, lr=config.rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw"),
        AdamW(groups, lr=config.rate, betas=(0.9, 0.98), eps=1e-6, fused=True),
    ]


def log(folder: Path, entry: dict[str, float]) -> None:
    """Add a line of figures to the run's log."""
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
