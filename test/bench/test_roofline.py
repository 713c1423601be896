from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ovseg_ros.bench.roofline import Rates, measure_rates, pass_flops
from ovseg_ros.clipseg import METHODS, ModelConfig, load_model
from ovseg_ros.clipseg.last_block import dense_features
from ovseg_ros.clipseg.runtime import can_multiply_bfloat16


@pytest.mark.parametrize("method", ["vanilla", "maskclip", "clearclip", "sclip", "naclip", "clipseg"])
def test_operations_are_those_that_torch_counts(tiny_model_dir: Path, method: str) -> None:
    model = load_model(ModelConfig(str(tiny_model_dir), device="cpu"), packed=False)
    images = torch.zeros(1, 3, 96, 128)
    torch.backends.mha.set_fastpath_enabled(False)  # its one operation is not counted
    try:
        # Attention in single products, which are counted.
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            features = dense_features(model.backbone, images, METHODS[method])
            features @ torch.zeros(model.embedding, 21)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    expected = pass_flops(model.backbone, METHODS[method], (6, 8), model.embedding, 21)
    assert counter.get_total_flops() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rates_are_measured(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    if dtype == torch.bfloat16 and not can_multiply_bfloat16():
        pytest.skip("this CPU cannot multiply bfloat16")
    monkeypatch.setattr("ovseg_ros.bench.roofline.SECONDS", 0.02)
    rates = measure_rates(torch.device("cpu"), dtype, width=64, tokens=49)
    assert 1e6 < rates.flops < 1e15
    assert 1e6 < rates.bytes < 1e13


def test_the_bound_adds_up() -> None:
    assert Rates(flops=2e9, bytes=1e6).bound_ms(flops=1e9, moved=500) == pytest.approx(500.5)
