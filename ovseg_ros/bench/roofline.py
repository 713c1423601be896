"""The roofline: what the machine's own rates allow. No program of the same arithmetic is faster."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from ovseg_ros.clipseg.backbone import Backbone
from ovseg_ros.clipseg.methods import Method, layers_of
from ovseg_ros.clipseg.packed import PackedLinear
from ovseg_ros.clipseg.runtime import device_clock

SECONDS = 0.5
"""Time to measure a rate for."""

COPIED = 1 << 26
"""Bytes copied at a time: more than the caches hold."""


@dataclass(frozen=True)
class Rates:
    """What a device does at best.

    Attributes:
        flops: operations per second in matrix products of a model's size, in the precision in use.
        bytes: bytes per second that are copied (each read and written).
    """

    flops: float
    bytes: float

    def bound_ms(self, flops: float, moved: float) -> float:
        """Time of the operations and then of the bytes that are moved."""
        return 1e3 * (flops / self.flops + moved / self.bytes)


def measure_rates(device: torch.device, dtype: torch.dtype, width: int, tokens: int) -> Rates:
    """The device's rates, for products of `tokens` x `width` with `width` x `4 width` as an MLP has them."""
    x = torch.randn(tokens, width, device=device).to(dtype)
    weight, bias = torch.randn(4 * width, width, device=device), torch.randn(4 * width, device=device)
    block = torch.empty(COPIED, dtype=torch.uint8, device=device)
    target = torch.empty_like(block)
    with torch.inference_mode():
        if device.type == "cpu":
            multiply = partial(PackedLinear(weight, bias, dtype), x)
        else:
            multiply = partial(torch.matmul, x, weight.to(dtype).T)
        per_product = _fastest(multiply, device)
        per_copy = _fastest(partial(target.copy_, block), device)
    return Rates(flops=2 * tokens * width * 4 * width / per_product, bytes=COPIED / per_copy)


def pass_flops(
    backbone: Backbone, method: Method, grid: tuple[int, int], embedding: int, classes: int
) -> float:
    """Operations in the matrix products of one image's whole pass, with the last block by the method's rule.

    A lower bound for a rule that spans several blocks (gem, scclip, rfclip).
    """
    tokens, width = grid[0] * grid[1] + 1, backbone.width
    embed = 2 * tokens * 3 * backbone.patch[0] * backbone.patch[1] * width
    block = 2 * tokens * 12 * width**2 + 4 * tokens**2 * width
    last = 2 * tokens * 4 * width**2 + _maps(method) * 4 * tokens**2 * width
    if method.coherence is not None:
        last += 2 * tokens**2 * width * (1 + len(layers_of(method, backbone.depth).coherence))
    if method.deep is not None:
        last += 2 * tokens * width**2
    if method.mlp:
        last += 2 * tokens * 8 * width**2
    return embed + (backbone.depth - 1) * block + last + 2 * tokens * embedding * (width + classes)


def _maps(method: Method) -> int:
    """Attention maps that the self term takes."""
    if method.self_term == "identity":
        return 0
    return 2 if "+" in method.self_term else 1


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of many runs."""
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = device_clock(device)
        for _ in range(10):
            work()
        best = min(best, (device_clock(device) - start) / 10)
    return best
