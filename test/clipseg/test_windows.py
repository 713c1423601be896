from collections.abc import Callable

import torch

from ovseg_ros.clipseg.resolution import Windows, plan_windows
from ovseg_ros.clipseg.windows import windowed_features

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
