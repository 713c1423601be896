import pytest
import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock
from torch import nn

from ovseg_ros.clipseg import packed
from ovseg_ros.clipseg.backbone import Block
from ovseg_ros.clipseg.packed import PackedBlock, PackedLinear, packed_mlp
from ovseg_ros.clipseg.runtime import can_multiply_bfloat16, can_pack

needs_bfloat16 = pytest.mark.skipif(not can_multiply_bfloat16(), reason="this CPU cannot multiply bfloat16")
TYPES = (torch.float32, pytest.param(torch.bfloat16, marks=needs_bfloat16))
PRODUCT_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}


@pytest.fixture(params=["packed", "plain"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(packed, "can_pack", lambda dtype: False)
    elif not can_pack(torch.float32):
        pytest.skip("this build of torch has no packed products")


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("activation", ["none", "gelu", "swish"])
@pytest.mark.parametrize("shape", [(1, 33, 48), (3, 7, 48), (1, 48)])
def test_equals_the_plain_product(dtype: torch.dtype, activation: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(40, 48), torch.randn(40), torch.randn(shape)
    linear = PackedLinear(weight, bias, dtype, activation, tokens=33)
    exact = x.to(dtype).double() @ weight.to(dtype).double().T + bias.to(dtype)
    if activation == "gelu":
        exact = 0.5 * exact * (1 + torch.erf(exact / 2**0.5))
    if activation == "swish":
        exact = exact * torch.sigmoid(exact)
    with torch.inference_mode():
        y = linear(x.to(dtype))
    assert y.dtype == dtype
    assert ((y - exact).abs() / (1 + exact.abs())).max() < PRODUCT_TOLERANCE[dtype]


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("activation", [nn.GELU(), QuickGELU()])
def test_mlp_with_scale_in_the_weights(activation: nn.Module) -> None:
    torch.manual_seed(0)
    first, second, scale = nn.Linear(16, 64), nn.Linear(64, 16), torch.rand(16)
    x = torch.randn(2, 9, 16)
    with torch.inference_mode():
        expected = scale * second(activation(first(x)))
        one, two = packed_mlp(first, activation, second, scale, torch.float32)
        torch.testing.assert_close(two(one(x)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(approximate="tanh")])
def test_other_activations_are_not_packed(activation: nn.Module) -> None:
    assert packed_mlp(nn.Linear(4, 8), activation, nn.Linear(8, 4), torch.ones(4), torch.float32) is None


BLOCK_TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 0.03}


def make_block(
    act_layer: type[nn.Module] = nn.GELU, ls_init_value: float | None = None
) -> ResidualAttentionBlock:
    torch.manual_seed(0)
    block = ResidualAttentionBlock(64, 2, act_layer=act_layer, ls_init_value=ls_init_value)
    nn.init.normal_(block.attn.in_proj_bias)
    return block.eval().requires_grad_(False)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("act_layer", [nn.GELU, QuickGELU, nn.ReLU])
@pytest.mark.parametrize("ls_init_value", [None, 0.3])
def test_parts_equal_the_plain_blocks(
    dtype: torch.dtype, act_layer: type[nn.Module], ls_init_value: float | None
) -> None:
    source = make_block(act_layer, ls_init_value)
    plain, mine = Block(source), PackedBlock(source, dtype)
    tokens = torch.randn(2, 13, 64)
    with torch.inference_mode():
        normed = plain.norm(tokens)
        attended = plain.qkv(normed)[2]
        pairs = [
            (mine(tokens), plain(tokens)),
            (mine.norm(tokens), normed),
            *zip(mine.qkv(normed), plain.qkv(normed), strict=True),
            (mine.value(normed), plain.value(normed)),
            (mine.attention_output(attended), plain.attention_output(attended)),
            (mine.mlp(tokens), plain.mlp(tokens)),
        ]
    assert mine.heads == plain.heads
    for ours, theirs in pairs:
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape
        assert ((ours - theirs).abs() / (1 + theirs.abs())).max() < BLOCK_TOLERANCE[dtype]


@needs_bfloat16
def test_attention_in_pieces_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    block, tokens = PackedBlock(make_block(), torch.bfloat16), torch.randn(2, 37, 64)
    with torch.inference_mode():
        whole = block(tokens)
        monkeypatch.setattr(packed, "SCORES_AT_A_TIME", 1000)
        torch.testing.assert_close(block(tokens), whole, rtol=0, atol=0.02)


@needs_bfloat16
def test_what_all_keys_share_costs_no_precision() -> None:
    """A large mean of the keys, as CLIP has it, drowns the scores' differences in bfloat16."""
    source = make_block()
    source.attn.in_proj_bias[64:128] += 40
    tokens = torch.randn(1, 50, 64)
    with torch.inference_mode():
        error = (PackedBlock(source, torch.bfloat16)(tokens) - source(tokens)).abs().max()
    assert error < 0.1
