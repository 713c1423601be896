import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from ovseg_ros.clipseg import labelling
from ovseg_ros.clipseg.labelling import class_probability, labels_and_confidence, mean_value

Label = Callable[..., tuple[torch.Tensor, torch.Tensor]]

INTERPRETED = """
import torch
from test_labelling import check, random_case
from ovseg_ros.clipseg.cuda.labelling import label as label_by_kernel

def label(scores, size, ids, thresholds):
    labels = torch.full((len(scores), *size), 77, dtype=torch.uint8)
    confidence = torch.full_like(labels, 77)
    room = torch.nan * torch.ones(len(scores), scores.shape[1] + 3, *scores.shape[2:])
    room[:, :-3] = scores  # places without a class are never read
    room = room.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    label_by_kernel(room[:, :-3], ids, thresholds, labels, confidence)
    return labels, confidence

sizes = [(1, (1, 1), (1, 1)), (2, (3, 4), (17, 31)), (40, (4, 3), (30, 29)), (254, (2, 3), (20, 24))]
for seed, (classes, grid, size) in enumerate([*sizes, (5, (7, 6), (3, 2)), (33, (1, 4), (12, 1))]):
    check(label, *random_case(seed, classes, grid), size)
"""


def random_case(seed: int, classes: int, grid: tuple[int, int], images: int = 2) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    scores = 3 * torch.randn(images, classes, *grid, generator=generator)
    ids = torch.randperm(255, generator=generator)[:classes].to(torch.uint8)
    return scores, ids, torch.rand(classes, generator=generator)


def check(
    label: Label, scores: torch.Tensor, ids: torch.Tensor, thresholds: torch.Tensor, size: tuple[int, int]
) -> None:
    """`label` gives what all K x H x W probabilities at once give, in float64."""
    exact = F.interpolate(scores.double(), size, mode="bilinear", align_corners=False).softmax(1)
    best, winner = exact.max(1)
    labels, confidence = label(scores, size, ids, thresholds)
    assert labels.shape == confidence.shape == best.shape
    assert (confidence.double() - 255 * best).abs().max() <= 0.501
    # Labels may differ only where rounding decides: two equal scores, or a threshold met exactly.
    expected = torch.where(best < thresholds[winner], 255, ids[winner])
    runner_up = exact.topk(2, dim=1).values[:, 1] if exact.shape[1] > 1 else torch.zeros_like(best)
    clear = (best - runner_up > 1e-5) & ((best - thresholds[winner]).abs() > 1e-5)
    assert torch.equal(labels[clear], expected.to(torch.uint8)[clear])


@pytest.fixture(params=["compiled", "tiles"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways that a CPU has."""
    if request.param == "tiles":
        monkeypatch.setattr(labelling, "compiled_function", lambda: None)
    elif labelling.compiled_function() is None:
        pytest.skip(f"{labelling.LIBRARY.name} was not built: install the package (pip install -e .)")
    return request.param


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    classes=st.integers(1, 40),
    grid=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    tile=st.sampled_from([1, 64, 1000, 1 << 20]),
    use_library=st.booleans(),
)
def test_pieces_equal_the_whole(
    seed: int, classes: int, grid: tuple[int, int], size: tuple[int, int], tile: int, use_library: bool
) -> None:
    scores, ids, thresholds = random_case(seed, classes, grid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labelling, "TILE_ELEMENTS", tile)
        if not use_library:
            patch.setattr(labelling, "compiled_function", lambda: None)
        check(labels_and_confidence, scores, ids, thresholds, size)
        single = class_probability(scores[0], size, classes - 1)
        mean = mean_value(scores[0], size, 254 * thresholds)
    exact = F.interpolate(scores[:1].double(), size, mode="bilinear").softmax(1)[0]
    assert (single.double() - 255 * exact[-1]).abs().max() <= 0.501
    expected = (254 * thresholds.double()[:, None, None] * exact).sum(0)
    assert (mean.double() - expected).abs().max() <= 0.501


def test_many_classes_nearly_equal(way: str) -> None:
    """None can be left out of the sum, and many can win."""
    scores, ids, _ = random_case(0, 254, (5, 6), images=1)
    check(labels_and_confidence, scores / 300, ids, torch.zeros(254), (64, 70))


def test_many_classes_far_apart(way: str) -> None:
    scores, ids, thresholds = random_case(0, 254, (5, 6), images=1)
    check(labels_and_confidence, 40 * scores, ids, thresholds, (64, 70))


@pytest.mark.parametrize(("classes", "spread"), [(1, 1), (9, 1), (30, 0.01), (254, 2)])
def test_cells_of_the_grid_larger_than_a_tile(way: str, classes: int, spread: float) -> None:
    scores, ids, thresholds = random_case(1, classes, (2, 3), images=1)
    check(labels_and_confidence, spread * scores, ids, thresholds, (147, 205))


def test_the_first_of_equal_classes_wins(way: str) -> None:
    scores = torch.randn(1, 1, 4, 5).expand(1, 30, 4, 5)
    labels, confidence = labels_and_confidence(
        scores, (20, 30), torch.arange(30, dtype=torch.uint8), torch.zeros(30)
    )
    assert (labels == 0).all()
    assert ((confidence == 8) | (confidence == 9)).all()


def test_threads_share_the_rows(way: str) -> None:
    scores, ids, thresholds = random_case(3, 7, (5, 6))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = labels_and_confidence(scores, (61, 50), ids, thresholds)
        torch.set_num_threads(3)
        shared = labels_and_confidence(scores, (61, 50), ids, thresholds)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(alone[0], shared[0])
    assert torch.equal(alone[1], shared[1])


def test_threshold_hides_labels_and_keeps_confidence(way: str) -> None:
    ids = torch.tensor([3, 9], dtype=torch.uint8)
    labels, confidence = labels_and_confidence(torch.zeros(1, 2, 1, 1), (2, 2), ids, torch.tensor([0.6, 0.6]))
    assert (labels == 255).all()
    assert (confidence == 128).all()


def test_scores_far_apart_do_not_overflow(way: str) -> None:
    scores = torch.tensor([1e4, -1e4]).view(1, 2, 1, 1)
    ids = torch.tensor([1, 2], dtype=torch.uint8)
    labels, confidence = labels_and_confidence(scores, (3, 3), ids, torch.zeros(2))
    assert (labels == 1).all()
    assert (confidence == 255).all()


def test_the_kernel_in_tritons_interpreter() -> None:
    """The CUDA kernel, run step by step on the CPU: the same arithmetic without a GPU."""
    if find_spec("triton") is None:
        pytest.skip("triton is not installed")
    folder = os.path.dirname(__file__)
    path = os.pathsep.join([folder, *sys.path])
    surroundings = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", INTERPRETED], env=surroundings, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("classes", [1, 21, 254])
def test_the_kernel_on_cuda(classes: int) -> None:
    def on_cuda(*given: object) -> tuple[torch.Tensor, torch.Tensor]:
        moved = [value.cuda() if isinstance(value, torch.Tensor) else value for value in given]
        labels, confidence = labels_and_confidence(*moved)
        return labels.cpu(), confidence.cpu()

    scores, ids, thresholds = random_case(1, classes, (21, 28))
    check(on_cuda, scores, ids, thresholds, (480, 640))
