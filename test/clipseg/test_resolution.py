import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.resolution import MAX_PATCHES, plan_resolution


@pytest.mark.parametrize(
    ("image", "short_side", "patch", "grid"),
    [
        ((480, 640), 336, 16, (21, 28)),
        ((360, 480), 336, 14, (24, 32)),
        ((640, 480), 336, 16, (28, 21)),
        ((1080, 1920), 336, 16, (21, 37)),
        ((1, 1), 336, 16, (21, 21)),
        ((480, 640), 16, 16, (1, 1)),
    ],
)
def test_usual_sizes(image: tuple[int, int], short_side: int, patch: int, grid: tuple[int, int]) -> None:
    plan = plan_resolution(*image, short_side, (patch, patch))
    assert plan.grid == grid
    assert plan.size == (grid[0] * patch, grid[1] * patch)


@given(
    height=st.integers(1, 20000),
    width=st.integers(1, 20000),
    short_side=st.integers(1, 2000),
    patch=st.integers(4, 32),
)
def test_any_size_has_a_plan_within_bounds(height: int, width: int, short_side: int, patch: int) -> None:
    rows, columns = plan_resolution(height, width, short_side, (patch, patch)).grid
    assert rows >= 1
    assert columns >= 1
    assert rows * columns <= MAX_PATCHES


@given(height=st.integers(100, 4000), width=st.integers(100, 4000))
def test_aspect_is_kept_to_half_a_patch(height: int, width: int) -> None:
    plan = plan_resolution(height, width, 336, (16, 16))
    scale = 336 / min(height, width)
    if plan.grid[0] * plan.grid[1] < 0.95 * MAX_PATCHES:
        assert abs(plan.size[0] - height * scale) <= 8
        assert abs(plan.size[1] - width * scale) <= 8


@pytest.mark.parametrize("bad", [(0, 5, 336), (5, 0, 336), (5, 5, 0), (-1, 5, 336)])
def test_empty_images_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ModelError, match="at least 1"):
        plan_resolution(*bad, (16, 16))
