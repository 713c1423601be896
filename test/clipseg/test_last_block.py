import copy

import open_clip
import pytest
import torch

from ovseg_ros.clipseg.attention import READINGS
from ovseg_ros.clipseg.backbone import Backbone
from ovseg_ros.clipseg.last_block import dense_features, last_block
from ovseg_ros.clipseg.methods import METHODS, Coherence, Deep, Method

from . import twin
from .test_backbone import VARIANTS, make_clip

CERA = {"coherence": Coherence(), "self_term": "kk"}

CHOOSING = {"scclip", "rfclip"}
"""Baselines that choose patches to repair: a choice can tip over with the last bit, so half differs."""

CASES = {
    "clipseg": METHODS["clipseg"],
    "maskclip": METHODS["maskclip"],
    "k-k": Method("kk", "kk"),
    "CERA alone": Method("cera", **CERA),
    "DSI alone": Method("dsi", "kk", deep=Deep()),
    "DSI, first reading": Method("plain", "kk", deep=Deep(alpha=1.0, kind="plain")),
    "own layers": Method("own", "qq", coherence=Coherence(layers=(1, 2)), deep=Deep(layers=(2, 2))),
    **{reading: Method(reading, "kk", coherence=Coherence(reading=reading)) for reading in READINGS},
}


def visual_of(variant: str) -> torch.nn.Module:
    visual = make_clip(**VARIANTS[variant]).visual
    with torch.no_grad():  # sharper attention than open_clip's start, so that maps differ
        visual.transformer.resblocks[-1].attn.in_proj_weight.mul_(3)
        visual.transformer.resblocks[-1].attn.in_proj_bias.normal_()
    return visual


@pytest.mark.parametrize("variant", ["plain", "patch 14, layer scale, no pre-norm"])
@pytest.mark.parametrize("case", CASES)
def test_features_equal_the_float64_twin(case: str, variant: str) -> None:
    visual, method = visual_of(variant), CASES[case]
    backbone = Backbone(visual)
    images = torch.randn(2, 3, 4 * backbone.patch[0], 3 * backbone.patch[1])
    mine = dense_features(backbone, images, method)

    exact = copy.deepcopy(visual).double()
    blocks = Backbone(exact).blocks(images.double(), keep=(1, 2, 3))
    for image in range(2):
        tokens = {number: x[image, 1:] for number, x in blocks.tokens.items()}
        tokens[3] = blocks.last[image, 1:]
        expected = twin.features(exact, tokens, method)
        torch.testing.assert_close(mine[image].double(), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_vanilla_equals_open_clips_own_patch_tokens(variant: str) -> None:
    visual = visual_of(variant)
    visual.output_tokens = True
    images = torch.randn(2, 3, *visual.image_size)
    _, theirs = visual(images)
    backbone = Backbone(visual)
    y = last_block(backbone, backbone.blocks(images), METHODS["vanilla"])
    torch.testing.assert_close(backbone.post_norm(y), theirs, rtol=0, atol=1e-5)


def test_vanilla_of_a_published_architecture_equals_open_clip() -> None:
    torch.manual_seed(0)
    visual = open_clip.create_model("ViT-B-32", pretrained=None, output_dict=None).visual.eval()
    visual.output_tokens = True
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        _, theirs = visual(images)
        backbone = Backbone(visual)
        y = last_block(backbone, backbone.blocks(images), METHODS["vanilla"])
    torch.testing.assert_close(backbone.post_norm(y), theirs, rtol=0, atol=1e-4)


def test_switches_of_residual_and_mlp() -> None:
    visual = visual_of("plain")
    backbone = Backbone(visual)
    blocks = backbone.blocks(torch.randn(1, 3, 64, 48))
    entered = blocks.last[:, 1:]
    bare = last_block(backbone, blocks, Method("m", "kk"))
    with_residual = last_block(backbone, blocks, Method("m", "kk", residual=True))
    torch.testing.assert_close(with_residual, entered + bare)
    with_both = last_block(backbone, blocks, Method("m", "kk", residual=True, mlp=True))
    torch.testing.assert_close(with_both, with_residual + backbone.block(backbone.depth).mlp(with_residual))


def test_class_token_changes_the_attention_only_where_it_takes_part() -> None:
    visual = visual_of("plain")
    backbone = Backbone(visual)
    images = torch.randn(1, 3, 64, 64)
    before = {
        cls: dense_features(backbone, images, Method("m", "kk", deep=Deep(), cls=cls))
        for cls in (False, True)
    }
    assert before[True].shape == before[False].shape == (1, 16, 32)
    assert not torch.allclose(before[True], before[False])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("size", [(64, 64), (16, 16), (16, 160), (96, 32)])
def test_every_method_runs_at_any_grid(name: str, size: tuple[int, int]) -> None:
    backbone = Backbone(visual_of("plain"))
    features = dense_features(backbone, torch.randn(1, 3, *size), METHODS[name])
    assert features.shape == (1, size[0] * size[1] // 256, 32)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(features.shape[:2]))


@pytest.mark.parametrize("name", sorted(set(METHODS) - CHOOSING))
def test_bfloat16_stays_close_to_float32(name: str) -> None:
    """Stated tolerance on the CPU: a patch's feature in bfloat16 keeps a cosine of 0.995 to float32's."""
    visual = visual_of("plain")
    images = torch.randn(1, 3, 96, 96)
    exact = dense_features(Backbone(visual), images, METHODS[name])
    half = dense_features(Backbone(copy.deepcopy(visual).bfloat16()), images.bfloat16(), METHODS[name])
    assert (exact * half.float()).sum(-1).min() > 0.995


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", sorted(set(METHODS) - CHOOSING))
def test_float16_on_cuda_stays_close_to_float32(name: str) -> None:
    """Stated tolerance on CUDA: a patch's feature in float16 keeps a cosine of 0.999 to float32's."""
    visual = visual_of("plain")
    images = torch.randn(1, 3, 96, 96)
    exact = dense_features(Backbone(visual), images, METHODS[name])
    half = copy.deepcopy(visual).half().cuda()
    features = dense_features(Backbone(half), images.half().cuda(), METHODS[name]).float().cpu()
    assert (exact * features).sum(-1).min() > 0.999
