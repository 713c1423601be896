"""From a path to the open storage files of a bag, in the order of recording."""

import shutil
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from natsort import natsorted

from ovseg_ros.recordings.storage_file import BagError, StorageFile
from ovseg_ros.recordings.storages.mcap import McapFile
from ovseg_ros.recordings.storages.ros1 import Ros1File
from ovseg_ros.recordings.storages.sqlite import SqliteFile

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FORMATS: dict[str, Callable[[Path], StorageFile]] = {
    ".mcap": McapFile,
    ".db3": SqliteFile,
    ".bag": Ros1File,
}
SUFFIXES = tuple(_FORMATS)
_HINT = (
    "a recording that was cut off is mended by `ros2 bag reindex` (ROS 1: `rosbag reindex`) or `mcap recover`"
)


def open_files(path: Path, warn: Callable[[str], None]) -> list[StorageFile]:
    """The open storage files of a bag. `warn` is called with what is missing or damaged.

    Raises BagError where there is no bag, or nothing of it can be read.
    """
    places = find_files(path, warn)
    files: list[StorageFile] = []
    try:
        for place in places:
            try:
                files.append(_open(place, warn))
            except BagError as error:
                if len(places) == 1:
                    raise
                warn(f"left out: {error}")
        if not files:
            raise BagError(f"{path} cannot be read: none of its {len(places)} files can")
    except BaseException:
        for file in files:
            file.close()
        raise
    # Files that another machine's clock or an editor gave odd names still play in the order of time.
    return sorted(files, key=lambda file: file.start_ns or 0)


def find_files(path: Path, warn: Callable[[str], None]) -> list[Path]:
    """The storage files behind a path in their order.

    Raises BagError where this is no bag, or more than one.
    """
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if path.is_file():
        if is_storage_file(path):
            return [path]
        raise BagError(f"{path} is no bag; expected a rosbag2 folder, or a .mcap, .db3 or .bag file")
    files = natsorted(filter(is_storage_file, path.iterdir()), key=lambda p: p.name)
    if (path / "metadata.yaml").exists():
        try:
            return _listed(path, files, warn)
        except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
            if not files:
                raise BagError(
                    f"{path}: metadata.yaml cannot be read ({_line(error)}) and there is no storage file"
                ) from error
            warn(f"metadata.yaml cannot be read ({_line(error)}); the files are read without it")
    elif files and not all(_kind(p) == ".bag" for p in files):
        warn("there is no metadata.yaml, so the recording may not have been ended properly")
    if not files:
        raise BagError(f"{path} is no bag: it has no metadata.yaml and no {_or(SUFFIXES)} file{_other(path)}")
    if len({_series(file) for file in files}) > 1:
        names = "\n".join(f"  {file}" for file in files)
        raise BagError(
            f"{path} holds files of several bags and no metadata.yaml that says which belong together; "
            f"name one of\n{names}"
        )
    return files


def is_storage_file(path: Path) -> bool:
    """Whether a file's name is that of a storage file."""
    return _kind(path) in SUFFIXES


def _open(path: Path, warn: Callable[[str], None]) -> StorageFile:
    try:
        with TemporaryDirectory(prefix="ovseg_") as folder:
            # Once it is open, the unpacked file may be deleted.
            file = _FORMATS[_kind(path)](_unpacked(path, Path(folder), warn))
    except PermissionError as error:
        raise BagError(f"{path} cannot be read: {error}") from error
    except (ValueError, OSError) as error:
        raise BagError(f"{path} cannot be read: {_line(error)}; {_HINT}") from error
    file.path = path
    if path.suffix == ".zstd":
        file.compression = "zstd"
    if file.problem:
        count = sum(channel.count for channel in file.channels)
        if not count:
            file.close()
            raise BagError(f"{path} cannot be read: {file.problem}, and it holds no whole message; {_HINT}")
        warn(f"{path.name} is not intact ({file.problem}): {count} messages can be read; {_HINT}")
    return file


def _unpacked(path: Path, folder: Path, warn: Callable[[str], None]) -> Path:
    """The storage file itself; where it is compressed as a whole, what it holds, in a folder."""
    if path.suffix != ".zstd":
        return path
    with zstd.open(path) as packed, (folder / path.stem).open("wb") as file:
        try:
            shutil.copyfileobj(packed, file)
        except (EOFError, zstd.ZstdError) as error:
            warn(f"{path.name} cannot be unpacked as a whole ({_line(error)})")
    return folder / path.stem


def _listed(path: Path, files: list[Path], warn: Callable[[str], None]) -> list[Path]:
    """The files that metadata.yaml names. Raises what reading YAML of any content may raise."""
    metadata = _metadata(path)
    names = [Path(name).name for name in metadata["relative_file_paths"]]
    listed = [path / name for name in names]
    missing = [file.name for file in listed if not file.exists()]
    if missing:
        there = [file for file in listed if file.exists()] or files
        if not there:
            raise BagError(f"{path}: the files that metadata.yaml names are missing: {', '.join(missing)}")
        warn(f"metadata.yaml names files that are missing: {', '.join(missing)}")
        return there
    if unlisted := [file.name for file in files if file not in listed]:
        warn(f"not read, as metadata.yaml does not name them: {', '.join(unlisted)}")
    if unknown := [file.name for file in listed if not is_storage_file(file)]:
        raise BagError(f"{path}: {unknown[0]} is of an unknown kind; expected {_or(SUFFIXES)} files")
    return listed


def _metadata(path: Path) -> dict[str, Any]:
    content = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf-8"))
    metadata: dict[str, Any] = content["rosbag2_bagfile_information"]
    return metadata


def _kind(path: Path) -> str:
    """The suffix that tells the format. `rosbag record` writes to `.bag.active` until it ends; files that are
    compressed as a whole end in `.zstd`."""
    return Path(path.stem).suffix if path.suffix in (".active", ".zstd") else path.suffix


def _series(file: Path) -> tuple[str, str]:
    """What the files of one split bag have in common: `drive_0.mcap` and `drive_1.mcap` are of one."""
    own = file.name.partition(_kind(file))[0]
    stem, _, number = own.rpartition("_")
    return (f"{stem}_" if stem and number.isdigit() else own), _kind(file)


def _other(path: Path) -> str:
    """What else the folder may be, as the end of an error."""
    bags = [p.parent for p in sorted(path.glob("*/metadata.yaml"))]
    if bags:
        return f"; it holds {len(bags)} folders that are bags: {', '.join(p.name for p in bags[:5])}"
    if (path / "images").is_dir():
        return f"; to make a bag of a dataset folder: ovseg bag make {path}"
    return ""


def _or(words: Collection[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"


def _line(error: BaseException) -> str:
    """An error as one line without its full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text.rstrip(".")
