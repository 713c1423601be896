"""`python -m training.train`: train ovseg-tiny on cached pictures and write it as a model folder."""

from ovseg_ros.clipseg import waiting  # noqa: F401  # isort: skip  (before torch)

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from ovseg_ros.commands.console import err, progress_bar
from ovseg_ros.errors import OvsegError
from training.card import model_card
from training.dataset import Pictures, load_pictures
from training.tiny_clip import MODEL_CONFIG, export, tokenizer
from training.training import CHECKPOINT, Settings, Trainer, log
from training.zero_shot import measure

MODEL_FOLDER = "model"
"""Where below the output the model is written."""


def main(
    output: Annotated[Path, typer.Option(help="Folder of the run; one that stopped goes on from there.")],
    pictures: Annotated[Path, typer.Option(help="Folder of rendered shards (training.dataset).")],
    steps: Annotated[int, typer.Option(help="Optimiser steps in all.")] = 6400,
    batch: Annotated[int, typer.Option(help="Pictures in a batch.")] = 256,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 1.5e-3,
    warm_up: Annotated[int, typer.Option(help="Steps over which the rate rises.")] = 200,
    patch_dropout: Annotated[float, typer.Option(help="Share of patches left out, on average.")] = 0.5,
    mosaics: Annotated[float, typer.Option(help="Share of steps on mosaics of four pictures.")] = 0.1,
    late_looks: Annotated[
        float, typer.Option(help="Share of steps in which the class token sees the patches late.")
    ] = 0.75,
    bfloat16: Annotated[
        bool, typer.Option(help="Compute in bfloat16; the default on CUDA, and faster on some CPUs.")
    ] = torch.cuda.is_available(),
    seed: Annotated[int, typer.Option(help="Of weights, order and wordings.")] = 0,
    stop_after: Annotated[int, typer.Option(help="Stop at this step, to go on later; 0: at the end.")] = 0,
    measure_every: Annotated[int, typer.Option(help="Steps between figures on validation pictures.")] = 200,
    workers: Annotated[int, typer.Option(help="Processes that prepare batches; 0: none.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of torch on a CPU.")] = os.cpu_count() or 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Train a small CLIP on rendered pictures and their captions, with the contrastive loss alone."""
    torch.set_num_threads(threads)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    settings = Settings(
        steps=steps,
        batch=batch,
        rate=rate,
        warm_up=warm_up,
        patch_dropout=patch_dropout,
        mosaics=mosaics,
        late_looks=late_looks,
        bfloat16=bfloat16,
        seed=seed,
    )
    try:
        trainer = Trainer(MODEL_CONFIG, settings, load_pictures(pictures, "train"), place)
        if (output / CHECKPOINT).exists():
            trainer.resume(output)
        _train(trainer, load_pictures(pictures, "val"), output, stop_after or steps, measure_every, workers)
    except OvsegError as error:
        err.print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        trainer.save(output)
        err.print(f"stopped at step {trainer.step}; the same command goes on from there", markup=False)
        raise typer.Exit(130) from None


def _train(trainer: Trainer, val: Pictures, output: Path, until: int, every: int, workers: int) -> None:
    settings, tokenize = trainer.settings, tokenizer()
    recent: list[float] = []
    with progress_bar("steps") as progress:
        task = progress.add_task("training", total=settings.steps, completed=trainer.step)

        def after(step: int, loss: float) -> None:
            recent.append(loss)
            progress.update(task, completed=step, description=f"loss {loss:.2f}")
            if step % every == 0 or step == until:
                figures = measure(trainer.model, tokenize, val, trainer.device)
                mean = sum(recent) / len(recent)
                log(output, {"step": step, "seconds": trainer.seconds, "loss": mean, **asdict(figures)})
                trainer.save(output)
                recent.clear()
                progress.console.print(
                    f"step {step}: loss {mean:.3f}, retrieval {figures.retrieval:.1f} % of 256, "
                    f"naming {figures.naming:.1f} %"
                )

        output.mkdir(parents=True, exist_ok=True)
        trainer.run(until, workers, after)
    export(trainer.model, trainer.config, output / MODEL_FOLDER, model_card(trainer))
    err.print(f"{output / MODEL_FOLDER}: written after step {trainer.step} of {settings.steps}", markup=False)


if __name__ == "__main__":
    typer.run(main)
