"""`python -m training.train`: train ovseg-tiny on cached pictures and write it as a model folder."""

from ovseg_ros.clipseg import omp  # noqa: F401  # isort: skip  (before torch)

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer

from ovseg_ros.commands import console
from ovseg_ros.commands.generate import Expose, generated
from ovseg_ros.errors import OvsegError
from training.catalogue import COLORS, KINDS
from training.dataset import Pictures, load_pictures
from training.tiny_clip import MODEL_CONFIG, TUNING, export, tokenizer
from training.trainer import CHECKPOINT, Trainer, TrainingConfig, log
from training.zero_shot import measure

MODEL_FOLDER = "model"
"""Where below the output the model is written."""


@generated
def main(
    config: Annotated[TrainingConfig, Expose(defaults={"bfloat16": torch.cuda.is_available()})],
    output: Annotated[Path, typer.Option(help="Folder of the run; one that stopped is resumed.")],
    pictures: Annotated[Path, typer.Option(help="Folder of rendered shards (training.dataset).")],
    stop_after: Annotated[int, typer.Option(help="Stop at this step, to resume later; 0: at the end.")] = 0,
    measure_every: Annotated[int, typer.Option(help="Steps between figures on validation pictures.")] = 200,
    workers: Annotated[int, typer.Option(help="Processes that prepare batches; 0: none.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of torch on a CPU.")] = os.cpu_count() or 1,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto.")] = "auto",
) -> None:
    """Train a small CLIP on rendered pictures and their captions, with the contrastive loss alone."""
    torch.set_num_threads(threads)
    place = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    try:
        trainer = Trainer(MODEL_CONFIG, config, load_pictures(pictures, "train"), place)
        if (output / CHECKPOINT).exists():
            trainer.resume(output)
        validation = load_pictures(pictures, "val")
        _train(trainer, validation, output, stop_after or config.steps, measure_every, workers)
    except OvsegError as error:
        console.error(error)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        trainer.save(output)
        console.say(f"stopped at step {trainer.step}; the same command resumes from there")
        raise typer.Exit(130) from None


def _train(trainer: Trainer, val: Pictures, output: Path, until: int, every: int, workers: int) -> None:
    tokenize = tokenizer()
    recent: list[float] = []
    with console.progress_bar("steps") as progress:
        task = progress.add_task("training", total=trainer.config.steps, completed=trainer.step)

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
    export(trainer.model, trainer.architecture, output / MODEL_FOLDER, model_card(trainer))
    console.say(f"{output / MODEL_FOLDER}: written after step {trainer.step} of {trainer.config.steps}")


def model_card(trainer: Trainer) -> str:
    """Markdown for the folder of the model."""
    config = trainer.config
    vision, text = (trainer.architecture[tower] for tower in ("vision_cfg", "text_cfg"))
    parameters = sum(p.numel() for p in trainer.model.parameters()) / 1e6
    minutes = trainer.seconds / 60
    kinds = ", ".join(kind.name for kind in KINDS)
    tuning = ", ".join(f"{name} {value:g}" for name, value in TUNING.items())
    return f"""# ovseg-tiny

A small CLIP for the demonstration and the tests of ovseg_ros. It knows rendered scenes and nothing of the
real world: on a robot use ViT-B/16 or larger.

| | |
|---|---|
| Vision | ViT: {vision["layers"]} blocks, width {vision["width"]}, patch {vision["patch_size"]} |
| Input in training | crops of {vision["image_size"]} x {vision["image_size"]} pixels |
| Text | {text["layers"]} blocks, width {text["width"]}, context {text["context_length"]}, CLIP's tokens |
| Size | {parameters:.1f} million weights in half precision |
| Data | crops of scenes rendered by `training`, each with a caption of what is visible |
| Loss | symmetric contrastive loss on whole crops and captions; no pixel label, box or mask |
| Training | from random weights, {trainer.step} of {config.steps} steps of {config.batch} crops |
| Time | {minutes:.0f} min on {trainer.device.type} |
| CERA | {tuning}, chosen on validation scenes; `method.name: clipseg` uses them automatically |

It knows these kinds: {kinds}.
Colours: {", ".join(COLORS)}; and a few materials (wooden, brick, tile, stone).

Made by
```
python -m training.dataset --output PICTURES
python -m training.train --pictures PICTURES --output RUN \\
    --steps {config.steps} --batch {config.batch} --rate {config.rate} \\
    --warm-up {config.warm_up} --patch-dropout {config.patch_dropout} \\
    --mosaics {config.mosaics} --late-looks {config.late_looks} --seed {config.seed} \\
    --{"" if config.bfloat16 else "no-"}bfloat16
```
"""


if __name__ == "__main__":
    typer.run(main)
