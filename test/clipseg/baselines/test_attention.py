import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ovseg_ros.clipseg.attention import coherence_map
from ovseg_ros.clipseg.baselines.gem import ensemble_attention
from ovseg_ros.clipseg.baselines.outliers import average_alike
from ovseg_ros.clipseg.baselines.resclip import cross_correlation
from ovseg_ros.clipseg.baselines.rfclip import attention_map, redistribute

from .. import twin
from ..test_attention import CLOSE, random_heads, random_tokens
from . import twin as baseline_twin


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), rounds=st.integers(0, 2), tau=st.floats(0.1, 20))
def test_ensemble_attention_equals_twin(seed: int, rounds: int, tau: float) -> None:
    q, k, v = random_heads(seed)
    temperature = torch.tensor([tau, 2 * tau], dtype=torch.float64)
    mine = ensemble_attention(q, k, v, temperature, rounds)
    for image in range(2):
        for head in range(3):
            parts = q[image, head], k[image, head], v[image, head]
            expected = baseline_twin.ensemble(*parts, float(temperature[image]), rounds)
            torch.testing.assert_close(mine[image, head], expected, rtol=0, atol=1e-10)


def test_attention_map_equals_twin() -> None:
    q, k, v = random_heads(1)
    mine = attention_map(q, k)
    torch.testing.assert_close(mine[1, 2], twin.self_map(q[1, 2], k[1, 2], v[1, 2], "qk"), **CLOSE)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**31), lam=st.floats(0, 1), gain=st.floats(0.5, 3))
def test_cross_correlation_equals_twin(seed: int, lam: float, gain: float) -> None:
    _, k, v = random_heads(seed)
    earlier = [tuple(random_heads(seed + n)[:2]) for n in (1, 2)]
    own = attention_map(k, k)
    mine = cross_correlation(own @ v, earlier, v, lam=lam, gain=gain)
    middle = sum(attention_map(*pair) for pair in earlier) / 2
    torch.testing.assert_close(mine, gain * ((1 - lam) * own + lam * middle) @ v, rtol=0, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), patches=st.integers(2, 8), sink=st.floats(0.05, 0.5), kept=st.floats(0, 1))
def test_redistribute_equals_twin(seed: int, patches: int, sink: float, kept: float) -> None:
    q, k, _ = random_heads(seed, patches=patches + 1)
    attention = attention_map(3 * q, k)
    drawing = attention[..., 1:, 1:].mean(dim=-2) > sink
    mine = redistribute(attention, sink, kept)
    for image in range(2):
        for head in range(3):
            if not drawing[image, head].all():  # with no other patch there is nobody to give it to
                expected = baseline_twin.redistributed(attention[image, head], sink, kept)
                torch.testing.assert_close(mine[image, head], expected, **CLOSE)


def test_redistribution_keeps_the_sum_of_every_row() -> None:
    q, k, _ = random_heads(5)
    attention = attention_map(6 * q, k)
    assert (attention[..., 1:, 1:].mean(dim=-2) > 0.2).any()
    mine = redistribute(attention, 0.2, 0.6)
    assert not torch.allclose(mine, attention)
    torch.testing.assert_close(mine.sum(-1), torch.ones(2, 3, 7, dtype=torch.float64), **CLOSE)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), cutoff=st.floats(0, 0.99))
def test_average_alike_equals_twin(seed: int, cutoff: float) -> None:
    x = random_tokens(seed)[0]
    cosines = coherence_map([x])
    mine = average_alike(x, cosines, cutoff)
    for image in range(2):
        expected = baseline_twin.averaged(x[image], cosines[image], cutoff)
        torch.testing.assert_close(mine[image], expected, **CLOSE)


def test_average_of_nothing_alike_is_the_patch_itself() -> None:
    x = torch.eye(4, dtype=torch.float64)[None]
    torch.testing.assert_close(average_alike(x, coherence_map([x]), 0.4), x, **CLOSE)
    assert math.isclose(float(average_alike(x, coherence_map([x]), 0.4).sum()), 4.0)
