"""`python -m training.evaluate MODEL`: zero-shot retrieval and mIoU on scenes never seen.

Choose settings on `--split val`; the figures to report are those of the test split.
"""

from ovseg_ros.clipseg import omp  # noqa: F401  # isort: skip  (before torch)

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.table import Table

from ovseg_ros.clipseg import METHODS, Method, MethodConfig, ModelConfig, Segmenter, load_model
from ovseg_ros.commands import console
from ovseg_ros.errors import OvsegError
from ovseg_ros.metrics import ConfusionMatrix, mean, per_class_iou, pixel_accuracy
from ovseg_ros.vocabulary import UNLABELLED_ID, VocabularyBuilder
from training.arrange import make_scene
from training.catalogue import KINDS, kind_of, label_names
from training.dataset import SHORT_SIDE, Pictures, make_shard
from training.render import RenderedFrame, choose_camera, render
from training.scene import SEEDS, SceneError, Split
from training.world import World
from training.zero_shot import ZeroShot, measure

_CROP_SCENES = 24
_COUNTED_FRAMES = 100
_FIRST_FRAME_SEED = 50_000
"""Offset from the first seed of a split, so that frames and crops are of different scenes."""


@dataclass(frozen=True)
class MethodScore:
    """One method's figures in percent: mean IoU over the kinds that occur, right pixels, IoU by kind."""

    mean_iou: float
    pixel_accuracy: float
    per_kind: dict[str, float]


def methods() -> dict[str, Method]:
    """The methods compared: the baselines, the method, and the method without one of its halves."""
    full = METHODS["clipseg"]
    return {
        **METHODS,
        "clipseg, CERA alone": replace(full, deep=None),
        "clipseg, DSI alone": replace(full, coherence=None),
        "clipseg, neither": replace(full, coherence=None, deep=None),
    }


def render_frames(split: Split, count: int) -> list[RenderedFrame]:
    """Frames of `count` scenes of a split, one of each."""
    frames: list[RenderedFrame] = []
    seed = SEEDS[split].start + _FIRST_FRAME_SEED
    with World() as world, console.progress_bar("frames") as progress:
        task = progress.add_task(f"rendering {split} frames", total=count)
        while len(frames) < count:
            scene, rng = make_scene(seed), np.random.default_rng([seed, 3])
            seed += 1
            try:
                camera = choose_camera(scene, rng)
            except SceneError:
                continue  # a scene so full that no camera fits
            world.load(scene)
            frames.append(render(world, scene, camera, rng))
            progress.update(task, advance=1)
    return frames


def most_seen(frames: Sequence[RenderedFrame], count: int) -> list[int]:
    """Labels of the `count` kinds that fill most of the frames."""
    pixels = np.sum([np.bincount(frame.labels.ravel(), minlength=256) for frame in frames], axis=0)
    return sorted(label_names(), key=lambda label: -int(pixels[label]))[:count]


def score(segmenter: Segmenter, frames: Sequence[RenderedFrame], words: Mapping[int, str]) -> MethodScore:
    """Segment frames and count against the truth; the pixels of kinds that are not asked for do not count.

    Args:
        segmenter: model, method and resolution.
        frames: with labels by `catalogue.label_of`.
        words: class entries by label.
    """
    vocabulary = VocabularyBuilder().build(list(words.values()), ids=list(words))
    classifier = segmenter.encode(vocabulary)
    matrix = ConfusionMatrix()
    asked_for = np.full(256, UNLABELLED_ID, np.uint8)
    asked_for[list(words)] = list(words)
    with console.progress_bar("frames") as progress:
        for frame in progress.track(frames, description=segmenter.method.name):
            matrix.update(asked_for[frame.labels], segmenter.segment(frame.color, classifier).labels)
    occurring = [label for label in label_names() if matrix.counts[label].sum()]
    ious = per_class_iou(matrix.counts, occurring)
    names = label_names()
    return MethodScore(
        100 * (mean(ious.values()) or 0.0),
        100 * (pixel_accuracy(matrix.counts) or 0.0),
        {names[label]: 100 * (iou or 0.0) for label, iou in ious.items()},
    )


