"""Flicker against a count pixel by pixel."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ovseg_ros.metrics import FlickerCounts

IMAGE = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 255]))


@given(st.lists(st.tuples(IMAGE, IMAGE), min_size=2, max_size=4))
def test_the_share_equals_a_count_pixel_by_pixel(frames: list[tuple[np.ndarray, np.ndarray]]) -> None:
    counts = FlickerCounts()
    steady = changed = 0
    for before, after in pairwise(frames):
        counts.update(before, after)
        for t0, p0, t1, p1 in zip(*(image.flat for image in (*before, *after)), strict=True):
            if t0 == t1 != 255:
                steady += 1
                changed += int(p0 != p1)
    assert counts.compute() == (changed / steady if steady else None)


def test_frames_of_two_sizes_have_nothing_in_common() -> None:
    counts = FlickerCounts()
    small, large = np.zeros((2, 2), np.uint8), np.zeros((3, 2), np.uint8)
    counts.update((small, small), (large, large))
    assert counts.compute() is None
