"""The cached pictures for training: crops of rendered frames, each with the words for what it shows.

`python -m training.dataset --output DIR` renders them. A shard depends on nothing but its number, so
the work can stop, go on and run on any number of processes, and the same shards come out.

A crop carries no label image, box or mask: only its pixels and what is seen in it as words.
"""

import json
import multiprocessing
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile

import cv2
import numpy as np
import typer

from ovseg_ros.commands import console
from ovseg_ros.errors import OvsegError
from training.arrange import make_scene
from training.caption import Seen, what_is_seen
from training.render import RenderedFrame, choose_camera, render
from training.scene import SEEDS, SPLITS, SceneError, Split
from training.world import World

PICTURE_SIDE = 112
"""Pixels of a crop's side as it is kept; a model may see it smaller."""

SHORT_SIDE = 336
"""Short side of a frame at the scale of most crops: a third of it is one crop."""

SCENES_PER_SHARD = 50
VIEWS_PER_SCENE = 6
CROPS_PER_VIEW = 8
"""Of which `RARE_PER_VIEW` are chosen for their words and the rest by chance."""
RARE_PER_VIEW = 5
CANDIDATES_PER_VIEW = 24

_SCALES = (0.5, 0.75, 0.75, 1.0, 1.0, 1.0, 1.5, 2.5)
"""Sides of crops in units of `PICTURE_SIDE` at the scale of use."""

_QUALITY = 85


@dataclass(frozen=True)
class Pictures:
    """Crops with their words.

    Attributes:
        encoded: WebP files, RGB [PICTURE_SIDE, PICTURE_SIDE, 3] once decoded.
        seen: for each picture what it shows, the largest first.
    """

    encoded: list[np.ndarray]
    seen: list[list[Seen]]

    def __len__(self) -> int:
        return len(self.encoded)

    def decode(self, index: int) -> np.ndarray:
        """One picture, uint8 RGB [PICTURE_SIDE, PICTURE_SIDE, 3]."""
        picture = cv2.imdecode(self.encoded[index], cv2.IMREAD_COLOR)
        assert picture is not None  # written by `make_shard`
        return np.ascontiguousarray(picture[..., ::-1])


def make_shard(split: Split, number: int, world: World, scenes: int = SCENES_PER_SHARD) -> Pictures:
    """Render one shard.

    Of many crops of a frame, cut anywhere, some are kept whose words the shard has least of, so that walls
    and lawns do not crowd out everything else, and some by chance, so that walls and lawns are seen alone.
    """
    encoded: list[np.ndarray] = []
    words: list[list[Seen]] = []
    counts: Counter[str] = Counter()
    first = SEEDS[split].start + number * scenes
    for seed in range(first, first + scenes):
        if seed not in SEEDS[split]:
            raise SceneError(f"shard {number} of {split} goes beyond the seeds of that split")
        scene = make_scene(seed)
        world.load(scene)
        for view in range(VIEWS_PER_SCENE):
            rng = np.random.default_rng([seed, view, 1])
            try:
                camera = choose_camera(scene, rng)
            except SceneError:
                break
            frame = render(world, scene, camera, rng)
            for area, seen in _choose_crops(frame, counts, rng):
                encoded.append(_cut(frame.color, area))
                words.append(seen)
    return Pictures(encoded, words)


def _choose_crops(
    frame: RenderedFrame, counts: Counter[str], rng: np.random.Generator
) -> list[tuple[tuple[int, int, int, int], list[Seen]]]:
    height, width = frame.labels.shape
    unit = PICTURE_SIDE * min(height, width) / SHORT_SIDE
    candidates: list[tuple[tuple[int, int, int, int], list[Seen]]] = []
    while len(candidates) < CANDIDATES_PER_VIEW:
        side = min(height, width, round(unit * _SCALES[rng.integers(len(_SCALES))]))
        area = (int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1)), side, side)
        if seen := what_is_seen(frame, area):
            candidates.append((area, seen))
    chosen = candidates[: CROPS_PER_VIEW - RARE_PER_VIEW]
    others = candidates[CROPS_PER_VIEW - RARE_PER_VIEW :]
    for _ in range(RARE_PER_VIEW):
        rarest = min(others, key=lambda candidate: min(counts[seen.kind] for seen in candidate[1]))
        others.remove(rarest)
        chosen.append(rarest)
        counts.update(seen.kind for seen in rarest[1])
    return chosen


