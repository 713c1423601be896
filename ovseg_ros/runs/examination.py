"""What a replay gave, frame by frame, once it has ended: quality, pictures, video, labelled bag."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ovseg_ros.graph.pacing import USUAL_RATE, Selection
from ovseg_ros.metrics.segmentation import SegmentationAccumulator
from ovseg_ros.recordings.bag import Bag
from ovseg_ros.recordings.datasets.dataset_bag import make_bag
from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.labelled_bag import LabelledBag
from ovseg_ros.recordings.recording import AnswerLog
from ovseg_ros.report.page import Media, Video
from ovseg_ros.runs.answered_frame import AnsweredFrame
from ovseg_ros.runs.findings import FindingsBuilder, FrameOutput
from ovseg_ros.runs.overlay_video import OverlayVideo
from ovseg_ros.runs.replay_result import ReplayResult
from ovseg_ros.runs.replayed_frames import Recording, replayed_frames
from ovseg_ros.runs.scoring import RunScores
from ovseg_ros.vocabulary import Vocabulary


def is_dataset(source: Path) -> bool:
    """Whether this is a folder of images, of which a bag is made."""
    return (source / "images").is_dir()


def make_playable(source: Path, folder: Path) -> Path:
    """The bag itself, or one that is made of a dataset folder, in `folder`."""
    return make_bag(source, folder / "input_bag").path if is_dataset(source) else source


@dataclass(frozen=True)
class Source:
    """An open bag, and which parts of it are played and compared with."""

    bag: Bag
    topic: TopicInfo
    label_map: LabelMap | None
    recording: Recording

    @classmethod
    def choose(cls, bag: Bag, topic: str | None, labels_topic: str | None, selection: Selection) -> "Source":
        """The named topics, or the usual ones. Raises BagError."""
        images, truth = bag.image_topic(topic or ""), bag.labels_topic(labels_topic or "")
        recording = Recording(bag.path, images.name, truth.name if truth else None, selection)
        return cls(bag, images, bag.label_map(truth.name) if truth else None, recording)

    @property
    def truth_names(self) -> dict[int, str]:
        """Names of the truth's classes by id; none where there is no truth."""
        return dict(self.label_map.names) if self.label_map else {}

    @property
    def frames(self) -> int:
        """Frames of one pass, as the bag counts them."""
        return self.recording.selection.per_pass(self.topic.count)


def examine(
    source: Source,
    result: ReplayResult,
    log: AnswerLog,
    vocabularies: Mapping[int, Vocabulary],
    meter: SegmentationAccumulator,
    output: Path | None,
    on_frame: Callable[[int], None],
) -> tuple[RunScores, Media]:
    """Go through the frames once; write `overlay.webm` and `labelled/` to `output`, where that is given.

    `on_frame` is called with the frames done. Raises ReplayError, ImageError, BagError, VideoError.
    """
    rate = source.topic.rate or USUAL_RATE
    video: OverlayVideo | None = None
    outputs: list[FrameOutput] = []
    if output is not None and result.frames_out:
        video = OverlayVideo(output / "overlay.webm", rate, list(vocabularies.values()))
        labelled = output / "labelled"
        outputs = [video, LabelledBag(labelled, source.topic.name, source.topic.type, meter.truth_names)]
    with (
        FindingsBuilder(meter, result.frames_out, outputs, follow=True) as builder,
        closing(source.recording.frames()) as frames,
    ):
        played = replayed_frames(source.bag, frames, result.trace, log, vocabularies.get, source.label_map)
        for done, frame in enumerate(played, start=1):
            if isinstance(frame, AnsweredFrame):
                builder.add(frame)
            else:
                builder.add_dropped(frame)
            on_frame(done)
        findings = builder.finish()
    shown = None if video is None else Video("overlay.webm", video.rate, video.poster)
    return findings, Media(findings.pictures, shown)
