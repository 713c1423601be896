"""Publishers that do not fit, clocks that do not run, cameras that fall silent: what is said of them."""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

WARN = 1


def test_a_publisher_whose_qos_does_not_fit_is_named(
    start: Callable[..., Any], probe: Any, status: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    segmenter = start(input__reliability="reliable")
    profile = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    probe.node.destroy_publisher(probe.images)
    probe.images = probe.node.create_publisher(Image, "image", profile)
    wait_for(lambda: segmenter.pipeline.cameras[0].qos_mismatches, "the mismatch")
    probe.images.publish(probe.image())
    found = status(lambda level, message, values: level == WARN and "QoS" in message, "the mismatch in words")
    assert "RELIABILITY" in found.message.upper()


def test_sim_time_without_a_clock_is_named(
    start: Callable[..., Any], probe: Any, summaries: Any, status: Callable[..., Any]
) -> None:
    start(use_sim_time=True)
    probe.feed(lambda: summaries.messages, "labels without a clock")
    assert math.isnan(summaries.messages[0].latency_ms)
    status(
        lambda level, message, values: level == WARN and "/clock" in message, "the missing clock", feed=True
    )


def test_silence_is_a_warning(
    start: Callable[..., Any], probe: Any, labels: Any, status: Callable[..., Any]
) -> None:
    start(input__stale_after=0.5)
    status(
        lambda level, message, values: level == WARN and "no image came yet" in message, "silence at first"
    )
    probe.feed(lambda: labels.messages, "labels")
    status(lambda level, message, values: level == WARN and "no image for" in message, "silence again")
    probe.node.destroy_publisher(probe.images)
    status(lambda level, message, values: "nothing publishes images on /image" in message, "nobody there")


def test_compressed_images_good_and_bad(
    start: Callable[..., Any], probe: Any, labels: Any, status: Callable[..., Any]
) -> None:
    segmenter = start(input__transport="compressed")
    probe.images = probe.node.create_publisher(CompressedImage, "image/compressed", 10)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    jpeg = cv2.imencode(".jpg", pixels)[1].tobytes()

    def make(data: bytes) -> CompressedImage:
        header = probe.image().header
        return CompressedImage(header=header, format="rgb8; jpeg compressed bgr8", data=data)

    probe.feed(lambda: labels.messages, "labels", lambda: make(jpeg))
    assert (labels.messages[0].height, labels.messages[0].width) == (48, 64)
    for reason, data in (("truncated", jpeg[: len(jpeg) // 2]), ("unknown_format", b"noise" * 9)):
        probe.feed(
            lambda reason=reason: reason in segmenter.pipeline.cameras[0].statistics.snapshot().rejected,
            f"a rejection for {reason}",
            lambda data=data: make(data),
        )
    labels.clear()
    probe.feed(lambda: labels.messages, "labels after", lambda: make(jpeg))
