"""Several cameras in one node: each with its own names, headers and troubles, and one model for all."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, Image, PointCloud2

from ovseg_ros.clipseg import Heat, OutOfMemory, Segmenter
from ovseg_ros.msg import SegmentationSummary, Vocabulary
from ovseg_ros.node.engine import PreparedSegmenter
from ovseg_ros.srv import Locate

OK, WARN, ERROR = 0, 1, 2
SIZE, OTHER_SIZE = (48, 64), (60, 44)
OUTPUTS = ("labels", "confidence", "summary", "overlay", "camera_info", "cost", "points")


@pytest.fixture(scope="module")
def segmenter(start_segmenter: Callable[..., Any]) -> Iterator[Any]:
    """A node with two cameras, shared by the tests here that leave it as it is."""
    shared = start_segmenter(cameras=["front", "rear"])
    yield shared
    shared.stop()


def both(probe: Any, kind: type = Image, topic: str = "labels", **options: Any) -> tuple[Any, Any]:
    front, rear = (probe.collect(kind, f"segmenter/{name}/{topic}", **options) for name in ("front", "rear"))
    return front, rear


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[int, ...]]]:
    """The shapes of the images of each batch that the model is given."""
    found: list[list[tuple[int, ...]]] = []
    original = Segmenter.segment_batch

    def spy(self: Segmenter, images: Any, *args: Any, **options: Any) -> Any:
        found.append([image.shape[:2] for image in images])
        return original(self, images, *args, **options)

    monkeypatch.setattr(Segmenter, "segment_batch", spy)
    return found


def camera_named(segmenter: Any, name: str) -> Any:
    return next(camera for camera in segmenter.pipeline.cameras if camera.name == name)


def statuses(probe: Any, wait_for: Callable[..., Any]) -> dict[str, Any]:
    """The next diagnostic status of each camera."""
    inbox = probe.diagnostics()
    array = wait_for(lambda: list(inbox.messages), "diagnostics")[-1]
    return {entry.name.removeprefix("segmenter: segmentation "): entry for entry in array.status}


def test_every_name_is_there_once_a_camera(segmenter: Any, probe: Any, wait_for: Callable[..., Any]) -> None:
    def names() -> set[str]:
        return {name for name, _ in probe.node.get_topic_names_and_types()}

    outputs = {f"/segmenter/{camera}/{name}" for camera in ("front", "rear") for name in OUTPUTS}
    classes = {f"/segmenter/{camera}/confidence/wall" for camera in ("front", "rear")}
    inputs = {
        f"/{camera}/{name}" for camera in ("front", "rear") for name in ("image", "camera_info", "depth")
    }
    once = {"/segmenter/vocabulary", "/segmenter/label_info"}
    wait_for(lambda: outputs | classes | inputs | once <= names(), "all names")
    assert not names() & {f"/segmenter/{name}" for name in OUTPUTS}


def test_each_output_carries_its_own_cameras_header(segmenter: Any, probe: Any, cameras: Any) -> None:
    kinds = {"labels": Image, "confidence/wall": Image, "overlay": Image, "summary": SegmentationSummary}
    inboxes = {topic: both(probe, kind, topic) for topic, kind in kinds.items()}
    cameras.feed(
        lambda: all(inbox.count >= 3 for pair in inboxes.values() for inbox in pair), "frames of both"
    )
    for topic, pair in inboxes.items():
        for name, inbox in zip(("front", "rear"), pair, strict=True):
            stamps = {str(image.header.stamp) for image in cameras.sent[name]}
            for message in inbox.messages:
                assert message.header.frame_id == f"{name}_optical", topic
                assert str(message.header.stamp) in stamps, topic


def test_each_camera_shows_its_own_picture(segmenter: Any, probe: Any, cameras: Any, wait_for: Any) -> None:
    """In a batch the answers keep their images' order: one camera sees what it sees alone."""
    inboxes = dict(zip(("front", "rear"), both(probe), strict=True))
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8) for name in inboxes}

    def labels_of(*names: str) -> list[np.ndarray]:
        sent: list[list[Any]] = []

        def answered() -> list[np.ndarray]:
            sent.append([probe.image(pixels=pictures[name]) for name in names])
            for name, image in zip(names, sent[-1], strict=True):
                cameras.images[name].publish(image)
            for images in sent:
                found = [inboxes[name].of(image.header) for name, image in zip(names, images, strict=True)]
                if all(found):
                    return [np.frombuffer(message.data, np.uint8) for message in found]
            return []

        return list(wait_for(answered, "labels"))

    alone = [*labels_of("front"), *labels_of("rear")]
    together = labels_of("front", "rear")
    for place in (0, 1):
        # Products of other sizes round otherwise, which may turn a pixel between two classes.
        assert np.mean(together[place] == alone[place]) > 0.98
    assert np.mean(alone[0] == alone[1]) < 0.9


