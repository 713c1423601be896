from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from ovseg_ros.clipseg.errors import ModelError
from ovseg_ros.clipseg.resolution import (
    MAX_ENLARGEMENT,
    MAX_PATCHES,
    Windows,
    plan_resolution,
    plan_windows,
    windowed_features,
)


@pytest.mark.parametrize(
    ("image", "short_side", "patch", "grid"),
    [
        ((480, 640), 336, 16, (21, 28)),
        ((360, 480), 336, 14, (24, 32)),
        ((640, 480), 336, 16, (28, 21)),
        ((1080, 1920), 336, 16, (21, 37)),
        ((1, 1), 336, 16, (14, 14)),
        ((213, 320), 336, 16, (18, 27)),
        ((150, 300), 336, 16, (14, 28)),
        ((150, 300), 112, 16, (7, 14)),
        ((480, 640), 16, 16, (1, 1)),
    ],
)
def test_usual_sizes(image: tuple[int, int], short_side: int, patch: int, grid: tuple[int, int]) -> None:
    plan = plan_resolution(*image, short_side, (patch, patch), 224)
    assert plan.grid == grid
    assert plan.size == (grid[0] * patch, grid[1] * patch)


@given(
    height=st.integers(1, 20000),
    width=st.integers(1, 20000),
    short_side=st.integers(1, 2000),
    patch=st.integers(4, 32),
    native=st.integers(1, 500),
)
def test_any_size_has_a_plan_within_bounds(
    height: int, width: int, short_side: int, patch: int, native: int
) -> None:
    rows, columns = plan_resolution(height, width, short_side, (patch, patch), native).grid
    assert rows >= 1
    assert columns >= 1
    assert rows * columns <= MAX_PATCHES


@given(height=st.integers(300, 4000), width=st.integers(300, 4000))
def test_aspect_is_kept_to_half_a_patch(height: int, width: int) -> None:
    plan = plan_resolution(height, width, 336, (16, 16), 224)
    scale = 336 / min(height, width)
    if plan.grid[0] * plan.grid[1] < 0.95 * MAX_PATCHES:
        assert abs(plan.size[0] - height * scale) <= 8
        assert abs(plan.size[1] - width * scale) <= 8


@pytest.mark.parametrize("bad", [(0, 5, 336), (5, 0, 336), (5, 5, 0), (-1, 5, 336)])
def test_empty_images_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ModelError, match="at least 1"):
        plan_resolution(*bad, (16, 16), 224)


@given(shortest=st.integers(1, 250), short_side=st.integers(16, 250), native=st.integers(16, 250))
@example(shortest=191, short_side=206, native=206)
def test_small_images_are_not_enlarged_beyond_need(shortest: int, short_side: int, native: int) -> None:
    rows = plan_resolution(shortest, 2 * shortest, short_side, (4, 4), native).grid[0]
    nearest = 0.5 + 1e-9  # exactly between two numbers of patches, rounding may go either way
    assert rows <= max(MAX_ENLARGEMENT * shortest, native) / 4 + nearest
    if short_side <= max(shortest, native):
        assert abs(rows - short_side / 4) <= nearest


def test_the_usual_windows() -> None:
    """224 at stride 112 over 448 x 336 pixels: three across and two down."""
    windows = plan_windows((21, 28), (16, 16), 224, 112)
    assert windows.shape == (14, 14)
    assert windows.corners == ((0, 0), (0, 7), (0, 14), (7, 0), (7, 7), (7, 14))


@given(
    grid=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    patch=st.tuples(st.integers(4, 32), st.integers(4, 32)),
    window=st.integers(32, 400),
    share=st.floats(0.05, 1),
)
def test_windows_cover_the_grid(
    grid: tuple[int, int], patch: tuple[int, int], window: int, share: float
) -> None:
    windows = plan_windows(grid, patch, window, max(1, int(share * window)))
    seen: set[tuple[int, int]] = set()
    for row, column in windows.corners:
        assert row + windows.shape[0] <= grid[0]
        assert column + windows.shape[1] <= grid[1]
        for i in range(windows.shape[0]):
            seen.update((row + i, column + j) for j in range(windows.shape[1]))
    assert len(seen) == grid[0] * grid[1]
    assert len(set(windows.corners)) == len(windows.corners)


PATCH = (4, 5)


def extractor(calls: list[int]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mean colour of each patch, and of the whole window: what is global differs between windows."""

    def extract(images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        patches = images.unfold(2, *PATCH[:1] * 2).unfold(3, *PATCH[1:] * 2).mean(dim=(-2, -1))
        whole = images.mean(dim=(2, 3), keepdim=True).expand_as(patches)
        return torch.cat([patches, whole], dim=1).flatten(2).transpose(1, 2)

    return extract


def one_by_one(images: torch.Tensor, windows: Windows) -> torch.Tensor:
    """Every patch of every image, by the long way, in float64."""
    rows, columns = images.shape[2] // PATCH[0], images.shape[3] // PATCH[1]
    found: dict[tuple[int, int, int], list[torch.Tensor]] = {}
    for number, image in enumerate(images.double()):
        for row, column in windows.corners:
            top, left = row * PATCH[0], column * PATCH[1]
            height, width = windows.shape[0] * PATCH[0], windows.shape[1] * PATCH[1]
            features = extractor([])(image[None, :, top : top + height, left : left + width])[0]
            for place, feature in enumerate(features):
                patch = (number, row + place // windows.shape[1], column + place % windows.shape[1])
                found.setdefault(patch, []).append(feature)
    means = [
        torch.stack(found[number, row, column]).mean(0)
        for number in range(len(images))
        for row in range(rows)
        for column in range(columns)
    ]
    return torch.stack(means).unflatten(0, (len(images), rows * columns))


def test_one_batch_equals_one_window_after_the_other() -> None:
    images = torch.randn(2, 3, 7 * PATCH[0], 9 * PATCH[1], generator=torch.Generator().manual_seed(0))
    windows = plan_windows((7, 9), PATCH, 16, 10)
    calls: list[int] = []
    features = windowed_features(extractor(calls), images, PATCH, windows)
    assert calls == [2 * len(windows.corners)]
    torch.testing.assert_close(features.double(), one_by_one(images, windows), rtol=0, atol=1e-6)


def test_one_window_is_the_whole_image() -> None:
    images = torch.randn(1, 3, 2 * PATCH[0], 3 * PATCH[1], generator=torch.Generator().manual_seed(1))
    windows = plan_windows((2, 3), PATCH, 100, 50)
    assert windows.corners == ((0, 0),)
    features = windowed_features(extractor([]), images, PATCH, windows)
    torch.testing.assert_close(features, extractor([])(images))
