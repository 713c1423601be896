import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.clipseg.integration import INTEGRATIONS, integrate_deep

from . import twin


def flat(x: torch.Tensor) -> torch.Tensor:
    """One image's heads side by side: h n d to n c."""
    return x.transpose(0, 1).flatten(1)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    alpha=st.floats(0, 3),
    kind=st.sampled_from(INTEGRATIONS),
    offset=st.floats(-50, 50),
)
def test_integration_equals_twin(seed: int, alpha: float, kind: str, offset: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    value = torch.randn(2, 3, 6, 4, dtype=torch.float64, generator=generator)
    deep = offset + torch.randn(2, 3, 6, 4, dtype=torch.float64, generator=generator)
    mine = integrate_deep(value, deep, alpha, kind)
    for image in range(2):
        expected = twin.integrated(flat(value[image]), flat(deep[image]), alpha, kind)
        # Norms are taken in float32, hence the tolerance.
        torch.testing.assert_close(flat(mine[image]), expected, rtol=1e-5, atol=1e-5)


def test_contrast_ignores_what_is_common_to_all_patches() -> None:
    torch.manual_seed(0)
    value, deep = torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 4)
    common = torch.randn(1, 2, 1, 4) * 10
    plain = integrate_deep(value, deep, 0.4, "contrast")
    torch.testing.assert_close(
        integrate_deep(value, deep + common, 0.4, "contrast"), plain, rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(integrate_deep(value, deep * 7, 0.4, "contrast"), plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_contrast_of_identical_patches_adds_nothing(dtype: torch.dtype) -> None:
    value = torch.randn(1, 2, 5, 4).to(dtype)
    same = torch.full((1, 2, 5, 4), 3.0, dtype=dtype)
    assert torch.equal(integrate_deep(value, same, 0.4, "contrast"), value)