def _cut(color: np.ndarray, area: tuple[int, int, int, int]) -> np.ndarray:
    left, top, width, height = area
    crop = color[top : top + height, left : left + width]
    shrinks = width >= PICTURE_SIDE
    crop = cv2.resize(
        crop, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    )
    _, data = cv2.imencode(".webp", crop[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
    return np.asarray(data).ravel()


def shard_path(folder: Path, split: Split, number: int) -> Path:
    """Where a shard lies."""
    return folder / f"{split}-{number:05d}.npz"


def save_shard(path: Path, pictures: Pictures) -> None:
    """Write a shard atomically, so that no half of one is ever read."""
    words = json.dumps([[(s.kind, s.adjective, round(s.share, 4)) for s in seen] for seen in pictures.seen])
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        np.savez(
            file,
            encoded=np.concatenate(pictures.encoded),
            sizes=np.array([len(picture) for picture in pictures.encoded]),
            words=np.array(words),
        )
    os.replace(file.name, path)


def load_pictures(folder: Path, split: Split) -> Pictures:
    """All shards of a split, in the order of their numbers.

    Raises:
        SceneError: there is none, or one is damaged.
    """
    paths = sorted(folder.glob(f"{split}-*.npz"))
    if not paths:
        raise SceneError(
            f"{folder} holds no {split} pictures; render them with "
            f"`python -m training.dataset --output {folder}`"
        )
    encoded: list[np.ndarray] = []
    words: list[list[Seen]] = []
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as shard:
                ends = np.cumsum(shard["sizes"])[:-1]
                encoded += np.split(shard["encoded"], ends)
                words += [[Seen(*entry) for entry in seen] for seen in json.loads(str(shard["words"]))]
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise SceneError(f"{path} is damaged ({error}); delete it and render it again") from error
    return Pictures(encoded, words)


def _render_shard(job: tuple[Path, Split, int]) -> int:
    folder, split, number = job
    # A client of its own per shard: what pybullet does not free goes with it.
    with World() as world:
        pictures = make_shard(split, number, world)
    save_shard(shard_path(folder, split, number), pictures)
    return len(pictures)


def render_shards(folder: Path, wanted: Sequence[tuple[Split, int]], workers: int) -> None:
    """Render those shards that are not there yet, with a progress bar."""
    jobs = [
        (folder, split, number) for split, number in wanted if not shard_path(folder, split, number).exists()
    ]
    with console.progress_bar("pictures") as progress:
        task = progress.add_task(
            "rendering", total=len(jobs) * SCENES_PER_SHARD * VIEWS_PER_SCENE * CROPS_PER_VIEW
        )
        context = multiprocessing.get_context("spawn")
        with context.Pool(workers, maxtasksperchild=1) as pool:
            for count in pool.imap_unordered(_render_shard, jobs):
                progress.update(task, advance=count)


def main(
    output: Annotated[Path, typer.Option(help="Folder for the shards; those that are there stay.")],
    train: Annotated[int, typer.Option(help="Shards for training, of about 2,400 pictures each.")] = 40,
    val: Annotated[int, typer.Option(help="Shards for validation.")] = 2,
    workers: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Render the pictures that the training reads."""
    wanted: list[tuple[Split, int]] = [("val", number) for number in range(val)]
    wanted += [("train", number) for number in range(train)]
    try:
        render_shards(output, wanted, workers)
        totals = {
            split: len(load_pictures(output, split)) for split in SPLITS if list(output.glob(f"{split}-*"))
        }
    except OvsegError as error:
        console.error(error)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        console.say("stopped; the same command renders the shards that are missing")
        raise typer.Exit(130) from None
    console.say(f"{output}: " + ", ".join(f"{count} {split} pictures" for split, count in totals.items()))


if __name__ == "__main__":
    typer.run(main)
