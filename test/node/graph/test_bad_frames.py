"""What is broken or strange at the inputs is told, and the next good frame is labelled."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, Image

from ovseg_ros.clipseg import DeviceLost, OutOfMemory, Segmenter

WARN, ERROR = 1, 2


def odd_step(image: Image) -> None:
    """Rows padded to a step that is larger, and no multiple of the pixel: fine, though often misread."""
    rows = np.frombuffer(image.data, np.uint8).reshape(image.height, image.step)
    image.step += 7
    image.data = np.pad(rows, ((0, 0), (0, 7))).tobytes()


def set_fields(**fields: Any) -> Callable[[Image], None]:
    def change(image: Image) -> None:
        for name, value in fields.items():
            setattr(image, name, value)

    return change


BROKEN = {
    "step_too_small": set_fields(step=10),
    "data_size": set_fields(data=b"\0" * 100),
    "zero_size": set_fields(height=0, width=0, step=0, data=b""),
    "too_large": set_fields(height=100_000, width=100_000),
    "unknown_encoding": set_fields(encoding="my_camera_raw7"),
    "empty_encoding": set_fields(encoding=""),
    "depth_image": set_fields(encoding="32FC1"),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_image_is_counted_and_the_next_one_labelled(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any], reason: str
) -> None:
    probe.feed(lambda: labels.messages, "labels before")

    def make() -> Image:
        image = probe.image()
        BROKEN[reason](image)
        return image

    def seen() -> bool:
        return segmenter.pipeline.cameras[0].statistics.snapshot().rejected.get(reason, 0) > 0

    probe.feed(seen, f"a rejection for {reason}", make)
    status(
        lambda level, message, values: (
            level == WARN
            and int(values.get(f"rejected: {reason}", 0)) > 0
            and message.startswith("rejected: ")
        ),
        f"a warning that names {reason}",
    )
    labels.clear()
    probe.feed(lambda: labels.messages, "labels after")


def test_a_step_that_is_no_multiple_of_the_pixel_shears_nothing(
    segmenter: Any, probe: Any, labels: Any
) -> None:
    plain = probe.image()
    padded = probe.image(stamp=Time(sec=plain.header.stamp.sec, nanosec=1))
    odd_step(padded)
    first = probe.feed(lambda: labels.of(plain.header), "labels of the plain image", lambda: plain)
    second = probe.feed(lambda: labels.of(padded.header), "labels of the padded image", lambda: padded)
    assert first.data == second.data


def test_the_size_may_change_in_mid_stream(segmenter: Any, probe: Any, labels: Any) -> None:
    for size in ((48, 64), (64, 48), (33, 91), (48, 64)):
        labels.clear()
        probe.feed(
            lambda size=size: any((m.height, m.width) == size for m in list(labels.messages)),
            f"labels of {size}",
            lambda size=size: probe.image(size=size),
        )


def test_a_camera_info_of_another_shape_is_rejected_alone(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any]
) -> None:
    infos = probe.collect(CameraInfo, "segmenter/camera_info")
    wrong = CameraInfo(width=1000, height=100)
    wrong.k = [100.0, 0.0, 50.0, 0.0, 100.0, 50.0, 0.0, 0.0, 1.0]

    def make() -> Image:
        probe.infos.publish(wrong)
        return probe.image()

    def rejected() -> bool:
        return "camera_info_size" in segmenter.pipeline.cameras[0].statistics.snapshot().rejected

    probe.feed(rejected, "a rejected camera_info", make)
    status(lambda level, message, values: int(values.get("rejected: camera_info_size", 0)) > 0, "its count")
    assert labels.messages
    assert all((info.width, info.height) != (64, 48) for info in infos.messages)


@pytest.mark.parametrize(
    ("warning", "stamp"),
    [
        ("stamp_zero", lambda now: Time()),
        ("stamp_in_the_future", lambda now: Time(sec=now.sec + 100, nanosec=now.nanosec)),
        ("stamp_of_another_clock", lambda now: Time(sec=1000, nanosec=now.nanosec)),
    ],
)
def test_a_frame_with_an_unusual_stamp_is_counted_and_kept(
    segmenter: Any,
    probe: Any,
    summaries: Any,
    status: Callable[..., Any],
    warning: str,
    stamp: Callable[[Time], Time],
) -> None:
    def make() -> Image:
        return probe.image(stamp=stamp(probe.node.get_clock().now().to_msg()))

    def counted() -> bool:
        return segmenter.pipeline.cameras[0].statistics.snapshot().stamp_warnings.get(warning, 0) > 0

    probe.feed(counted, f"a frame with {warning}", make)
    summaries.clear()
    odd = probe.feed(
        lambda: next((s for s in list(summaries.messages) if math.isnan(s.latency_ms)), None),
        "a summary without a latency",
        make,
    )
    assert odd.vocabulary_revision > 0
    status(
        lambda level, message, values: int(values.get(f"stamp warning: {warning}", 0)) > 0,
        f"a count of {warning}",
    )


def test_stamps_that_jump_back_do_not_stall_anything(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any]
) -> None:
    """A bag that loops, seen by a node that warns about its stamps the whole time."""
    for _ in range(2):
        for second in range(2000, 2003):
            labels.clear()
            stamp = Time(sec=second)
            probe.feed(
                lambda stamp=stamp: any(m.header.stamp == stamp for m in list(labels.messages)),
                f"labels of second {second}",
                lambda stamp=stamp: probe.image(stamp=stamp),
            )
    status(
        lambda level, message, values: int(values.get("stamp warning: stamp_jumped_back", 0)) > 0, "the jump"
    )


def test_an_exception_in_the_work_is_reported_and_survived(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise DeviceLost("the GPU fell off the bus")

    with monkeypatch.context() as broken:
        broken.setattr(Segmenter, "segment_batch", lost)
        found = status(
            lambda level, message, values: level == ERROR and "fell off the bus" in message,
            "an error",
            feed=True,
        )
    assert int({v.key: v.value for v in found.values}["frames failed"]) > 0
    labels.clear()
    probe.feed(lambda: labels.messages, "labels after the failure")
    status(lambda level, message, values: level != ERROR, "no error any more", feed=True)


def test_out_of_memory_is_retried_smaller(
    segmenter: Any, probe: Any, labels: Any, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probe.set_parameters({"method.short_side": 128}).successful
    original = Segmenter.segment_batch
    tried: list[int] = []

    def short_of_memory(self: Segmenter, *args: Any, **options: Any) -> Any:
        tried.append(self.short_side)
        if self.short_side > 100:
            raise OutOfMemory("no memory left")
        return original(self, *args, **options)

    probe.feed(
        lambda: segmenter.pipeline.setup.segmenter.description["short_side"] == "128",
        "the new size",
    )
    monkeypatch.setattr(Segmenter, "segment_batch", short_of_memory)
    probe.feed(lambda: any(size < 100 for size in tried), "a smaller try")
    labels.clear()
    probe.feed(lambda: len(labels.messages) >= 3, "labels")
    assert tried.count(128) == 1, "the smaller size stays in use"
    status(lambda level, message, values: level == WARN and "memory" in message, "a warning", feed=True)
    assert probe.set_parameters({"method.short_side": 64}).successful
