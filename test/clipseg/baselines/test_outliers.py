import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.clipseg.baselines.outliers import local_outlier_factor, most_unusual, overactive, repair

from . import twin as baseline_twin


def random_tokens(seed: int, patches: int, channels: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(2, patches, channels, dtype=torch.float64, generator=generator)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), patches=st.integers(2, 12), neighbours=st.integers(1, 15))
def test_local_outlier_factor_equals_twin(seed: int, patches: int, neighbours: int) -> None:
    tokens = random_tokens(seed, patches)
    mine = local_outlier_factor(tokens, neighbours)
    for image in range(2):
        expected = torch.tensor(baseline_twin.outlier_factors(tokens[image], neighbours))
        torch.testing.assert_close(mine[image], expected.float(), rtol=1e-3, atol=1e-3)  # float32 distances


def test_a_token_far_from_all_others_has_the_highest_factor() -> None:
    tokens = random_tokens(1, 20)
    tokens[:, 7] += 50
    assert local_outlier_factor(tokens, 5).argmax(dim=1).tolist() == [7, 7]


def test_a_lone_token_is_no_outlier() -> None:
    scores = local_outlier_factor(torch.ones(2, 1, 3), 30)
    assert torch.equal(scores, torch.ones(2, 1))
    assert not most_unusual(scores, 0.05).any()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), patches=st.integers(1, 40), share=st.floats(0, 0.5))
def test_most_unusual_equals_twin(seed: int, patches: int, share: float) -> None:
    scores = random_tokens(seed, patches, 1)[..., 0]
    mine = most_unusual(scores, share)
    for image in range(2):
        assert mine[image].tolist() == baseline_twin.unusual(scores[image].tolist(), share)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), patches=st.integers(1, 12), factor=st.floats(1.5, 4))
def test_overactive_equals_twin(seed: int, patches: int, factor: float) -> None:
    tokens = random_tokens(seed, patches, 10)
    tokens[0, 0, 3] += 9
    mine = overactive(tokens, factor)
    for image in range(2):
        assert mine[image].tolist() == baseline_twin.overactive(tokens[image], factor)


def test_a_channel_that_is_large_in_every_patch_is_no_sign() -> None:
    tokens = random_tokens(2, 9, 100)
    tokens[:, :, 5] += 300
    assert not overactive(tokens, 5.0).any()
    tokens[:, 4, 8] += 300
    assert overactive(tokens, 5.0).nonzero().tolist() == [[0, 4], [1, 4]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 5), columns=st.integers(1, 5), share=st.floats(0, 1))
def test_repair_equals_twin(seed: int, rows: int, columns: int, share: float) -> None:
    tokens = random_tokens(seed, rows * columns)
    generator = torch.Generator().manual_seed(seed)
    broken = torch.rand(2, rows * columns, generator=generator) < share
    mine = repair(tokens, broken, (rows, columns))
    for image in range(2):
        expected = baseline_twin.repaired(tokens[image], broken[image].tolist(), (rows, columns))
        torch.testing.assert_close(mine[image], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_repair_leaves_sound_patches_alone(dtype: torch.dtype) -> None:
    tokens = random_tokens(3, 12).to(dtype)
    broken = torch.zeros(2, 12, dtype=torch.bool)
    broken[:, 5] = True
    mine = repair(tokens, broken, (3, 4))
    assert mine.dtype == dtype
    assert torch.equal(mine[~broken], tokens[~broken])
    assert not torch.equal(mine[broken], tokens[broken])
