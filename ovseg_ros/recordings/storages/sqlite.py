"""rosbag2's SQLite files; message by message, where they lack their end or have a hole."""

import itertools
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.storage_file import RawMessage, StorageFile, ros2_type

_MISSES = 2000
"""This many unreadable messages one after another are taken for the end of the file."""


class SqliteFile(StorageFile):
    """A db3 file. Raises ValueError where not even the list of topics can be read, and OSError."""

    storage = "sqlite3"

    def __init__(self, path: Path) -> None:
        # `immutable`: what another process may be writing is not waited for.
        super().__init__(path, sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True))

    def _survey(self) -> None:
        try:
            self._topics = self._read_topics()
            self._last = self._last_number()
            found = self._file.execute(
                "SELECT topic_id, count(*), min(timestamp), max(timestamp) FROM messages GROUP BY topic_id"
            ).fetchall()
            if any(None in row for row in found):
                raise sqlite3.DatabaseError("it has rows without content")
        except sqlite3.Error as error:
            self.problem = str(error)
            found = self._survey_damaged()
        counts = Counter[int]()
        for number, count, *_ in found:
            counts[number] += count
        self.channels = [TopicInfo(name, kind, counts[n]) for n, (name, kind) in self._topics.items()]
        self.start_ns = min((start for *_, start, _ in found), default=None)
        self.end_ns = max((end for *_, end in found), default=None)

    def _survey_damaged(self) -> list[tuple[int, int, int, int]]:
        try:
            # Without it SQLite refuses a file that is shorter than its header says.
            self._file.execute("PRAGMA writable_schema=ON")
            self._topics = self._read_topics()
            self._last = self._last_number()
        except sqlite3.Error as error:
            raise ValueError(str(error)) from error
        # The last byte is asked for to see whether the message is there as a whole.
        rows = self._rows("topic_id, timestamp, substr(data, -1)", self._every_number())
        return [(number, 1, log_ns, log_ns) for number, log_ns, _ in rows]

    def messages(self, topics: Collection[str], start_ns: int = 0) -> Iterator[RawMessage]:
        """As in `StorageFile`; of a damaged file in the order in which they were written."""
        wanted = [number for number, (topic, _) in self._topics.items() if topic in topics]
        condition = f"topic_id IN ({', '.join(map(str, wanted))}) AND timestamp >= {start_ns}"
        numbers: Iterable[int] = self._every_number()
        if not self.problem:
            try:
                order = f"SELECT id FROM messages WHERE {condition} ORDER BY timestamp, id"
                numbers = [number for (number,) in self._file.execute(order)]
            except sqlite3.Error as error:
                self.lose(f"is damaged: {error}")
        for number, log_ns, data in self._rows("topic_id, timestamp, data", numbers):
            if number in wanted and log_ns >= start_ns:
                yield RawMessage(*self._topics[number], log_ns, data, "cdr")

    def _read_topics(self) -> dict[int, tuple[str, str]]:
        rows = self._file.execute("SELECT id, name, type FROM topics")
        return {number: (name, ros2_type(kind)) for number, name, kind in rows}

    def _rows(self, columns: str, numbers: Iterable[int]) -> Iterator[tuple[Any, ...]]:
        """The messages of these numbers; those that cannot be read are counted in `losses`."""
        missed = lost = 0
        query = f"SELECT {columns} FROM messages WHERE id = ?"
        for number in numbers:
            try:
                row = self._file.execute(query, (number,)).fetchone()
            except sqlite3.Error:
                missed += 1
            else:
                if row is not None:
                    lost, missed = lost + missed, 0
                    yield row
                elif self._last is None:
                    missed += 1  # A number that was never given, or beyond the end.
            if missed >= _MISSES:
                break
        if lost:
            self.lose(f"is damaged: it has a hole; messages left out: {lost}")
        if missed:
            self.lose("ends early")

    def _every_number(self) -> Iterable[int]:
        """The numbers that messages may have; without end where that of the last one is lost."""
        return itertools.count(1) if self._last is None else range(1, self._last + 1)

    def _last_number(self) -> int | None:
        try:
            number: int | None = self._file.execute("SELECT max(id) FROM messages").fetchone()[0]
            return number or None
        except sqlite3.Error:
            return None
