import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.clipseg.attention import (
    INTEGRATIONS,
    READINGS,
    SELF_TERMS,
    coherence_map,
    enhance,
    gaussian_window,
    integrate_deep,
    residual_attention,
    self_attention,
)

from . import twin

CLOSE = {"rtol": 0, "atol": 1e-12}


def random_heads(seed: int, patches: int = 7, heads: int = 3, width: int = 4) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(2, heads, patches, width, dtype=torch.float64, generator=generator) for _ in range(3)]


def random_tokens(seed: int, blocks: int = 3, patches: int = 7) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # A common part makes the cosines mostly positive, as those of a real model are.
    common = torch.randn(10, dtype=torch.float64, generator=generator)
    return [
        common + torch.randn(2, patches, 10, dtype=torch.float64, generator=generator) for _ in range(blocks)
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), blocks=st.integers(1, 4), patches=st.integers(1, 9))
def test_coherence_map_equals_twin(seed: int, blocks: int, patches: int) -> None:
    tokens = random_tokens(seed, blocks, patches)
    mine = coherence_map(tokens)
    for image in range(2):
        torch.testing.assert_close(mine[image], twin.coherence([x[image] for x in tokens]), **CLOSE)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    gamma=st.floats(0.5, 20),
    beta=st.floats(0.5, 1.5),
    patches=st.integers(1, 9),
)
def test_enhance_equals_twin(seed: int, gamma: float, beta: float, patches: int) -> None:
    coherence = coherence_map(random_tokens(seed, patches=patches))
    z, middle = enhance(coherence, gamma, beta)
    for image in range(2):
        expected = twin.enhancement(coherence[image], gamma, beta)
        torch.testing.assert_close(z[image], expected, **CLOSE)
        torch.testing.assert_close(middle[image], twin.softmax_rows(expected), **CLOSE)


@pytest.mark.parametrize("beta", [1.0, 1.1, 1.2])
def test_enhance_of_an_image_without_contrast_is_finite(beta: float) -> None:
    _, middle = enhance(torch.ones(1, 5, 5), 3.0, beta)
    assert torch.isfinite(middle).all()
    torch.testing.assert_close(middle.sum(-1), torch.ones(1, 5))


def test_enhance_leaves_its_input_alone() -> None:
    coherence = coherence_map(random_tokens(0))
    before = coherence.clone()
    enhance(coherence, 3.0, 1.2)
    assert torch.equal(coherence, before)


@pytest.mark.parametrize("term", SELF_TERMS)
def test_self_attention_equals_twin(term: str) -> None:
    q, k, v = random_heads(1)
    mine = self_attention(q, k, v, term)
    for image in range(2):
        for head in range(3):
            parts = q[image, head], k[image, head], v[image, head]
            torch.testing.assert_close(mine[image, head], twin.self_map(*parts, term) @ parts[2], **CLOSE)


def test_gaussian_bias_equals_twin() -> None:
    q, k, v = random_heads(2, patches=6)
    bias = gaussian_window((2, 3), 1.5, like=q)
    # The window itself is computed in float32: distances need no more.
    torch.testing.assert_close(bias, twin.window((2, 3), 1.5), rtol=0, atol=1e-6)
    mine = self_attention(q, k, v, "kk", bias)
    logits = twin.self_logits(q[0, 0], k[0, 0], v[0, 0], "kk")[0] + bias
    torch.testing.assert_close(mine[0, 0], twin.softmax_rows(logits) @ v[0, 0], **CLOSE)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("term", [t for t in SELF_TERMS if t != "identity"])
def test_residual_attention_equals_twin(term: str, reading: str) -> None:
    q, k, v = random_heads(3)
    enhanced = enhance(coherence_map(random_tokens(3)), 3.0, 1.1)
    mine = residual_attention(q, k, v, enhanced, term=term, lam=0.3, reading=reading)
    for image in range(2):
        for head in range(3):
            parts = q[image, head], k[image, head], v[image, head]
            expected = twin.residual(*parts, enhanced[0][image], term, 0.3, reading)
            torch.testing.assert_close(mine[image, head], expected, **CLOSE)


def test_lam_runs_from_the_self_term_to_the_coherence_attention() -> None:
    q, k, v = random_heads(4)
    enhanced = enhance(coherence_map(random_tokens(4)), 3.0, 1.1)

    def mixed(lam: float) -> torch.Tensor:
        return residual_attention(q, k, v, enhanced, term="kk", lam=lam, reading="mix")

    torch.testing.assert_close(mixed(0.0), self_attention(q, k, v, "kk"), **CLOSE)
    torch.testing.assert_close(mixed(1.0), enhanced[1][:, None] @ v, **CLOSE)
    assert not math.isclose(float(mixed(0.5).sum()), float(mixed(0.0).sum()))


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
