"""From a path to the open storage files of a bag, in the order of recording.

Intact files are read by rosbags; for damaged ones the readers of `salvage` give what is left.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import yaml
from natsort import natsorted
from rosbags.rosbag1 import Reader as Ros1Reader
from rosbags.rosbag2 import Reader as Ros2Reader

from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.salvage import mcap, ros1
from ovseg_ros.recordings.salvage.mcap import SalvagedMcap
from ovseg_ros.recordings.salvage.ros1 import SalvagedRos1
from ovseg_ros.recordings.salvage.sqlite import SalvagedSqlite
from ovseg_ros.recordings.storage_file import BagError, RawMessage, StorageFile, ros2_type

SUFFIXES = (".mcap", ".db3", ".bag")

_STORAGES = {".mcap": "mcap", ".db3": "sqlite3", ".bag": "ros1"}
_COMPRESSIONS: dict[str, Callable[[Path], str]] = {
    ".mcap": mcap.compression_of,
    ".bag": ros1.compression_of,
}
_SALVAGE: dict[str, Callable[[Path], StorageFile]] = {
    ".mcap": SalvagedMcap,
    ".db3": SalvagedSqlite,
    ".bag": SalvagedRos1,
}
_HINT = (
    "a recording that was cut off is mended by `ros2 bag reindex` (ROS 1: `rosbag reindex`) or `mcap recover`"
)


class IntactFile(StorageFile):
    """A storage file, or a folder whose files are compressed as a whole, as rosbags reads it."""

    def __init__(self, path: Path) -> None:
        reader: Ros1Reader | Ros2Reader = (Ros1Reader if _kind(path) == ".bag" else Ros2Reader)(path)
        reader.open()
        super().__init__(path, reader)

    def _survey(self) -> None:
        path, kind = self.path, _kind(self.path)
        self._encoding = "ros1" if kind == ".bag" else "cdr"
        self.storage = _STORAGES.get(kind) or str(_metadata(path).get("storage_identifier"))
        self.compression = _COMPRESSIONS[kind](path) if kind in _COMPRESSIONS else "none"
        if path.is_dir():
            self.compression = "zstd"
        filled = self._file.message_count > 0
        # rosbags would pass over chunks without an index without a word.
        if kind == ".mcap" and filled and not all(c.message_index_offsets for c in self._file.storage.chunks):
            raise ValueError("it has chunks without a message index")
        connections = self._file.connections
        self._types = {c.msgtype: ros2_type(c.msgtype) for c in connections}
        self.channels = [TopicInfo(c.topic, self._types[c.msgtype], c.msgcount) for c in connections]
        self.start_ns = self._file.start_time if filled else None
        # rosbags counts the end as the nanosecond behind the last message.
        self.end_ns = self._file.end_time - 1 if filled else None

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """As in `StorageFile`. Raises whatever a damaged file provokes."""
        connections = [c for c in self._file.connections if c.topic in topics]
        if not connections:
            return
        for connection, log_ns, data in self._file.messages(connections, start_ns):
            kind = self._types[connection.msgtype]
            yield RawMessage(connection.topic, kind, log_ns, data, self._encoding)


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
    """The storage files behind a path in their order; a folder, where its files are compressed as a whole.

    Raises BagError where this is no bag, or more than one.
    """
    if not path.exists():
        raise BagError(f"{path} does not exist")
    if path.is_file():
        if _kind(path) in SUFFIXES:
            return [path]
        raise BagError(f"{path} is no bag; expected a rosbag2 folder, or a .mcap, .db3 or .bag file")
    files = natsorted((p for p in path.iterdir() if p.suffix in SUFFIXES), key=lambda p: p.name)
    if (path / "metadata.yaml").exists():
        try:
            return _listed(path, files, warn)
        except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
            if not files:
                raise BagError(
                    f"{path}: metadata.yaml cannot be read ({_line(error)}) and there is no storage file"
                ) from error
            warn(f"metadata.yaml cannot be read ({_line(error)}); the files are read without it")
    elif files and not all(p.suffix == ".bag" for p in files):
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


def salvage(path: Path) -> StorageFile:
    """A damaged file as far as it can be read. Raises BagError where nothing is left."""
    try:
        return _SALVAGE[_kind(path)](path)
    except (ValueError, OSError) as error:
        raise BagError(f"{path} cannot be read: {_line(error)}") from error


def _open(path: Path, warn: Callable[[str], None]) -> StorageFile:
    try:
        return IntactFile(path)
    except PermissionError as error:
        raise BagError(f"{path} cannot be read: {error}") from error
    # rosbags lets through whatever its parsing meets in a damaged file.
    except Exception as error:
        problem = _line(error)
    try:
        file = salvage(path)
    except BagError as error:
        raise BagError(f"{path} cannot be read: {problem}; {_HINT}") from error
    count = sum(channel.count for channel in file.channels)
    if not count:
        file.close()
        raise BagError(f"{path} cannot be read: {problem}, and it holds no whole message; {_HINT}")
    warn(f"{path.name} is not intact ({problem}): {count} messages can be read; {_HINT}")
    return file


def _listed(path: Path, files: list[Path], warn: Callable[[str], None]) -> list[Path]:
    """The files that metadata.yaml names. Raises what reading YAML of any content may raise."""
    metadata = _metadata(path)
    names = [Path(name).name for name in metadata["relative_file_paths"]]
    if str(metadata.get("compression_mode", "")).lower() == "file":
        return [path]
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
    if unknown := [file.name for file in listed if file.suffix not in SUFFIXES]:
        raise BagError(f"{path}: {unknown[0]} is of an unknown kind; expected {_or(SUFFIXES)} files")
    return listed


def _metadata(path: Path) -> dict[str, Any]:
    content = yaml.safe_load((path / "metadata.yaml").read_text(encoding="utf-8"))
    metadata: dict[str, Any] = content["rosbag2_bagfile_information"]
    return metadata


def _kind(path: Path) -> str:
    """The suffix that tells the format; `rosbag record` writes to `.bag.active` until it ends."""
    return ".bag" if path.name.endswith(".bag.active") else path.suffix


def _series(file: Path) -> tuple[str, str]:
    """What the files of one split bag have in common: `drive_0.mcap` and `drive_1.mcap` are of one."""
    stem, _, number = file.stem.rpartition("_")
    return (f"{stem}_" if stem and number.isdigit() else file.stem), file.suffix


def _other(path: Path) -> str:
    """What else the folder may be, as the end of an error."""
    bags = [p.parent for p in sorted(path.glob("*/metadata.yaml"))]
    if bags:
        return f"; it holds {len(bags)} folders that are bags: {', '.join(p.name for p in bags[:5])}"
    if any(path.glob("*.zstd")):
        return "; compressed storage files (.zstd) cannot be read without the metadata.yaml"
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
