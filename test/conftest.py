"""Fixtures that every part of the tests uses, and the order of the run."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

GRAPH_TESTS = Path(__file__).parent / "node"

# `training` is not installed. Appended, so that an installed ovseg_ros comes before the sources.
sys.path.append(str(Path(__file__).parents[1]))

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 64, "layers": 12, "head_width": 32},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
"""A CLIP small enough to run anywhere: 12 blocks as the usual ones have, 16-pixel patches."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs no ROS graph comes first, because it is quick and says most."""
    items.sort(key=lambda item: item.path.is_relative_to(GRAPH_TESTS))


@pytest.fixture(autouse=True, scope="session")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Embeddings of random models stay out of the user's cache; child processes inherit it."""
    patch = pytest.MonkeyPatch()
    patch.setenv("OVSEG_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def save_model(folder: Path, config: dict, seed: int = 0) -> Path:
    """Write a model with random weights as open_clip's ``local-dir:`` has it."""
    import open_clip

    torch.manual_seed(seed)
    model = open_clip.CLIP(**config)
    with torch.no_grad():  # open_clip's own start leaves all images nearly alike; stronger attention does not
        for name, weight in model.named_parameters():
            if name.startswith("visual.") and name.endswith("attn.in_proj_weight"):
                weight.mul_(4)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(
        json.dumps(
            {
                "model_cfg": config,
                "preprocess_cfg": {"mean": [0.48, 0.46, 0.41], "std": [0.27, 0.26, 0.28]},
            }
        )
    )
    weights = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a tiny CLIP with other random weights, or another vision tower, and gives its folder."""

    def make(seed: int = 0, **vision: object) -> Path:
        config = {**TINY, "vision_cfg": vision or TINY["vision_cfg"]}
        return save_model(tmp_path / "other", config, seed)

    return make


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny CLIP with random weights, as `load_model` takes it."""
    return save_model(tmp_path_factory.mktemp("models") / "tiny", TINY)


@pytest.fixture(scope="session")
def photo_mini_dir() -> Path:
    """Folder of a small CLIP that knows photographs, where it lies beside the project."""
    return _beside("models/photo-mini")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of labelled photographs, where it lies beside the project."""
    return _beside("data")


def _beside(name: str) -> Path:
    folder = Path(__file__).resolve().parents[2] / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not beside the project")
    return folder


CLASSES = ("road", "sky", "red box")
COLORS = np.array([[90, 90, 90], [120, 180, 240], [220, 30, 30]], np.uint8)


def _write_dataset(folder: Path, count: int = 12, suffix: str = "jpg") -> list[np.ndarray]:
    """Frames, 64 x 48, of a red box that walks over a grey road below a blue sky; returns the true labels."""
    (folder / "images").mkdir(parents=True)
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
    all_labels = []
    for index in range(count):
        labels = np.zeros((48, 64), np.uint8)
        labels[:16] = 1
        left = index * 48 // max(1, count - 1)
        labels[24:36, left : left + 16] = 2
        labels[-2:] = 255
        image = COLORS[np.minimum(labels, 2)]
        cv2.imwrite(str(folder / "images" / f"frame{index + 1}.{suffix}"), image[..., ::-1])
        cv2.imwrite(str(folder / "labels" / f"frame{index + 1}.png"), labels)
        all_labels.append(labels)
    return all_labels


@pytest.fixture(scope="session")
def make_dataset() -> Callable[..., list[np.ndarray]]:
    """Writes a dataset folder: (folder, count, suffix) -> labels."""
    return _write_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset folder of twelve frames with the classes road, sky and red box."""
    _write_dataset(tmp_path / "dataset")
    return tmp_path / "dataset"
