"""The node as a process of its own, as on a robot."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ovseg_ros.errors import OvsegError
from ovseg_ros.graph.graph_names import GraphNames

_PROGRAM = "import sys; from ovseg_ros.node.segmenter_node import main; sys.exit(main())"
_STOP_TIMEOUT = 20.0


class ReplayError(OvsegError):
    """The node did not start, died, or did not answer."""


def write_parameters(parameters: Mapping[str, Any], file: Path) -> None:
    """Write a parameter file for a node of any name."""
    content = {"/**": {"ros__parameters": dict(parameters)}}
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


class NodeProcess:
    """Runs the `segmenter` with the given parameters for the time of a `with` block.

    Args:
        parameters: full parameter names ("model.name") and their values.
        folder: where `segmenter.yaml` (the parameters) and `segmenter.log` (all that the node says) go.
        names: what the node and its topics are called on the graph.
        params_file: a file with further parameters; those given go before it.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        folder: Path,
        names: GraphNames | None = None,
        params_file: Path | None = None,
    ) -> None:
        self.parameters = dict(parameters)
        self.names = names or GraphNames()
        self._further = [] if params_file is None else [params_file]
        self.parameter_file = folder / "segmenter.yaml"
        self.log_file = folder / "segmenter.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def command(self) -> list[str]:
        """The command line that starts the node."""
        files = [
            word for file in (*self._further, self.parameter_file) for word in ("--params-file", str(file))
        ]
        return [sys.executable, "-c", _PROGRAM, "--ros-args", *self.names.remappings(), *files]

    def __enter__(self) -> "NodeProcess":
        write_parameters(self.parameters, self.parameter_file)
        with self.log_file.open("wb") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *exception: object) -> None:
        process = self._process
        assert process is not None
        if process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check(self) -> None:
        """Raises ReplayError with the node's last words where it has ended."""
        assert self._process is not None
        status = self._process.poll()
        if status is not None:
            raise ReplayError(f"the node ended with status {status}. {self.last_words()}")

    def last_words(self, lines: int = 15) -> str:
        """The end of the node's log, for a message."""
        text = self.log_file.read_text(encoding="utf-8", errors="replace").strip()
        tail = "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
        return f"Its last lines (all in {self.log_file}):\n{tail}" if tail else "It said nothing."

    @property
    def returncode(self) -> int | None:
        """The exit status once the node has ended."""
        return self._process.returncode if self._process else None


class AttachedNode:
    """A segmenter that somebody else started.

    Args:
        name: its full name.
        is_there: whether the graph still knows it; asked once a second.
    """

    def __init__(self, name: str, is_there: Callable[[], bool]) -> None:
        self._name = name
        self._is_there = is_there
        self._asked_at = time.monotonic()

    def check(self) -> None:
        """Raises ReplayError where it has left the graph."""
        if time.monotonic() < self._asked_at + 1.0:
            return
        self._asked_at = time.monotonic()
        if not self._is_there():
            raise ReplayError(f"the node {self._name} has left the graph.")

    def last_words(self) -> str:
        """Where to look."""
        return f"See what {self._name} logs, and /diagnostics."
