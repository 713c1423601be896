"""The model is as large as promised, and what is exported is what was trained."""

from pathlib import Path

import pytest
import torch

from ovseg_ros.clipseg import ModelConfig, Segmenter, load_model
from ovseg_ros.clipseg.backbone import Backbone
from training.dataset import PICTURE_SIDE, Pictures
from training.tiny_clip import (
    CONTEXT,
    MODEL_CONFIG,
    PREPROCESS,
    _embed,
    build,
    encode_pictures,
    export,
    prepare,
    tokenizer,
)
from training.trainer import Trainer, TrainingConfig

from .conftest import SMALL_MODEL


def test_ovseg_tiny_has_twelve_blocks_and_fits_in_20_megabytes() -> None:
    model = build(MODEL_CONFIG)
    assert len(model.visual.transformer.resblocks) == 12
    assert 2 * sum(p.numel() for p in model.state_dict().values()) < 20e6


def test_an_exported_model_loads_and_says_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = build(SMALL_MODEL, patch_dropout=0.5).eval()
    export(model, SMALL_MODEL, tmp_path / "model", "# A card\n")
    loaded = load_model(ModelConfig(str(tmp_path / "model"), device="cpu"), packed=False)
    assert loaded.context_length == CONTEXT
    assert (tmp_path / "model" / "README.md").read_text() == "# A card\n"
    pictures = torch.randint(0, 255, (2, 3, PICTURE_SIDE, PICTURE_SIDE), dtype=torch.uint8)
    tokens = tokenizer()(["a red cube", "grass"])
    assert torch.equal(tokens, loaded.tokenize(["a red cube", "grass"]))
    with torch.inference_mode():
        for ours, theirs in (
            (
                model.encode_image(prepare(pictures, model.visual.image_size)),
                loaded.clip.encode_image(prepare(pictures, model.visual.image_size)),
            ),
            (model.encode_text(tokens), loaded.clip.encode_text(tokens)),
        ):
            torch.testing.assert_close(ours, theirs, rtol=5e-3, atol=5e-3)  # half precision in between


def test_the_engine_takes_the_trained_shape(tmp_path: Path) -> None:
    """All of ovseg-tiny's layers are within reach of the method's default settings."""
    export(build(MODEL_CONFIG), MODEL_CONFIG, tmp_path, "")
    segmenter = Segmenter(load_model(ModelConfig(str(tmp_path), device="cpu")))
    assert segmenter.model.backbone.depth == 12
    assert segmenter.model.backbone.patch == (16, 16)


def test_pictures_reach_the_model_in_its_size_and_normalisation() -> None:
    model = build(SMALL_MODEL)
    white = torch.full((1, 3, PICTURE_SIDE, PICTURE_SIDE), 255, dtype=torch.uint8)
    prepared = prepare(white, model.visual.image_size)
    assert prepared.shape == (1, 3, 96, 96)
    expected = (1 - torch.tensor(PREPROCESS["mean"])) / torch.tensor(PREPROCESS["std"])
    torch.testing.assert_close(prepared.amax(dim=(0, 2, 3)), expected)
    torch.testing.assert_close(prepared.amin(dim=(0, 2, 3)), expected)


@torch.inference_mode()
def test_a_class_token_that_never_looks_knows_nothing() -> None:
    torch.manual_seed(0)
    model = build(SMALL_MODEL).eval()
    pixels = prepare(torch.randint(0, 255, (2, 3, 96, 96), dtype=torch.uint8), model.visual.image_size)
    ordinary = model.encode_image(pixels, normalize=True)
    torch.testing.assert_close(encode_pictures(model, pixels, 0), ordinary)
    never = encode_pictures(model, pixels, 2)
    torch.testing.assert_close(never[0], never[1])
    late = encode_pictures(model, pixels, 1)
    assert (late[0] - late[1]).abs().max() > 1e-3
    assert (late - ordinary).abs().max() > 1e-3


@torch.inference_mode()
def test_other_grids_are_trained_as_the_engine_sees_them() -> None:
    model = build(SMALL_MODEL).eval()
    rows, columns = model.visual.grid_size
    pixels = torch.randn(2, 3, 2 * rows * 24, 3 * columns * 24)
    ours = model.visual.ln_pre(_embed(model.visual, pixels))
    torch.testing.assert_close(ours, Backbone(model.visual).embed(pixels))


@pytest.mark.parametrize(("tiles", "most"), [(1, 36), (2, 72)])
def test_a_mosaic_keeps_twice_as_many_patches(tiles: int, most: int, painted_pictures: Pictures) -> None:
    trainer = Trainer(SMALL_MODEL, TrainingConfig(steps=1, batch=8), painted_pictures, torch.device("cpu"))
    patches = torch.zeros(1, 1 + 36 * tiles**2, 1)
    trainer.model.train()
    counts = []
    for _ in range(200):
        trainer._drop_patches(tiles)
        counts.append(trainer.model.visual.patch_dropout(patches).shape[1] - 1)
    assert 0.1 * most - 1 <= min(counts) < 0.2 * most
    assert 0.9 * most < max(counts) <= most


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_late_looks_are_drawn_from_the_last_quarter(share: float, painted_pictures: Pictures) -> None:
    config = {**SMALL_MODEL, "vision_cfg": {**SMALL_MODEL["vision_cfg"], "layers": 12}}
    trainer = Trainer(
        config, TrainingConfig(steps=1, batch=8, late_looks=share), painted_pictures, torch.device("cpu")
    )
    drawn = {trainer._draw_first_look() for _ in range(60)}
    assert drawn == ({9, 10, 11} if share else {0})
