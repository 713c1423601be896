import random
from itertools import pairwise

import pytest

from ovseg_ros.node.engine import FRAMES, PATIENCE, LatencyGovernor


class Device:
    """Takes `ms` at a short side of 336, growing with its square."""

    def __init__(self, ms: float, noise: float = 0.0) -> None:
        self.ms, self.noise, self.random = ms, noise, random.Random(0)

    def time(self, short_side: int) -> float:
        return self.ms * (short_side / 336) ** 2 * (1 + self.random.uniform(-self.noise, self.noise))


def run(governor: LatencyGovernor, device: Device, frames: int) -> list[int]:
    sides = []
    for _ in range(frames):
        sides.append(governor.short_side)
        governor.observe(device.time(governor.short_side))
    return sides


def governor(limit_ms: float = 100.0) -> LatencyGovernor:
    return LatencyGovernor(limit_ms, smallest=64, largest=336, step=16)


def test_a_fast_device_stays_at_the_largest() -> None:
    assert set(run(governor(), Device(80), 200)) == {336}


@pytest.mark.parametrize("ms", [110, 150, 400, 1000])
def test_a_slow_device_settles_near_the_limit(ms: float) -> None:
    chosen, device = governor(), Device(ms, noise=0.03)
    sides = run(chosen, device, 400)
    settled = sides[-1]
    assert settled % 16 == 0
    assert 0.6 * 100 <= ms * (settled / 336) ** 2 <= 100
    assert len(set(sides[100:])) == 1  # it does not swing


def test_a_limit_that_cannot_be_held_gives_the_smallest() -> None:
    chosen = governor(limit_ms=1)
    run(chosen, Device(1000), 60)
    assert chosen.short_side == 64
    assert "the smallest" in chosen.description


def test_it_comes_down_at_once_and_goes_up_with_patience() -> None:
    chosen, device = governor(), Device(50)
    run(chosen, device, 30)
    device.ms = 300  # something else takes the processor
    assert run(chosen, device, 2 * FRAMES)[-1] < 250
    low = chosen.short_side
    device.ms = 50
    assert set(run(chosen, device, PATIENCE)) == {low}
    run(chosen, device, PATIENCE)
    assert chosen.short_side == 336


def test_a_size_that_failed_is_tried_ever_more_rarely() -> None:
    """Times that grow in a jump: 320 seems to fit from what 304 takes, and does not."""
    chosen = LatencyGovernor(100.0, smallest=64, largest=320, step=16)
    chosen.reduce(320)
    tries, before = [], 0
    for frame in range(3000):
        if chosen.short_side == 320 and before != 320:
            tries.append(frame)
        before = chosen.short_side
        chosen.observe(130.0 if chosen.short_side == 320 else 70.0)
    gaps = [b - a for a, b in pairwise(tries)]
    assert gaps[-1] > 4 * gaps[0]


def test_one_slow_frame_changes_nothing() -> None:
    chosen = governor()
    for frame in range(100):
        chosen.observe(500.0 if frame % 20 == 5 else 60.0)
    assert chosen.short_side == 336


def test_a_first_time_gives_a_first_size() -> None:
    chosen = governor()
    chosen.start_at(90)
    assert chosen.short_side == 336
    chosen.start_at(200)
    assert 224 <= chosen.short_side < 250
    assert chosen.description == f"100 ms: short side {chosen.short_side} of at most 336"


def test_memory_bounds_the_size_for_good() -> None:
    chosen = governor()
    chosen.reduce(235)
    assert set(run(chosen, Device(10), 100)) == {235}
