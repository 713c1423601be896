"""From paths to sources: the one way to open a recording, whatever it is."""

from collections.abc import Sequence
from pathlib import Path

from natsort import natsorted, ns

from ovseg_ros.recordings.bag_source import BagSource
from ovseg_ros.recordings.config import RecordingConfig, SelectionConfig, TruthConfig
from ovseg_ros.recordings.datasets.layouts import open_dataset, recognise
from ovseg_ros.recordings.file_sources import VideoSource, dataset_source, images_source
from ovseg_ros.recordings.frame import Source, SourceError, select
from ovseg_ros.recordings.label_files import LabelFolder
from ovseg_ros.recordings.label_map import LabelMap
from ovseg_ros.recordings.storage import SUFFIXES as BAG_SUFFIXES
from ovseg_ros.recordings.storage import is_storage_file

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
VIDEO_SUFFIXES = (".mp4", ".webm", ".avi", ".mov", ".mkv", ".m4v")


def open_source(
    path: Path, recording: RecordingConfig = RecordingConfig(), truth: TruthConfig = TruthConfig()
) -> Source:
    """A bag, a data set folder, an image, a folder of images, or a video; enter it to read it.

    A folder is a bag where it has metadata.yaml or storage files, else a data set where it has one of the
    layouts of `ovseg bag make` (or where `recording` names layout or split), else its images.

    Raises SourceError where the path does not exist or is none of these; DatasetError on a data set that
    lacks something; LabelFileError, LabelMapError on the files that `truth` names and on lists of classes.
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist; expected a bag, a data set folder, images or a video")
    label_map = LabelMap.read(truth.label_names) if truth.label_names else None
    labels = LabelFolder(Path(truth.labels_folder), label_map) if truth.labels_folder else None
    bag = BagSource(
        path,
        topic=recording.topic,
        labels_topic=truth.labels_topic,
        labels=labels,
        label_map=label_map,
        slop=truth.slop,
    )
    if _is_bag(path):
        return bag
    if path.is_file():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            return VideoSource(path, labels)
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return images_source(path, [path], labels)
        raise _unknown(path)
    if not (recording.layout or recording.split or recognise(path)):
        pictures = [p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if files := [p for p in pictures if not p.name.startswith(".")]:
            return images_source(path, natsorted(files, key=lambda p: p.name, alg=ns.IGNORECASE), labels)
        if any(path.glob("*/metadata.yaml")):
            return bag  # which says what is wrong with it
    return dataset_source(open_dataset(path, recording.layout, recording.split), labels)


def require_truth(source: Source) -> None:
    """Raise SourceError where an open source has no ground truth, or does not say what its ids mean."""
    if not source.truth_names:
        raise SourceError(source.truth_missing)


def find_sources(
    paths: Sequence[Path],
    output_folder: Path,
    recording: RecordingConfig = RecordingConfig(),
    selection: SelectionConfig = SelectionConfig(),
) -> list[Source]:
    """All sources behind the given files and folders, images first; without ground truth.

    Folders are searched through all levels, in natural order (2 before 10), without hidden files and without
    the output folder; of a labelled data set in one of the layouts of `ovseg bag make` only the images of the
    split are taken, and a folder that is a bag is taken as a bag. Each image file is a source of its own,
    and of all these only every n-th and at most `limit` are given; of videos and bags `frames` selects. The
    name of a source is the path of its outputs below the output folder, without suffix, unique also where
    file systems ignore case; an input given twice is taken once.

    Raises SourceError, DatasetError.
    """
    images: list[Source] = []
    sequences: list[Source] = []
    seen: set[Path] = set()
    names: set[str] = set()
    for path, place in (entry for given in paths for entry in _expand(given, output_folder, recording)):
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        name = _unique(place, names)
        if _is_bag(path):
            sequences.append(BagSource(path, topic=recording.topic, labels_topic=None, name=name))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            sequences.append(VideoSource(path, name=name))
        else:
            images.append(images_source(path, [path], name=name))
    every_image = SelectionConfig(every=selection.every, limit=selection.limit)
    return [*select(images, every_image, lambda source: 0.0), *sequences]


def _is_bag(path: Path) -> bool:
    if path.is_dir():
        return any(p.name == "metadata.yaml" or is_storage_file(p) for p in path.iterdir())
    return is_storage_file(path)


def _unknown(path: Path) -> SourceError:
    known = " ".join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES, *BAG_SUFFIXES))
    return SourceError(f"{path}: the suffix is not known, expected one of {known}")


def _expand(given: Path, output: Path, recording: RecordingConfig) -> list[tuple[Path, Path]]:
    """The files (or bags) of one input, each with its path below the output folder, without suffix."""
    if not given.exists():
        raise SourceError(f"{given} does not exist; expected an image, a folder, a video or a bag")
    if _is_bag(given):
        return [(given, Path(given.stem if given.is_file() else given.resolve().name))]
    if given.is_file():
        if given.suffix.lower() not in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES):
            raise _unknown(given)
        return [(given, Path(given.stem))]
    if given.resolve() == output.resolve():
        raise SourceError(f"{given} is both input and output, expected a folder of its own for the output")
    named = bool(recording.layout or recording.split)
    if named or recognise(given):
        dataset = open_dataset(given, recording.layout, recording.split)
        # A data set further down may not be all that the folder holds.
        if dataset.legend.names and (named or dataset.folder == given):
            return [(item.image, item.image.relative_to(given).with_suffix("")) for item in dataset.items]
    files = [
        (path, path.relative_to(given))
        for path in given.rglob("*")
        if path.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        and path.is_file()
        and output.resolve() not in path.resolve().parents
    ]
    visible = [
        (path, place.with_suffix(""))
        for path, place in natsorted(files, key=lambda file: file[1], alg=ns.PATH | ns.IGNORECASE)
        if not any(part.startswith(".") for part in place.parts)
    ]
    if not visible:
        raise SourceError(
            f"{given} holds no image or video, expected files that end in "
            f"{' '.join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))}"
        )
    return visible


def _unique(name: Path, taken: set[str]) -> str:
    candidate, number = name.as_posix(), 1
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name.as_posix()}_{number}"
    taken.add(candidate.casefold())
    return candidate
