import pytest
import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import nn

from ovseg_ros.clipseg import packed_block
from ovseg_ros.clipseg.block import Block
from ovseg_ros.clipseg.packed_block import PackedBlock

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.03}


def make_block(
    act_layer: type[nn.Module] = nn.GELU, ls_init_value: float | None = None
) -> ResidualAttentionBlock:
    torch.manual_seed(0)
    block = ResidualAttentionBlock(64, 2, act_layer=act_layer, ls_init_value=ls_init_value)
    nn.init.normal_(block.attn.in_proj_bias)
    return block.eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("act_layer", [nn.GELU, QuickGELU, nn.ReLU])
@pytest.mark.parametrize("ls_init_value", [None, 0.3])
def test_parts_equal_the_plain_blocks(
    dtype: torch.dtype, act_layer: type[nn.Module], ls_init_value: float | None
) -> None:
    source = make_block(act_layer, ls_init_value)
    plain, packed = Block(source), PackedBlock(source, dtype)
    tokens = torch.randn(2, 13, 64)
    with torch.inference_mode():
        normed = plain.norm(tokens)
        attended = plain.qkv(normed)[2]
        pairs = [
            (packed(tokens), plain(tokens)),
            (packed.norm(tokens), normed),
            *zip(packed.qkv(normed), plain.qkv(normed), strict=True),
            (packed.value(normed), plain.value(normed)),
            (packed.attention_output(attended), plain.attention_output(attended)),
            (packed.mlp(tokens), plain.mlp(tokens)),
        ]
    assert packed.heads == plain.heads
    for mine, theirs in pairs:
        assert mine.dtype == torch.float32
        assert mine.shape == theirs.shape
        assert ((mine - theirs).abs() / (1 + theirs.abs())).max() < TOLERANCE[dtype]


def test_attention_in_pieces_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    packed, tokens = PackedBlock(make_block(), torch.bfloat16), torch.randn(2, 37, 64)
    with torch.inference_mode():
        whole = packed(tokens)
        monkeypatch.setattr(packed_block, "SCORES_AT_A_TIME", 1000)
        torch.testing.assert_close(packed(tokens), whole, rtol=0, atol=0.02)


def test_what_all_keys_share_costs_no_precision() -> None:
    """A large mean of the keys, as CLIP has it, drowns the scores' differences in bfloat16."""
    source = make_block()
    source.attn.in_proj_bias[64:128] += 40
    tokens = torch.randn(1, 50, 64)
    with torch.inference_mode():
        error = (PackedBlock(source, torch.bfloat16)(tokens) - source(tokens)).abs().max()
    assert error < 0.1
