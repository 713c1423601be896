"""The model card that a training run writes; figures on test scenes are added by hand from `evaluate`."""

from training.catalogue import COLORS, KINDS
from training.tiny_clip import TUNING
from training.training import Trainer


def model_card(trainer: Trainer) -> str:
    """Markdown for the folder of the model."""
    settings, vision, text = trainer.settings, trainer.config["vision_cfg"], trainer.config["text_cfg"]
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
| Training | from random weights, {trainer.step} of {settings.steps} steps of {settings.batch} crops |
| Time | {minutes:.0f} min on {trainer.device.type} |
| CERA | {tuning}, chosen on validation scenes; `method.name: clipseg` takes them by itself |

It knows these kinds: {kinds}.
Colours: {", ".join(COLORS)}; and a few materials (wooden, brick, tile, stone).

Made by
```
python -m training.dataset --output PICTURES
python -m training.train --pictures PICTURES --output RUN \\
    --steps {settings.steps} --batch {settings.batch} --rate {settings.rate} \\
    --warm-up {settings.warm_up} --patch-dropout {settings.patch_dropout} \\
    --mosaics {settings.mosaics} --late-looks {settings.late_looks} --seed {settings.seed} \\
    --{"" if settings.bfloat16 else "no-"}bfloat16
```
"""