def test_frames_that_wait_together_are_one_batch(
    segmenter: Any, probe: Any, cameras: Any, batches: list[Any]
) -> None:
    both(probe)
    cameras.feed(lambda: [SIZE, SIZE] in batches, "a batch of two")


def test_sizes_of_their_own_and_rates_of_their_own(
    segmenter: Any, probe: Any, cameras: Any, batches: list[Any], wait_for: Callable[..., Any]
) -> None:
    front, rear = both(probe)
    with cameras.running({"front": 0.01, "rear": 0.25}, rear=OTHER_SIZE):
        wait_for(lambda: rear.count >= 5, "five frames of the slow camera")
    assert {(m.height, m.width) for m in front.messages} == {SIZE}
    assert {(m.height, m.width) for m in rear.messages} == {OTHER_SIZE}
    assert all(len(set(shapes)) == 1 for shapes in batches), "a batch has one size"


def test_a_silent_camera_hurts_no_other(
    segmenter: Any, probe: Any, cameras: Any, wait_for: Callable[..., Any]
) -> None:
    front, _ = both(probe)
    cameras.feed(lambda: front.count >= 5, "frames of the front", front=SIZE)

    def judged() -> bool:
        found = statuses(probe, wait_for)
        cameras.send("front")
        return found["front"].level[0] == OK and "/rear/image" in found["rear"].message

    wait_for(judged, "a warning of the rear alone")


def test_nothing_is_computed_for_a_camera_that_nobody_watches(
    segmenter: Any, probe: Any, cameras: Any, batches: list[Any]
) -> None:
    labels = probe.collect(Image, "segmenter/rear/labels")
    before = camera_named(segmenter, "front").statistics.snapshot().skipped
    cameras.feed(lambda: labels.count >= 5, "frames of the rear", front=OTHER_SIZE, rear=SIZE)
    assert camera_named(segmenter, "front").statistics.snapshot().skipped > before
    assert set(map(str, batches)) == {str([SIZE])}


def test_a_rejected_frame_hurts_no_other(segmenter: Any, probe: Any, cameras: Any) -> None:
    front, rear = both(probe)
    bad, good = camera_named(segmenter, "front").statistics, camera_named(segmenter, "rear").statistics

    before = good.snapshot().rejected
    sent: list[Image] = []

    def rejected() -> bool:
        sent.append(cameras.image("front"))
        sent[-1].encoding = "my_camera_raw7"
        cameras.images["front"].publish(sent[-1])
        return bad.snapshot().rejected.get("unknown_encoding", 0) >= 3 and rear.count >= 3

    cameras.feed(rejected, "rejected frames beside good ones", rear=SIZE)
    assert not any(front.of(image.header) for image in sent)
    assert good.snapshot().rejected == before
    front.clear()
    cameras.feed(lambda: front.messages, "good frames again")


