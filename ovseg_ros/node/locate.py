"""`locate`: the newest frame is kept, and heat maps become boxes, centres, positions and messages."""

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import Image, RegionOfInterest

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import ImageError, fill_image
from ovseg_ros.images.geometry import median_and_spread
from ovseg_ros.images.regions import Region, best_region
from ovseg_ros.node.frames import LabelledFrame
from ovseg_ros.node.point_cloud import frame_points
from ovseg_ros.node.worker import FrameSlot
from ovseg_ros.vocabulary.phrases import parse_entry

IMAGE_PATIENCE = 2.0
"""Seconds that the next image is waited for: slow cameras send one a second."""

WORK_PATIENCE = 20.0
"""Seconds that the work on an image is waited for, which may take some on a CPU."""

MAX_TEXTS = 32
"""Texts in one call: each brings a heat map of the labels' size with it."""

LEAST_POINTS = 10
"""With fewer points in its region a thing has no position."""


class LocateError(OvsegError):
    """A question that cannot be answered; the message says why."""


@dataclass(frozen=True)
class LocateQuery:
    """What is asked: the phrases of each text, of which cameras, and under the settings of that moment.

    `threshold` is the least score of a thing that is there, `max_age` in seconds that of a frame that is
    searched, and a camera is silent that sent nothing for `stale_after` seconds.
    """

    texts: Sequence[tuple[str, ...]]
    cameras: Sequence[str]
    threshold: float
    max_age: float
    stale_after: float


class NewestFrame:
    """Where the worker leaves each segmented frame (`put`), and others get it (`get`).

    Where nobody subscribes no frame is segmented. Then `get` asks for one, and `asked` is true. `slot` shows
    whether images come.
    """

    def __init__(self, slot: FrameSlot) -> None:
        self._slot = slot
        self._changed = threading.Condition()
        self._frame: LabelledFrame | None = None
        self._waiting = 0
        self._closings = 0

    @property
    def asked(self) -> bool:
        with self._changed:
            return self._waiting > 0

    def put(self, frame: LabelledFrame) -> None:
        with self._changed:
            self._frame = frame
            self._changed.notify_all()

    def get(self, max_age: float) -> LabelledFrame | None:
        """The newest frame if it is not older than `max_age` seconds, else the next one, which is waited for.

        Where none comes it is the old one, and None where there is none at all, or the input was closed.
        """
        with self._changed:
            before, closings = self._frame, self._closings
            if before is not None and before.age <= max_age:
                return before

            def done() -> bool:
                return self._frame is not before or self._closings != closings

            self._waiting += 1
            try:
                received, _ = self._slot.counts
                if not self._changed.wait_for(done, IMAGE_PATIENCE) and self._slot.counts[0] > received:
                    self._changed.wait_for(done, WORK_PATIENCE)
            finally:
                self._waiting -= 1
            return self._frame

    def clear(self) -> None:
        """Forget the frame, and let nobody wait: the input was closed."""
        with self._changed:
            self._frame = None
            self._closings += 1
            self._changed.notify_all()


def parse_texts(texts: Sequence[str], threshold: float) -> list[tuple[str, ...]]:
    """The phrases of each text of a call. Raises an OvsegError on texts or a threshold that cannot be."""
    if not texts:
        raise LocateError("there is no text to look for; give one such as 'fire extinguisher'")
    if len(texts) > MAX_TEXTS:
        raise LocateError(f"there are {len(texts)} texts, expected at most {MAX_TEXTS} in one call")
    if math.isnan(threshold) or threshold > 1:
        raise LocateError(f"the threshold is {threshold:g}, expected 0..1, or -1 for the parameter's")
    return [parse_entry(text, f"text {place}") for place, text in enumerate(texts, start=1)]


def chosen_cameras(camera: str, names: Sequence[str]) -> list[str]:
    """Which of the node's cameras a call means; an empty name means all. Raises LocateError where none is."""
    if not camera:
        return list(names)
    if camera in names:
        return [camera]
    there = f"there are {', '.join(names)}" if any(names) else "the only one here has no name"
    raise LocateError(f"there is no camera {camera!r}: {there}; leave the field empty to search every camera")


def locate_in(
    frames: Mapping[str, LabelledFrame], query: LocateQuery, silent: Sequence[str] = ()
) -> srv.Locate.Response:
    """Look for the texts in segmented frames, given by camera; `silent` are cameras that sent none.

    Each text is located in the frame where its score is highest. What has a score below the threshold there
    is not there.
    """
    texts = query.texts
    heats = {
        camera: frame.setup.segmenter.locate(frame.segmentation, texts) for camera, frame in frames.items()
    }
    best = [max(frames, key=lambda camera: heats[camera][place].score) for place in range(len(texts))]
    ages = {camera: frame.age for camera, frame in frames.items()}
    searched = (f"{camera}'s" if camera else "the" for camera in ages)
    searched = (
        f"{whose} frame of {age:.1f} s ago" for whose, age in zip(searched, ages.values(), strict=True)
    )
    notes = [f"searched {', '.join(searched)}", *(f"{camera} sends no images" for camera in silent)]
    points: dict[str, np.ndarray] = {}
    for camera in dict.fromkeys(best):
        try:
            points[camera] = frame_points(frames[camera])
        except ImageError as error:
            notes.append(f"no positions in {camera}: {error}" if camera else f"no positions: {error}")
    locations = []
    for place, (camera, text) in enumerate(zip(best, texts, strict=True)):
        frame, heat = frames[camera], heats[camera][place]
        location = msg.Location(header=frame.header, text="; ".join(text), camera=camera, score=heat.score)
        location.heat = Image()
        fill_image(location.heat, heat.probability, "mono8", frame.header)
        location.found = heat.score >= query.threshold
        if location.found:
            region = best_region(heat.probability)
            location.share = region.share
            _place_in_image(location, region, *frame.image_size)
            if camera in points:
                _place_in_space(location, points[camera][:, region.mask])
        locations.append(location)
    age = max(ages.values())
    return srv.Locate.Response(success=True, message="; ".join(notes), locations=locations, age=age)


def _place_in_image(location: msg.Location, region: Region, width: int, height: int) -> None:
    """Box and centre in pixels of an input image of this size."""
    x_scale, y_scale = width / region.mask.shape[1], height / region.mask.shape[0]
    column, row, columns, rows = region.box
    left, top = math.floor(column * x_scale), math.floor(row * y_scale)
    location.region = RegionOfInterest(
        x_offset=left,
        y_offset=top,
        width=min(width, math.ceil((column + columns) * x_scale)) - left,
        height=min(height, math.ceil((row + rows) * y_scale)) - top,
    )
    location.centroid_px = Point(x=region.centroid[0] * x_scale, y=region.centroid[1] * y_scale)


def _place_in_space(location: msg.Location, points: np.ndarray) -> None:
    valid = points[:, np.isfinite(points).all(axis=0)].T
    if len(valid) < LEAST_POINTS:
        return
    middle, spread = median_and_spread(valid)
    location.has_position = True
    location.position = Point(**dict(zip("xyz", map(float, middle), strict=True)))
    location.spread = Vector3(**dict(zip("xyz", map(float, spread), strict=True)))
