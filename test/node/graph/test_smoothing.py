"""output.smoothing over the graph: each camera's labels as its own last images make them."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import Image

from ovseg_ros.clipseg import Smoother, SmoothingState
from ovseg_ros.images.codec import decode_image

STEP_NS, SIZE = 100_000_000, (48, 64)


class Rig:
    """Two cameras that each see their own still scene with noise; twins do beside the node what it should."""

    def __init__(self, segmenter: Any, probe: Any, cameras: Any, wait_for: Callable[..., Any]) -> None:
        self._segmenter, self._probe, self._cameras, self._wait = segmenter, probe, cameras, wait_for
        self._random = np.random.default_rng(3)
        self.scenes = {
            name: cv2.resize(self._random.integers(0, 256, (6, 8, 3)).astype(np.float32), SIZE[::-1])
            for name in ("front", "rear")
        }
        self.inboxes = {name: probe.collect(Image, f"segmenter/{name}/labels") for name in self.scenes}
        self.number = 0

    def step(self, **twins: Smoother | None) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Send the next image of these cameras. By camera: the node's labels, the twin's, the image's."""
        self.number += 1
        stamp_ns = self.number * STEP_NS
        stamp = Time(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        images = {}
        for name in twins:
            noisy = self.scenes[name] + self._random.normal(0, 40, self.scenes[name].shape)
            pixels = np.clip(noisy, 0, 255).astype(np.uint8)
            images[name] = self._probe.image(pixels=pixels, stamp=stamp)
            self._cameras.images[name].publish(images[name])
        found = {}
        for name, image in images.items():
            message = self._wait(lambda: self.inboxes[name].of(image.header), f"labels of {name}")  # noqa: B023
            segmenter, pixels, twin = (
                self._segmenter.pipeline.setup.segmenter,
                decode_image(image),
                twins[name],
            )
            smoothing = [] if twin is None else [SmoothingState(twin, stamp_ns)]
            expected, alone = (
                segmenter.segment([pixels], "input", given)[0].labels for given in (smoothing, [])
            )
            found[name] = (decode_image(message)[..., 0], expected, alone)
        return found


@pytest.fixture
def rig(start: Callable[..., Any], probe: Any, cameras: Any, wait_for: Callable[..., Any]) -> Rig:
    rig = Rig(start(cameras=["front", "rear"], output__smoothing=0.3), probe, cameras, wait_for)
    cameras.feed(lambda: all(inbox.count for inbox in rig.inboxes.values()), "labels")
    return rig


def same(labels: np.ndarray, others: np.ndarray) -> bool:
    """But for rounding where two classes tie."""
    return bool((labels == others).mean() > 0.99)


def test_each_camera_is_steadied_by_its_own_images(rig: Rig) -> None:
    front, rear = Smoother(0.3), Smoother(0.3)
    smoothed = 0
    for number in range(8):
        # The rear camera sends half as often.
        for labels, expected, alone in rig.step(
            front=front, **({"rear": rear} if number % 2 else {})
        ).values():
            assert same(labels, expected)
            smoothed += not same(labels, alone)
    assert smoothed > 4, "or nothing was smoothed"


def test_other_words_and_other_strengths_begin_anew(rig: Rig, probe: Any) -> None:
    smoother = Smoother(0.3)
    for _ in range(4):
        rig.step(front=smoother)
    assert probe.set_vocabulary(["tree", "car", "lamp"]).success
    anew = [rig.step(front=smoother)["front"] for _ in range(2)]
    assert all(same(labels, expected) for labels, expected, _ in anew)
    assert same(anew[0][0], anew[0][2])
    assert not same(anew[1][0], anew[1][2])
    assert probe.set_parameters({"output.smoothing": 0.0}).successful
    labels, _, alone = rig.step(front=None)["front"]
    assert same(labels, alone)
    assert probe.set_parameters({"output.smoothing": 0.2}).successful
    fresh = Smoother(0.2)
    for labels, expected, _ in (rig.step(front=fresh)["front"] for _ in range(3)):
        assert same(labels, expected)


def test_smoothing_is_off_by_default(start: Callable[..., Any], probe: Any) -> None:
    segmenter = start()
    labels = probe.collect(Image, "segmenter/labels")
    probe.feed(lambda: labels.count > 2, "labels")
    assert segmenter.node.get_parameter("output.smoothing").value == 0.0
    assert segmenter.pipeline.cameras[0].smoothing is None
