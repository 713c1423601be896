"""Textures have their form, are reproducible, differ by seed and take the colour they are given."""

import numpy as np
import pytest

from training.textures import SIZE, TEXTURES, draw_texture


@pytest.mark.parametrize("name", TEXTURES)
def test_form_and_seed(name: str) -> None:
    first = draw_texture(name, 3)
    assert first.shape == (SIZE, SIZE, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, draw_texture(name, 3))
    assert (first != draw_texture(name, 4)).any()


@pytest.mark.parametrize("name", ["paint", "carpet", "wallpaper", "wood", "planks", "bricks"])
def test_color_is_taken(name: str) -> None:
    blue = draw_texture(name, 1, (0.1, 0.2, 0.9)).astype(float)
    assert blue[..., 2].mean() > 1.5 * blue[..., 0].mean()


def test_paint_keeps_to_its_tone() -> None:
    picture = draw_texture("paint", 0, (0.5, 0.25, 0.75)).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(picture, [127, 64, 191], atol=8)
