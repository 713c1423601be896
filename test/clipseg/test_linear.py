import pytest
import torch
from open_clip.transformer import QuickGELU
from torch import nn

from ovseg_ros.clipseg import linear
from ovseg_ros.clipseg.linear import PackedLinear, packed_mlp, packing_available

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}


@pytest.fixture(params=["packed", "plain"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "plain":
        monkeypatch.setattr(linear, "packing_available", lambda: False)
    elif not packing_available():
        pytest.skip("this build of torch has no packed products")


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("activation", ["none", "gelu", "swish"])
@pytest.mark.parametrize("shape", [(1, 33, 48), (3, 7, 48), (1, 48)])
def test_equals_the_plain_product(dtype: torch.dtype, activation: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight, bias, x = torch.randn(40, 48), torch.randn(40), torch.randn(shape)
    packed = PackedLinear(weight, bias, dtype, activation, tokens=33)
    exact = x.to(dtype).double() @ weight.to(dtype).double().T + bias.to(dtype)
    if activation == "gelu":
        exact = 0.5 * exact * (1 + torch.erf(exact / 2**0.5))
    if activation == "swish":
        exact = exact * torch.sigmoid(exact)
    with torch.inference_mode():
        y = packed(x.to(dtype))
    assert y.dtype == dtype
    assert ((y - exact).abs() / (1 + exact.abs())).max() < TOLERANCE[dtype]


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