def crops(split: Split) -> Pictures:
    """Crops for retrieval, of scenes of a split."""
    with World() as world:
        return make_shard(split, 0, world, scenes=_CROP_SCENES)


def main(
    model: Annotated[str, typer.Argument(help="A folder, or the name of a shipped model.")],
    split: Annotated[str, typer.Option(help="test, or val to choose settings on.")] = "test",
    frames: Annotated[int, typer.Option(min=1, help="Frames, each of a scene of its own.")] = 200,
    method: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    short_side: Annotated[
        int, typer.Option(help="Pixels of the short side as the model sees it.")
    ] = SHORT_SIDE,
    kinds: Annotated[
        int,
        typer.Option(
            min=2, max=len(KINDS), help="Ask for the N kinds alone that fill most of 100 validation frames."
        ),
    ] = len(KINDS),
    synonyms: Annotated[bool, typer.Option(help="Name every kind with its synonyms.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch; 0: torch's choice.")] = 0,
) -> None:
    """Print zero-shot retrieval and the mIoU of every method on scenes never seen in training."""
    if threads:
        torch.set_num_threads(threads)
    try:
        if split not in ("val", "test"):
            raise SceneError(f"split {split!r} is not for evaluation; expected test or val")
        chosen = methods()
        unknown = [name for name in method or [] if name not in chosen]
        if unknown:
            raise SceneError(f"method {unknown[0]!r} is not known; expected one of {', '.join(chosen)}")
        place: Split = "val" if split == "val" else "test"
        whole = load_model(ModelConfig(model), packed=False)
        zero_shot = measure(whole.clip, whole.tokenize, crops(place), whole.device)
        clip = load_model(ModelConfig(model))
        pictures = render_frames(place, frames)
        labels = list(label_names())
        if kinds < len(labels):
            labels = most_seen(render_frames("val", _COUNTED_FRAMES), kinds)
        words = {
            label: "; ".join(kind_of(label).words) if synonyms else kind_of(label).name for label in labels
        }
        results = {}
        for name in method or chosen:
            tuned = chosen[name].tuned(clip.tuning)
            segmenter = Segmenter(clip, MethodConfig(short_side=short_side), method=tuned)
            results[name] = score(segmenter, pictures, words)
    except OvsegError as error:
        console.error(error)
        raise typer.Exit(1) from error
    _print(results, zero_shot, split, frames, kinds)
    if json_file is not None:
        _write(json_file, results, zero_shot, split, frames, short_side)


def _print(results: dict[str, MethodScore], zero_shot: ZeroShot, split: str, frames: int, kinds: int) -> None:
    classes = len(next(iter(results.values())).per_kind)
    title = f"{frames} frames, {classes} kinds that occur of {kinds} asked for"
    console.out.print(
        f"{split} split. Retrieval of one crop of 256 by its caption: {zero_shot.retrieval:.1f} % first, "
        f"{zero_shot.retrieval_5:.1f} % in five. Naming the kind that fills a crop: {zero_shot.naming:.1f} %"
    )
    table = Table("method", title=title)
    table.add_column("mIoU", justify="right")
    table.add_column("pixel accuracy", justify="right")
    for name, result in results.items():
        table.add_row(name, f"{result.mean_iou:.1f}", f"{result.pixel_accuracy:.1f} %")
    console.out.print(table)
    best = max(results, key=lambda name: results[name].mean_iou)
    by_iou = sorted(results[best].per_kind.items(), key=lambda entry: -entry[1])
    console.out.print(f"IoU by kind, {best}: " + ", ".join(f"{kind} {iou:.0f}" for kind, iou in by_iou))


def _write(
    path: Path, results: dict[str, MethodScore], zero_shot: ZeroShot, split: str, frames: int, short_side: int
) -> None:
    content = {
        "split": split,
        "frames": frames,
        "short_side": short_side,
        "zero_shot": asdict(zero_shot),
        "methods": {name: asdict(result) for name, result in results.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
