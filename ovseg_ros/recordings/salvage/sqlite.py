"""rosbag2's SQLite files message by message, for files that lack their end or have a hole."""

import sqlite3
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ovseg_ros.recordings.storage_file import RawMessage, StorageFile, ros2_type

_MISSES = 2000
"""This many unreadable messages one after another are taken for the end of the file."""


class SalvagedSqlite(StorageFile):
    """What can be read of a db3 file.

    Raises ValueError where not even the list of topics can be read, and OSError.
    """

    storage = "sqlite3"

    def __init__(self, path: Path) -> None:
        # `immutable`: what another process may be writing is not waited for.
        super().__init__(path, sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True))

    def _survey(self) -> None:
        try:
            # Without it SQLite refuses a file that is shorter than its header says.
            self._file.execute("PRAGMA writable_schema=ON")
            self._topics = {
                number: (name, ros2_type(kind))
                for number, name, kind in self._file.execute("SELECT id, name, type FROM topics")
            }
            found = self._rows("topic_id, timestamp", self.losses)
            self._count(self._topics, found)
        except sqlite3.Error as error:
            raise ValueError(str(error)) from error

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """The messages of these topics in the order in which they were written."""
        wanted = {number for number, (topic, _) in self._topics.items() if topic in topics}
        for number, log_ns, data in self._rows("topic_id, timestamp, data", []):
            if number in wanted and log_ns >= start_ns:
                topic, kind = self._topics[number]
                yield RawMessage(topic, kind, log_ns, data, "cdr")

    def _rows(self, columns: str, losses: list[str]) -> Iterator[tuple[Any, ...]]:
        """The messages by number; those that cannot be read are passed over and counted in `losses`."""
        number = missed = lost = 0
        last = self._last_number()
        while missed < _MISSES and (last is None or number < last):
            number += 1
            try:
                # The last byte is asked for to see whether the message is there as a whole.
                row = self._file.execute(
                    f"SELECT {columns}, substr(data, -1) FROM messages WHERE id = ?", (number,)
                ).fetchone()
            except sqlite3.Error:
                missed += 1
                continue
            if row is None:
                # A number that was never given; only the end of an intact table has none beyond.
                missed += last is None
                continue
            lost, missed = lost + missed, 0
            yield row[:-1]
        if lost:
            losses.append(f"has a hole; messages left out: {lost}")
        if missed:
            losses.append("ends early")

    def _last_number(self) -> int | None:
        """The number of the last message; None where that place of the file is lost."""
        try:
            return int(self._file.execute("SELECT max(id) FROM messages").fetchone()[0] or 0)
        except sqlite3.Error:
            return None
