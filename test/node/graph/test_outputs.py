"""What goes out for each frame, and that nothing is made for nobody."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image

import ovseg_ros.node.outputs
from ovseg_ros.clipseg import Segmentation
from ovseg_ros.node.engine import PreparedSegmenter


def pixels(message: Image) -> np.ndarray:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, -1)


def one_frame(probe: Any, *inboxes: Any, **image: Any) -> tuple[Image, list[Any]]:
    """An input image and the messages that came of it, one from each inbox."""
    sent: list[Image] = []

    def make() -> Image:
        sent.append(probe.image(**image))
        return sent[-1]

    def complete() -> Any:
        for message in sent:
            found = [inbox.of(message.header) for inbox in inboxes]
            if all(found):
                return message, found
        return None

    return probe.feed(complete, "a frame on every topic", make)


def test_every_output_carries_the_header_and_size_of_its_input(segmenter: Any, probe: Any) -> None:
    names = ("labels", "confidence", "overlay", "confidence/box")
    inboxes = [probe.collect(Image, f"segmenter/{name}") for name in names]
    sent, received = one_frame(probe, *inboxes)
    for name, message in zip(names, received, strict=True):
        assert message.header == sent.header, name
        assert (message.height, message.width) == (48, 64), name
        assert message.encoding == ("rgb8" if name == "overlay" else "mono8"), name
        assert message.step == message.width * (3 if name == "overlay" else 1), name
        assert len(message.data) == message.step * message.height, name
    labels, confidence, overlay, box = (pixels(message) for message in received)
    assert set(np.unique(labels)) <= {1, 2, 3}
    assert np.array_equal(confidence[labels == 3], box[labels == 3])
    assert (box[labels != 3] <= confidence[labels != 3]).all()
    assert not np.array_equal(overlay, pixels(sent))


def test_summary_adds_up(segmenter: Any, probe: Any, summaries: Any, labels: Any) -> None:
    sent, (summary, image) = one_frame(probe, summaries, labels)
    assert summary.header == sent.header
    assert [entry.name for entry in summary.classes] == ["floor", "wall", "box"]
    assert sum(e.share for e in summary.classes) + summary.unlabelled_share == pytest.approx(1, abs=1e-5)
    for entry in summary.classes:
        assert entry.share == pytest.approx((pixels(image) == entry.id).mean(), abs=1e-6)
        assert 0 <= entry.mean_confidence <= 1
        assert entry.confidence_topic == f"/segmenter/confidence/{entry.name}"
    assert summary.vocabulary_revision == probe.get_vocabulary().revision
    assert summary.inference_ms > 0
    assert 0 < summary.latency_ms < 20_000


@pytest.mark.parametrize("size", ["input", "model"])
def test_camera_info_fits_the_labels(segmenter: Any, probe: Any, labels: Any, size: str) -> None:
    assert probe.set_parameters({"output.size": size}).successful
    infos = probe.collect(CameraInfo, "segmenter/camera_info")
    calibration = CameraInfo(width=256, height=192)
    calibration.k = [200.0, 0.0, 128.0, 0.0, 200.0, 96.0, 0.0, 0.0, 1.0]
    calibration.header.frame_id = "another"

    def make() -> Image:
        probe.infos.publish(calibration)
        return probe.image()

    def both() -> Any:
        pairs = [(info, labels.of(info.header)) for info in list(infos.messages)]
        expected = (48, 64) if size == "input" else (64, 80)
        return next((p for p in pairs if p[1] and (p[1].height, p[1].width) == expected), None)

    info, image = probe.feed(both, "camera_info with labels", make)
    assert (info.height, info.width) == (image.height, image.width)
    assert info.header == image.header
    assert info.k[0] == pytest.approx(200 * image.width / 256)
    assert info.k[4] == pytest.approx(200 * image.height / 192)
    assert probe.set_parameters({"output.size": "input"}).successful


def test_nothing_is_computed_without_a_subscriber(
    segmenter: Any, probe: Any, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[int] = []
    monkeypatch.setattr(PreparedSegmenter, "segment", lambda *_: frames.append(1))
    found = status(
        lambda level, message, values: int(values["frames skipped, no subscriber"]) > 5,
        "skipped frames",
        feed=True,
    )
    assert not frames
    assert "failed" not in found.message


def test_only_what_is_subscribed_is_made(
    segmenter: Any, probe: Any, labels: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def spy(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def wrapped(*args: Any, **options: Any) -> Any:
            made.append(name)
            return original(*args, **options)

        monkeypatch.setattr(owner, name, wrapped)

    spy(Segmentation, "class_confidence")
    spy(Segmentation, "summary")
    spy(ovseg_ros.node.outputs, "overlay")
    spy(ovseg_ros.node.outputs, "fill_image")
    probe.feed(lambda: len(labels.messages) >= 3, "labels")
    assert set(made) == {"fill_image"}
    made.clear()
    walls = probe.collect(Image, "segmenter/confidence/wall")
    probe.feed(lambda: walls.messages, "confidence of one class")
    assert set(made) == {"fill_image", "class_confidence"}


def test_overlay_strength_follows_its_parameter(segmenter: Any, probe: Any) -> None:
    overlays = probe.collect(Image, "segmenter/overlay")
    difference = {}
    for alpha in (0.1, 1.0):
        assert probe.set_parameters({"output.overlay_alpha": alpha}).successful
        overlays.clear()
        sent, (overlay,) = one_frame(probe, overlays)
        difference[alpha] = np.abs(pixels(overlay).astype(int) - pixels(sent)).mean()
    assert difference[1.0] > 2 * difference[0.1]
