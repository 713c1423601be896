"""`locate`: from heat maps to boxes, centres and positions, and the messages that tell them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Vector3
from sensor_msgs.msg import Image, RegionOfInterest

from ovseg_ros import msg
from ovseg_ros.errors import OvsegError
from ovseg_ros.images.codec import ImageError, fill_image
from ovseg_ros.images.geometry import median_and_spread
from ovseg_ros.images.regions import Region, best_region
from ovseg_ros.node.labelled import Labelled
from ovseg_ros.node.newest_frame import Segmented
from ovseg_ros.node.point_cloud import frame_points
from ovseg_ros.vocabulary.phrases import parse_entry

MAX_TEXTS = 32
"""Texts in one call: each brings a heat map of the labels' size with it."""

LEAST_POINTS = 10
"""With fewer points in its region a thing has no position."""


class LocateError(OvsegError):
    """A question that cannot be answered; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What was found in frames, the oldest of which came `age` seconds ago, and what else is to be said."""

    locations: list[msg.Location]
    age: float
    note: str


def parse_texts(texts: Sequence[str], threshold: float) -> list[tuple[str, ...]]:
    """The phrases of each text of a call.

    Raises:
        OvsegError: there is no text, too many, one that cannot be, or no such threshold.
    """
    if not texts:
        raise LocateError("there is no text to look for; give one such as 'fire extinguisher'")
    if len(texts) > MAX_TEXTS:
        raise LocateError(f"there are {len(texts)} texts, expected at most {MAX_TEXTS} in one call")
    if math.isnan(threshold) or threshold > 1:
        raise LocateError(f"the threshold is {threshold:g}, expected 0..1, or -1 for the parameter's")
    return [parse_entry(text, f"text {place}") for place, text in enumerate(texts, start=1)]


def chosen_cameras(camera: str, names: Sequence[str]) -> list[str]:
    """Which of the node's cameras a call means; an empty name means all.

    Raises:
        LocateError: there is no such camera.
    """
    if not camera:
        return list(names)
    if camera in names:
        return [camera]
    there = f"there are {', '.join(names)}" if any(names) else "the only one here has no name"
    raise LocateError(f"there is no camera {camera!r}: {there}; leave the field empty to search every camera")


def answer(
    frames: Mapping[str, Segmented],
    texts: Sequence[tuple[str, ...]],
    threshold: float,
    silent: Sequence[str] = (),
) -> Answer:
    """Look for the texts in segmented frames, given by camera; `silent` are cameras that sent none.

    Each text is told from the frame where its score is highest. What has a score below `threshold` there is
    not there.
    """
    heats = {
        camera: frame.setup.locate(frame.labelled.segmentation, texts) for camera, frame in frames.items()
    }
    best = [max(frames, key=lambda camera: heats[camera][place].score) for place in range(len(texts))]
    points = {camera: _points(frames[camera].labelled) for camera in dict.fromkeys(best)}
    locations = [
        _location(
            *(frames[camera].labelled, camera, "; ".join(text)),
            *(heats[camera][place], points[camera][0], threshold),
        )
        for place, (camera, text) in enumerate(zip(best, texts, strict=True))
    ]
    ages = {camera: frame.age for camera, frame in frames.items()}
    searched = ", ".join(f"{_owner(camera)} frame of {age:.1f} s ago" for camera, age in ages.items())
    notes = [f"searched {searched}"]
    notes += [f"{camera} sends no images" for camera in silent]
    for camera, (_, why_not) in points.items():
        if why_not:
            notes.append(f"no positions in {camera}: {why_not}" if camera else f"no positions: {why_not}")
    return Answer(locations, max(ages.values()), "; ".join(notes))


def _owner(camera: str) -> str:
    return f"{camera}'s" if camera else "the"


def _points(labelled: Labelled) -> tuple[np.ndarray | None, str]:
    """x, y and z of every pixel, [3, H, W], or why there are none."""
    try:
        return frame_points(labelled), ""
    except ImageError as error:
        return None, str(error)


def _location(
    labelled: Labelled, camera: str, text: str, heat: Any, points: np.ndarray | None, threshold: float
) -> msg.Location:
    location = msg.Location(header=labelled.header, text=text, camera=camera, score=heat.score)
    location.heat = Image()
    fill_image(location.heat, heat.probability, "mono8", labelled.header)
    location.found = heat.score >= threshold
    if location.found:
        region = best_region(heat.probability)
        location.share = region.share
        _place_in_image(location, region, labelled.image.shape[1], labelled.image.shape[0])
        if points is not None:
            _place_in_space(location, points[:, region.mask])
    return location


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