def test_a_batch_that_fails_is_counted_at_its_cameras(
    segmenter: Any,
    probe: Any,
    cameras: Any,
    wait_for: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Segmenter.segment_batch

    def broken(self: Segmenter, images: Any, *args: Any, **options: Any) -> Any:
        if images[0].shape[:2] == OTHER_SIZE:
            raise RuntimeError("this size breaks the model")
        return original(self, images, *args, **options)

    monkeypatch.setattr(Segmenter, "segment_batch", broken)
    front, rear = both(probe)
    failures, fine = (camera_named(segmenter, name).statistics for name in ("rear", "front"))
    before, fine_before = failures.snapshot().errors, fine.snapshot().errors

    def both_ways() -> bool:
        return failures.snapshot().errors >= before + 2 and front.count >= 3

    cameras.feed(both_ways, "failures beside labels", front=SIZE, rear=OTHER_SIZE)
    assert not any(rear.of(image.header) for image in cameras.sent["rear"])
    assert fine.snapshot().errors == fine_before
    levels = {name: status.level[0] for name, status in statuses(probe, wait_for).items()}
    assert levels["rear"] == ERROR
    assert levels["front"] != ERROR
    rear.clear()
    cameras.feed(lambda: rear.messages, "labels again")


def test_without_memory_for_a_batch_frames_go_one_by_one(
    segmenter: Any, probe: Any, cameras: Any, status: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Segmenter.segment_batch
    before = camera_named(segmenter, "front").statistics.snapshot().errors
    counts: list[int] = []

    def short_of_memory(self: Segmenter, images: Any, *args: Any, **options: Any) -> Any:
        counts.append(len(images))
        if len(images) > 1:
            raise OutOfMemory("no memory left")
        return original(self, images, *args, **options)

    monkeypatch.setattr(Segmenter, "segment_batch", short_of_memory)
    inboxes = both(probe)
    cameras.feed(lambda: 2 in counts, "a batch that is too large")
    seen = [inbox.count for inbox in inboxes]
    cameras.feed(
        lambda: all(inbox.count > count + 3 for inbox, count in zip(inboxes, seen, strict=True)), "labels"
    )
    assert counts.count(2) == 1, "it is not tried again"
    with cameras.running({"front": 0.05, "rear": 0.05}):
        status(lambda level, message, values: level == WARN and "one by one" in message, "a warning")
    assert camera_named(segmenter, "front").statistics.snapshot().errors == before
    assert probe.set_vocabulary(["floor", "wall", "box; crate"]).success, "new words try batches anew"
    cameras.feed(lambda: counts.count(2) == 2, "another batch")
    monkeypatch.undo()
    assert probe.set_vocabulary(["floor", "wall", "box; crate"]).success, "or the node stays without batches"


def test_no_batch_mixes_two_vocabularies(
    segmenter: Any, probe: Any, cameras: Any, wait_for: Callable[..., Any]
) -> None:
    """Frames of one batch carry one revision, and its ids only."""
    labels, summaries = both(probe), both(probe, SegmentationSummary, "summary")
    ids_of: dict[int, set[int]] = {}
    with cameras.running({"front": 0.02, "rear": 0.02}):
        for number in range(8):
            vocabulary = probe.set_vocabulary([f"thing {number}", f"other {number}"]).vocabulary
            ids_of[vocabulary.revision] = {entry.id for entry in vocabulary.classes}
            counts = [inbox.count for inbox in summaries]
            wait_for(
                lambda counts=counts: all(
                    inbox.count > count for inbox, count in zip(summaries, counts, strict=True)
                ),
                "another frame of both",
            )
    for images, summary in zip(labels, summaries, strict=True):
        revisions = [s.vocabulary_revision for s in summary.messages]
        assert revisions == sorted(revisions)
        checked = 0
        for message in images.messages:
            said = summary.of(message.header)
            if said is not None and said.vocabulary_revision in ids_of:
                assert set(message.data) <= ids_of[said.vocabulary_revision]
                checked += 1
        assert checked >= 8
    assert probe.set_vocabulary(["floor", "wall", "box; crate"]).success


def test_words_belong_to_the_node_and_topics_to_the_camera(segmenter: Any, probe: Any, cameras: Any) -> None:
    latched = probe.collect(Vocabulary, "segmenter/vocabulary", latched=True)
    front, rear = both(probe, SegmentationSummary, "summary")
    cameras.feed(lambda: front.messages and rear.messages and latched.messages, "summaries")
    for message in (latched.messages[-1], probe.get_vocabulary()):
        assert [entry.confidence_topic for entry in message.classes] == [
            f"confidence/{slug}" for slug in ("floor", "wall", "box")
        ]
    for name, inbox in (("front", front), ("rear", rear)):
        topics = [entry.confidence_topic for entry in inbox.messages[-1].classes]
        assert topics == [f"/segmenter/{name}/confidence/{slug}" for slug in ("floor", "wall", "box")]


def test_points_come_from_the_cameras_own_depth(segmenter: Any, probe: Any, cameras: Any) -> None:
    """The front has depth and the rear has none: its labels come all the same."""
    points = {name: probe.collect(PointCloud2, f"segmenter/{name}/points") for name in ("front", "rear")}
    _, rear = both(probe)
    infos = probe.node.create_publisher(CameraInfo, "front/camera_info", 10)
    depths = probe.node.create_publisher(Image, "front/depth", 10)
    info = CameraInfo(width=SIZE[1], height=SIZE[0])
    info.k = [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]

    def found() -> bool:
        infos.publish(info)
        if cameras.sent["front"]:
            depth = Image(height=SIZE[0], width=SIZE[1], encoding="16UC1", step=2 * SIZE[1])
            depth.header = cameras.sent["front"][-1].header
            depth.data = np.full(SIZE, 2000, np.uint16).tobytes()
            depths.publish(depth)
        return bool(points["front"].messages) and rear.count >= 3

    cameras.feed(found, "points of the front")
    assert points["front"].messages[0].header.frame_id == "front_optical"
    assert not points["rear"].messages
    assert "camera_info_missing" in camera_named(segmenter, "rear").statistics.snapshot().rejected


def ask(probe: Any, *texts: str, camera: str = "") -> Any:
    return probe.call(Locate, "locate", Locate.Request(texts=list(texts), camera=camera))


@pytest.fixture
def _seen_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts with "box" fit best to images of OTHER_SIZE, others to those of SIZE."""

    def locate(setup: Any, segmentation: Any, texts: Any) -> list[Heat]:
        other = segmentation.input_size == OTHER_SIZE
        scores = [0.75 if ("box" in text[0]) == other else 0.25 for text in texts]
        return [
            Heat(score, np.full(segmentation.output_size, int(255 * score), np.uint8)) for score in scores
        ]

    monkeypatch.setattr(PreparedSegmenter, "locate", locate)


@pytest.mark.usefixtures("_seen_by_one")
def test_locate_searches_every_camera_or_one(
    segmenter: Any, probe: Any, cameras: Any, wait_for: Callable[..., Any]
) -> None:
    with cameras.running({"front": 0.05, "rear": 0.08}, rear=OTHER_SIZE):

        def of_both() -> Any:
            """An answer from frames of this test."""
            answer = ask(probe, "box", "wall")
            return answer if any(place.camera == "rear" for place in answer.locations) else None

        answer = wait_for(of_both, "an answer from both")
        assert [(place.camera, place.header.frame_id, place.found) for place in answer.locations] == [
            ("rear", "rear_optical", True),
            ("front", "front_optical", True),
        ]
        assert (answer.locations[0].heat.height, answer.locations[0].heat.width) == OTHER_SIZE
        assert "front's frame of" in answer.message
        assert "rear's frame of" in answer.message
        assert "no positions in rear: " in answer.message
        one = ask(probe, "box", "wall", camera="front")
        assert [(place.camera, place.found) for place in one.locations] == [("front", False), ("front", True)]
        assert "rear" not in one.message
    refused = ask(probe, "box", camera="left")
    assert not refused.success
    assert "no camera 'left': there are front, rear" in refused.message
