"""`locate` of a real node: answers from the newest frame, and waits for one where nobody subscribes."""

import threading
import time
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ovseg_ros.clipseg import Heat
from ovseg_ros.node import locate
from ovseg_ros.node.engine import PreparedSegmenter
from ovseg_ros.srv import Locate

SIZE = (48, 64)


@pytest.fixture
def segmenter(start: Any) -> Any:
    """A node for each test here: what one leaves behind would answer the next."""
    return start()


def ask(probe: Any, *texts: str, threshold: float = -1.0) -> Any:
    return probe.call(Locate, "locate", Locate.Request(texts=list(texts), threshold=threshold))


def heat_of(box: tuple[int, int, int, int], score: float, size: tuple[int, int]) -> Heat:
    """A map with one block of heat: column, row, width, height in a 64 x 48 image."""
    column, row, width, height = box
    probability = np.zeros(SIZE, np.uint8)
    probability[row : row + height, column : column + width] = round(255 * score)
    scale = size[0] // SIZE[0]
    return Heat(score, probability.repeat(scale, axis=0).repeat(scale, axis=1))


@pytest.fixture
def _known_heat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts with "box" have a block of heat at (10, 20), 8 wide and 6 high; others are cold."""

    def locate(setup: Any, segmentation: Any, texts: Any) -> list[Heat]:
        size = segmentation.output_size
        return [heat_of((10, 20, 8, 6), 0.75 if "box" in text[0] else 0.125, size) for text in texts]

    monkeypatch.setattr(PreparedSegmenter, "locate", locate)


def test_nobody_needs_to_subscribe(segmenter: Any, probe: Any) -> None:
    """The frame is segmented for the question, with the true heat maps."""
    with probe.feeding(20):
        answer = ask(probe, "fire extinguisher; red cylinder", "box")
    assert answer.success, answer.message
    first, second = answer.locations
    assert first.text == "fire extinguisher; red cylinder"
    assert second.text == "box"
    for location in answer.locations:
        assert location.header.frame_id == "optical"
        assert 0 <= location.score <= 1
        assert location.found == (location.score >= np.float32(0.4))
        assert (location.heat.height, location.heat.width) == SIZE
        assert location.heat.encoding == "mono8"
        assert location.heat.header == location.header
        assert max(location.heat.data) <= 255 * location.score + 1
        assert not location.has_position
    assert 0 <= answer.age < 10
    assert "no positions: points need camera_info" in answer.message


@pytest.mark.usefixtures("_known_heat")
@pytest.mark.parametrize("output_size", ["input", "model"])
def test_box_centre_and_share(segmenter: Any, probe: Any, output_size: str, monkeypatch: Any) -> None:
    if output_size == "model":

        def locate(setup: Any, segmentation: Any, texts: Any) -> list[Heat]:
            assert segmentation.output_size == (64, 80)
            probability = np.zeros((64, 80), np.uint8)
            probability[32:40, 20:30] = 190
            return [Heat(0.75, probability)]

        monkeypatch.setattr(PreparedSegmenter, "locate", locate)
    assert probe.set_parameters({"output.size": output_size}).successful
    with probe.feeding(20):
        (location,) = ask(probe, "box").locations
    region = location.region
    assert location.found
    if output_size == "input":
        assert (region.x_offset, region.y_offset, region.width, region.height) == (10, 20, 8, 6)
        assert (location.centroid_px.x, location.centroid_px.y) == (13.5, 22.5)
        assert location.share == pytest.approx(48 / (48 * 64))
    else:
        assert (region.x_offset, region.y_offset, region.width, region.height) == (16, 24, 8, 6)
        assert (location.centroid_px.x, location.centroid_px.y) == pytest.approx((24.5 * 0.8, 35.5 * 0.75))
        assert location.share == pytest.approx(80 / (64 * 80))
    assert probe.set_parameters({"output.size": "input"}).successful


@pytest.mark.usefixtures("_known_heat")
def test_not_there_is_an_answer(segmenter: Any, probe: Any) -> None:
    with probe.feeding(20):
        answer = ask(probe, "unicorn", "box")
        assert answer.success
        unicorn, box = answer.locations
        assert (unicorn.found, box.found) == (False, True)
        assert unicorn.score == 0.125
        assert unicorn.region.width == unicorn.share == unicorn.centroid_px.x == 0
        assert max(unicorn.heat.data) > 0
        assert ask(probe, "unicorn", threshold=0.1).locations[0].found
        assert not ask(probe, "box", threshold=0.9).locations[0].found
        assert probe.set_parameters({"locate.threshold": 0.8}).successful
        assert not ask(probe, "box").locations[0].found
    assert probe.set_parameters({"locate.threshold": 0.4}).successful


@pytest.mark.usefixtures("_known_heat")
def test_the_newest_frame_is_asked_again(start: Any, probe: Any, labels: Any) -> None:
    """While somebody subscribes, questions cost no frame of their own."""
    start(locate__max_age=60.0)
    probe.feed(lambda: labels.messages, "labels")
    time.sleep(1)  # for the last frames that were sent
    first, second = ask(probe, "box"), ask(probe, "unicorn")
    assert first.locations[0].header == second.locations[0].header
    assert labels.of(first.locations[0].header)


@pytest.mark.usefixtures("_known_heat")
def test_position_and_spread(start: Any, probe: Any) -> None:
    start()
    depths = probe.node.create_publisher(Image, "depth", 10)
    millimetres = np.full(SIZE, 4000, np.uint16)
    millimetres[20:26, 10:18] = 2000
    millimetres[20:26, 10:12] = 0
    millimetres[20, 12:18] = 2100
    info = CameraInfo(width=SIZE[1], height=SIZE[0])
    info.k = [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(0.05):
            image = probe.image(SIZE)
            depth = Image(height=SIZE[0], width=SIZE[1], encoding="16UC1", step=2 * SIZE[1])
            depth.header = Header(stamp=image.header.stamp)
            depth.data = millimetres.tobytes()
            probe.infos.publish(info)
            depths.publish(depth)
            probe.images.publish(image)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        location = next(
            answer.locations[0]
            for answer in (ask(probe, "box") for _ in range(50))
            if answer.locations and answer.locations[0].has_position
        )
    finally:
        stop.set()
        thread.join()
    assert (location.position.x, location.position.y, location.position.z) == pytest.approx(
        (2 * (14.5 - 32) / 60, 2 * (23 - 24) / 60, 2), abs=0.04
    )
    assert location.spread.z == 0
    assert 0 < location.spread.x < 0.15


def test_before_the_first_frame_it_says_so(start: Any, probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "IMAGE_PATIENCE", 0.3)
    start()
    answer = ask(probe, "box")
    assert not answer.success
    assert "none has come yet" in answer.message
    assert not answer.locations
    assert np.isnan(answer.age)


@pytest.mark.usefixtures("_known_heat")
def test_an_old_frame_is_searched_and_its_age_reported(
    start: Any, probe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate, "IMAGE_PATIENCE", 0.3)
    start(locate__max_age=0.2)
    with probe.feeding(20):
        assert ask(probe, "box").success
    time.sleep(1.0)
    answer = ask(probe, "box")
    assert answer.success
    assert answer.locations[0].found
    assert answer.age > 1
    assert f"{answer.age:.1f} s ago" in answer.message


@pytest.mark.parametrize(
    ("texts", "threshold", "said"),
    [
        ([], -1.0, "no text"),
        (["chair", " "], -1.0, "text 2 ' ' is blank"),
        (["x" * 201], -1.0, "text 1"),
        (["chair"] * 33, -1.0, "33 texts, expected at most 32"),
        (["chair"], 1.5, "threshold is 1.5"),
        (["chair"], float("nan"), "threshold is nan"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    segmenter: Any, probe: Any, texts: list[str], threshold: float, said: str
) -> None:
    answer = ask(probe, *texts, threshold=threshold)
    assert not answer.success
    assert said in answer.message


def test_a_camera_without_a_name_is_not_asked_for_by_one(segmenter: Any, probe: Any) -> None:
    answer = probe.call(Locate, "locate", Locate.Request(texts=["box"], camera="front"))
    assert not answer.success
    assert "no camera 'front': the only one here has no name" in answer.message


def test_a_node_that_is_not_active_says_so(start: Any, probe: Any) -> None:
    start(wait_until="unconfigured", autostart=False)
    assert "unconfigured" in ask(probe, "box").message
    assert probe.transition("configure")
    assert "inactive" in ask(probe, "box").message


def test_a_node_that_is_deactivated_meanwhile_answers(start: Any, probe: Any) -> None:
    start()
    client = probe.node.create_client(Locate, "locate")
    assert client.wait_for_service(10)
    future = client.call_async(Locate.Request(texts=["box"]))
    time.sleep(0.3)
    assert probe.transition("deactivate")
    end = time.monotonic() + 10
    while not future.done() and time.monotonic() < end:
        time.sleep(0.01)
    assert not future.result().success


def test_other_services_answer_meanwhile(segmenter: Any, probe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def locate(setup: Any, segmentation: Any, texts: Any) -> list[Heat]:
        release.wait(20)
        return [heat_of((0, 0, 1, 1), 0.5, segmentation.output_size)]

    monkeypatch.setattr(PreparedSegmenter, "locate", locate)
    client = probe.node.create_client(Locate, "locate")
    assert client.wait_for_service(10)
    with probe.feeding(20):
        future = client.call_async(Locate.Request(texts=["box"]))
        time.sleep(0.5)
        assert probe.get_vocabulary().classes
        assert not future.done()
        release.set()
        end = time.monotonic() + 20
        while not future.done() and time.monotonic() < end:
            time.sleep(0.01)
    assert future.result().success
