import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from ovseg_ros.clipseg.backbone import Backbone
from ovseg_ros.clipseg.baselines.gem import ParallelPath
from ovseg_ros.clipseg.baselines.resclip import CrossCorrelation
from ovseg_ros.clipseg.baselines.rfclip import Refocusing
from ovseg_ros.clipseg.baselines.scclip import SelfCalibration
from ovseg_ros.clipseg.last_block import dense_features, features_after, run_blocks
from ovseg_ros.clipseg.methods import METHODS, Method

from .. import twin
from ..test_backbone import VARIANTS, make_clip
from . import twin as baseline_twin

BASELINES = ("gem", "resclip", "scclip", "rfclip")

CASES = {
    **{name: METHODS[name] for name in ("gem", "resclip", "rfclip")},
    # With all other patches as neighbours, the two that are farthest from each other tie.
    "scclip": Method("scclip", rule=SelfCalibration(neighbours=6)),
    "a longer path, two rounds": Method("gem", rule=ParallelPath(blocks=9, rounds=2)),
    "more outliers": Method("scclip", rule=SelfCalibration(neighbours=4, outliers=0.3, cutoff=0.2)),
    "more repair": Method("rfclip", rule=Refocusing(activation=2.0, sink=0.02, cutoff=0.2)),
    "another mix": replace(METHODS["resclip"], cross=CrossCorrelation(layers=(1, 2), lam=0.7, gain=1.0)),
}


def visual_of(variant: str) -> torch.nn.Module:
    visual = make_clip(**{"layers": 5, **VARIANTS[variant]}).visual
    with torch.no_grad():  # sharper attention than open_clip's start, so that maps differ
        for block in visual.transformer.resblocks:
            block.attn.in_proj_weight.mul_(3)
            block.attn.in_proj_bias.normal_()
            block.attn.out_proj.bias.normal_()
    return visual


@pytest.mark.parametrize("variant", ["plain", "patch 14, layer scale, no pre-norm"])
@pytest.mark.parametrize("case", CASES)
def test_features_equal_the_float64_twin(case: str, variant: str) -> None:
    # In float64 on both sides: which patches are repaired must not hang on rounding.
    visual, method = visual_of(variant).double(), CASES[case]
    backbone = Backbone(visual)
    grid = (4, 3)
    images = torch.randn(2, 3, grid[0] * backbone.patch[0], grid[1] * backbone.patch[1]).double()
    mine = dense_features(backbone, images, method)

    blocks = [baseline_twin.BlockTwin(block) for block in visual.transformer.resblocks]
    embedded = backbone.embed(images)
    for image in range(2):
        tokens = [embedded[image]]
        for block in blocks[:-1]:
            tokens.append(block.whole(tokens[-1]))
        if method.cross is not None:
            y = baseline_twin.resclip(blocks, tokens, method, grid)
        elif isinstance(method.rule, ParallelPath):
            y = baseline_twin.gem(blocks, tokens, method.rule)
        elif isinstance(method.rule, SelfCalibration):
            y = baseline_twin.scclip(blocks, tokens, method.rule, grid)
        else:
            y = baseline_twin.rfclip(blocks, tokens[0], method.rule, grid)
        expected = twin.unit(twin.layer_norm(y, visual.ln_post) @ visual.proj)
        torch.testing.assert_close(mine[image], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("variant", ["plain", "patch 14, layer scale, no pre-norm"])
@pytest.mark.parametrize("name", ["vanilla", "clearclip", "sclip", "naclip"])
def test_baselines_of_the_last_block_with_its_class_token_equal_the_twin(name: str, variant: str) -> None:
    visual = visual_of(variant).double()
    backbone = Backbone(visual)
    images = torch.randn(1, 3, 4 * backbone.patch[0], 3 * backbone.patch[1]).double()
    blocks = [baseline_twin.BlockTwin(block) for block in visual.transformer.resblocks]
    x = backbone.embed(images)[0]
    for block in blocks[:-1]:
        x = block.whole(x)
    y = baseline_twin.last_block(blocks[-1], x, name, (4, 3))
    expected = twin.unit(twin.layer_norm(y, visual.ln_post) @ visual.proj)
    mine = dense_features(backbone, images, METHODS[name])[0]
    torch.testing.assert_close(mine, expected, rtol=0, atol=1e-6)


def test_methods_share_the_pass_through_the_blocks() -> None:
    backbone = Backbone(visual_of("plain"))
    images = torch.randn(2, 3, 64, 48)
    methods = list(METHODS.values())
    blocks = run_blocks(backbone, images, methods)
    for method in methods:
        shared = features_after(backbone, blocks, method)
        torch.testing.assert_close(shared, dense_features(backbone, images, method))


def test_a_method_that_rewrites_all_blocks_runs_no_block_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = Backbone(visual_of("plain"))
    monkeypatch.setattr(backbone, "blocks", None)
    assert dense_features(backbone, torch.randn(1, 3, 64, 64), METHODS["rfclip"]).shape == (1, 16, 32)


def test_the_methods_differ_from_each_other() -> None:
    backbone = Backbone(visual_of("plain"))
    images = torch.randn(1, 3, 64, 64)
    features = [dense_features(backbone, images, method) for method in METHODS.values()]
    for number, mine in enumerate(features):
        for other in features[:number]:
            assert F.mse_loss(mine, other) > 1e-5


@pytest.mark.parametrize("name", BASELINES)
def test_a_batch_equals_single_images(name: str) -> None:
    backbone = Backbone(copy.deepcopy(visual_of("plain")).double())
    images = torch.randn(3, 3, 64, 64).double()
    together = dense_features(backbone, images, METHODS[name])
    for number, image in enumerate(images):
        torch.testing.assert_close(together[number], dense_features(backbone, image[None], METHODS[name])[0])
