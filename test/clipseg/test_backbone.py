from typing import Any

import open_clip
import pytest
import torch

from ovseg_ros.clipseg.backbone import Backbone
from ovseg_ros.clipseg.errors import ModelError

VISION = {"image_size": 64, "patch_size": 16, "width": 64, "layers": 4, "head_width": 32}
TEXT = {"context_length": 16, "vocab_size": 512, "width": 32, "heads": 2, "layers": 1}

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "patch 14, layer scale, no pre-norm": {
        "patch_size": 14,
        "image_size": 56,
        "ls_init_value": 0.5,
        "no_ln_pre": True,
        "norm_kwargs": {"eps": 1e-6},
    },
    "patch 32": {"patch_size": 32},
    "sine positions, average pool": {"pos_embed_type": "sin_cos_2d", "pool_type": "avg"},
}


def make_clip(quick_gelu: bool = False, **vision: object) -> open_clip.CLIP:
    torch.manual_seed(0)
    return open_clip.CLIP(32, {**VISION, **vision}, TEXT, quick_gelu=quick_gelu).eval().requires_grad_(False)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("quick_gelu", [False, True])
def test_blocks_equal_open_clips_intermediates(variant: str, quick_gelu: bool) -> None:
    visual = make_clip(quick_gelu, **VARIANTS[variant]).visual
    images = torch.randn(2, 3, *visual.image_size)
    theirs = visual.forward_intermediates(
        images, output_fmt="NLC", intermediates_only=True, output_extra_tokens=True
    )
    mine = Backbone(visual).blocks(images, keep=(1, 2, 3))
    assert sorted(mine.tokens) == [1, 2, 3]
    for number, tokens in mine.tokens.items():
        torch.testing.assert_close(
            tokens[:, 1:], theirs["image_intermediates"][number - 1], rtol=0, atol=1e-6
        )
    torch.testing.assert_close(mine.last[:, :1], theirs["image_intermediates_prefix"][2], rtol=0, atol=1e-6)


def test_positional_embedding_is_the_models_own_at_its_own_grid() -> None:
    visual = make_clip().visual
    assert Backbone(visual).positional_embedding((4, 4)) is visual.positional_embedding


def test_positional_embedding_is_resized_as_open_clip_resizes_it() -> None:
    clip = make_clip()
    bigger = make_clip(image_size=112)
    state = {"visual.positional_embedding": clip.visual.positional_embedding}
    open_clip.model.resize_pos_embed(state, bigger)
    mine = Backbone(clip.visual).positional_embedding((7, 7))
    torch.testing.assert_close(mine, state["visual.positional_embedding"], rtol=0, atol=1e-6)


def test_positional_embedding_keeps_rows_and_columns_apart() -> None:
    visual = make_clip().visual
    with torch.no_grad():
        grid = torch.arange(4.0)[:, None, None].expand(4, 4, 64)  # grows from row to row
        visual.positional_embedding[1:] = grid.reshape(16, 64)
    resized = Backbone(visual).positional_embedding((6, 9))[1:].reshape(6, 9, 64)
    assert (resized.diff(dim=0) > 0).all()
    torch.testing.assert_close(resized.diff(dim=1), torch.zeros(6, 8, 64), rtol=0, atol=1e-5)


def test_positional_embeddings_are_kept_for_few_grids_only() -> None:
    backbone = Backbone(make_clip().visual)
    first = backbone.positional_embedding((5, 5))
    assert backbone.positional_embedding((5, 5)) is first
    for side in range(6, 40):
        backbone.positional_embedding((side, 5))
    assert len(backbone._positions) <= 16


def test_facts_of_the_tower() -> None:
    backbone = Backbone(make_clip().visual)
    assert (backbone.depth, backbone.width, backbone.heads) == (4, 64, 2)
    assert (backbone.patch, backbone.native_grid) == ((16, 16), (4, 4))


@pytest.mark.parametrize(
    ("vision", "word"),
    [
        ({"layers": [1, 1, 1, 1], "width": 16}, "ModifiedResNet"),
        ({"attentional_pool": True, "attn_pooler_heads": 2}, "CoCa"),
        ({"block_type": "custom", "qk_norm": True}, "multi-head"),
    ],
)
def test_other_towers_are_refused_by_name(vision: dict, word: str) -> None:
    visual = make_clip(**vision).visual
    with pytest.raises(ModelError, match=word):
        Backbone(visual)
