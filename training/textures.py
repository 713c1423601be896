"""Textures drawn by numbers: wood, tiles, bricks, grass, asphalt and the like, any number of each by seed.

All are uint8 RGB [SIZE, SIZE, 3] and repeat without a seam, or nearly so.
"""

from collections.abc import Callable

import cv2
import numpy as np

SIZE = 256

Color = tuple[float, float, float]


def draw_texture(name: str, seed: int, color: Color | None = None) -> np.ndarray:
    """A texture by its name in `TEXTURES`, uint8 RGB [SIZE, SIZE, 3].

    Args:
        name: material.
        seed: which of many.
        color: RGB 0..1 where the material may have any (paint, carpet, wallpaper); None: the usual.
    """
    rng = np.random.default_rng([seed, sum(map(ord, name))])
    return np.clip(TEXTURES[name](rng, color), 0, 255).astype(np.uint8)


def smooth_noise(
    rng: np.random.Generator, scales: tuple[int, ...], stretch: tuple[int, int] = (1, 1)
) -> np.ndarray:
    """Smooth noise of mean 0 and deviation near 1, float [SIZE, SIZE, 1], as a sum of grids of `scales`
    cells."""
    total = np.zeros((SIZE, SIZE))
    for scale in scales:
        rows, columns = max(2, scale // stretch[0]), max(2, scale // stretch[1])
        grid = rng.standard_normal((rows, columns)).astype(np.float32)
        wrapped = np.pad(grid, 2, mode="wrap")
        fine = cv2.resize(
            wrapped,
            (SIZE * (columns + 4) // columns, SIZE * (rows + 4) // rows),
            interpolation=cv2.INTER_CUBIC,
        )
        top, left = 2 * SIZE // rows, 2 * SIZE // columns
        total += fine[top : top + SIZE, left : left + SIZE]
    return (total / np.sqrt(len(scales)))[..., None]


def _shade(color: Color | np.ndarray, amount: np.ndarray) -> np.ndarray:
    return 255 * np.asarray(color) * (1 + amount)


def _jitter(rng: np.random.Generator, color: Color, amount: float = 0.06) -> np.ndarray:
    return np.clip(
        np.asarray(color) * (1 + amount * rng.standard_normal()) + 0.02 * rng.standard_normal(3), 0, 1
    )


def _paint(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    return _shade(color or (0.85, 0.83, 0.78), 0.025 * smooth_noise(rng, (4, 16, 128)))


def _wood(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    woods = ((0.62, 0.43, 0.25), (0.48, 0.31, 0.18), (0.72, 0.55, 0.36), (0.55, 0.33, 0.17))
    base = color or _jitter(rng, woods[rng.integers(len(woods))])
    return _shade(base, 0.10 * smooth_noise(rng, (64, 128), (16, 1)) + 0.05 * smooth_noise(rng, (8,)))


def _planks(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    picture = _wood(rng, color)
    boards = int(rng.choice([4, 6, 8]))
    width = SIZE // boards
    for board in range(boards):
        left = board * width
        right = SIZE if board == boards - 1 else left + width
        shift = int(rng.integers(SIZE))
        picture[:, left:right] = np.roll(picture[:, left:right], shift, axis=0) * rng.uniform(0.82, 1.12)
        picture[:, left : left + 2] *= 0.45
        picture[shift : shift + 2, left:right] *= 0.45
    return picture


def _tiles(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    count = int(rng.choice([2, 4]))
    step = SIZE // count
    tones = ((0.78, 0.76, 0.72), (0.60, 0.63, 0.66), (0.74, 0.64, 0.54), (0.86, 0.86, 0.84))
    base = color or _jitter(rng, tones[rng.integers(len(tones))])
    second = np.asarray(base) * rng.choice([1.0, 1.0, 0.55])
    picture = np.zeros((SIZE, SIZE, 3))
    for row in range(count):
        for column in range(count):
            tone = base if (row + column) % 2 else second
            picture[row * step : (row + 1) * step, column * step : (column + 1) * step] = (
                255 * np.asarray(tone) * rng.uniform(0.95, 1.05)
            )
    picture *= 1 + 0.03 * smooth_noise(rng, (8, 64))
    joint = 255 * np.array([0.45, 0.44, 0.42]) * rng.uniform(0.7, 1.4)
    for place in range(0, SIZE, step):
        picture[place : place + 4] = joint
        picture[:, place : place + 4] = joint
    return picture


def _bricks(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    tones = ((0.60, 0.27, 0.20), (0.50, 0.24, 0.18), (0.68, 0.38, 0.28))
    base = color or _jitter(rng, tones[rng.integers(len(tones))])
    picture = np.tile(255 * np.array([0.70, 0.67, 0.62]), (SIZE, SIZE, 1))
    height, width = SIZE // 8, SIZE // 4
    for row in range(8):
        for column in range(-1, 4):
            left = column * width + (width // 2 if row % 2 else 0)
            tone = 255 * np.asarray(base) * rng.uniform(0.8, 1.2)
            top = row * height
            for start in (left, left + SIZE) if left < 0 else (left,):
                picture[top + 3 : top + height, max(0, start + 3) : start + width] = tone
    return picture * (1 + 0.06 * smooth_noise(rng, (32, 128)))


def _grass(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    greens = ((0.27, 0.45, 0.15), (0.33, 0.50, 0.20), (0.40, 0.50, 0.20), (0.22, 0.40, 0.16))
    base = color or _jitter(rng, greens[rng.integers(len(greens))])
    return _shade(base, 0.22 * smooth_noise(rng, (128, 256)) + 0.10 * smooth_noise(rng, (6, 16)))


def _carpet(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    base = np.asarray(color or (0.5, 0.3, 0.3))
    picture = _shade(base, 0.10 * smooth_noise(rng, (256,)) + 0.04 * smooth_noise(rng, (16,)))
    if rng.random() < 0.6:
        pale = np.clip(base * 1.5 + 0.1, 0, 1) * 255
        picture[:14], picture[-14:], picture[:, :14], picture[:, -14:] = pale, pale, pale, pale
        if rng.random() < 0.5:
            cv2.circle(picture, (SIZE // 2, SIZE // 2), SIZE // 4, tuple(float(v) for v in pale), 10)
    return picture


def _asphalt(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    base = color or (rng.uniform(0.22, 0.36),) * 3
    return _shade(base, 0.14 * smooth_noise(rng, (128, 256)) + 0.05 * smooth_noise(rng, (5, 12)))


def _paving(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    picture = _shade(color or _jitter(rng, (0.66, 0.64, 0.61)), 0.05 * smooth_noise(rng, (16, 128)))
    count = int(rng.choice([3, 4, 6]))
    for place in np.linspace(0, SIZE, count, endpoint=False).astype(int):
        picture[place : place + 3] *= 0.62
        picture[:, place : place + 3] *= 0.62
    return picture


def _gravel(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    base = color or _jitter(rng, (0.58, 0.54, 0.48))
    stones = np.round(1.5 * smooth_noise(rng, (64,)) + 1.0 * smooth_noise(rng, (96,)))
    return _shade(base, 0.13 * stones + 0.06 * smooth_noise(rng, (256,)))


def _sand(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    base = color or _jitter(rng, (0.85, 0.74, 0.52))
    ripples = np.sin(np.linspace(0, 12 * np.pi, SIZE))[:, None, None]
    return _shade(base, 0.03 * ripples + 0.05 * smooth_noise(rng, (8, 256)))


def _leaves(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    base = color or _jitter(rng, (0.18, 0.40, 0.14), 0.15)
    return _shade(base, 0.30 * smooth_noise(rng, (48, 96)))


def _bark(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    return _shade(color or _jitter(rng, (0.36, 0.26, 0.18)), 0.2 * smooth_noise(rng, (64,), (8, 1)))


def _cardboard(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    picture = _shade(color or _jitter(rng, (0.72, 0.55, 0.36)), 0.03 * smooth_noise(rng, (16, 128)))
    picture[:, SIZE // 2 - 12 : SIZE // 2 + 12] = 255 * np.array([0.84, 0.74, 0.55])
    return picture


def _wallpaper(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    picture = _paint(rng, color)
    step = SIZE // int(rng.choice([4, 8]))
    for place in range(0, SIZE, step):
        picture[:, place : place + step // 3] *= 0.88
    return picture


def _painting(rng: np.random.Generator, color: Color | None) -> np.ndarray:
    """A picture to hang on a wall: a landscape or blots of colour."""
    picture = np.tile(255 * rng.uniform(0.3, 0.95, 3), (SIZE, SIZE, 1))
    for _ in range(int(rng.integers(4, 9))):
        tone = tuple(float(v) for v in 255 * rng.uniform(0.05, 1, 3))
        a, b = rng.integers(0, SIZE, 2), rng.integers(20, SIZE // 2, 2)
        if rng.random() < 0.5:
            cv2.rectangle(picture, a.tolist(), (a + b).tolist(), tone, -1)
        else:
            cv2.circle(picture, a.tolist(), int(b[0] // 2), tone, -1)
    return picture * (1 + 0.04 * smooth_noise(rng, (32, 128)))


TEXTURES: dict[str, Callable[[np.random.Generator, Color | None], np.ndarray]] = {
    "paint": _paint,
    "wood": _wood,
    "planks": _planks,
    "tiles": _tiles,
    "bricks": _bricks,
    "grass": _grass,
    "carpet": _carpet,
    "asphalt": _asphalt,
    "paving": _paving,
    "gravel": _gravel,
    "sand": _sand,
    "leaves": _leaves,
    "bark": _bark,
    "cardboard": _cardboard,
    "wallpaper": _wallpaper,
    "painting": _painting,
}
"""Every material by name."""
