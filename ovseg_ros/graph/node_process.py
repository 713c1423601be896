"""The node that a recording is played into: started as a process of its own, or running already."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from ovseg_ros.graph.client import GraphClient, ReplayError
from ovseg_ros.graph.names import GraphNames
from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.messages import COMPRESSED_IMAGE

ATTACH_TIMEOUT = 60.0
"""Seconds in which a node to attach to must appear: it may just be starting."""

DISCOVERY_TIMEOUT = 1.5
"""Seconds in which other nodes of the graph are discovered, if there are any."""

_PROGRAM = "import sys; from ovseg_ros.node.segmenter_node import main; sys.exit(main())"
_STOP_TIMEOUT = 20.0


@dataclass
class NodeProcess:
    """Runs the `segmenter` with the given parameters for the time of a `with` block.

    Attributes:
        parameters: full parameter names ("model.name") and their values.
        folder: where `segmenter.yaml` (the parameters) and `segmenter.log` (the node's output) go.
    """

    parameters: Mapping[str, object]
    folder: Path
    names: GraphNames = field(default_factory=GraphNames)

    def __enter__(self) -> "NodeProcess":
        file = self.folder / "segmenter.yaml"
        write_parameters(self.parameters, file)
        arguments = [*self.names.remappings(), "--params-file", str(file)]
        command = [sys.executable, "-c", _PROGRAM, "--ros-args", *arguments]
        with self._log_file.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *exception: object) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def _log_file(self) -> Path:
        return self.folder / "segmenter.log"

    def check(self) -> None:
        """Raises ReplayError with the end of the node's log where it has ended."""
        status = self.process.poll()
        if status is not None:
            raise ReplayError(f"the node ended with status {status}. {self.last_output()}")

    def last_output(self, lines: int = 15) -> str:
        """The end of the node's log, for a message."""
        text = self._log_file.read_text(encoding="utf-8", errors="replace").strip()
        tail = "\n".join(f"  {line}" for line in text.splitlines()[-lines:])
        return f"Its last lines (all in {self._log_file}):\n{tail}" if tail else "It printed nothing."


class AttachedNode:
    """A segmenter that somebody else started, and the client's camera opened on its image topic.

    Raises ReplayError where it does not appear, takes other images than the recording's `topic` has, or where
    another camera publishes to it.
    """

    def __init__(self, client: GraphClient, topic: TopicInfo) -> None:
        self._client = client
        self._checked_at = time.monotonic()
        name = client.names.full_node
        if not _wait_for(lambda: client.nodes() > 0, ATTACH_TIMEOUT):
            raise ReplayError(
                f"there is no node {name} on the graph (ROS_DOMAIN_ID, --node, --namespace); start it, or "
                "leave out --attach to have one started"
            )
        transport, own = client.parameter("input.transport", ATTACH_TIMEOUT), _transport(topic)
        if transport not in (None, own):
            raise ReplayError(
                f"{topic.name} of the recording has {own} images, but {name} takes {transport} ones; "
                f"start it with input.transport:={own}"
            )
        if not client.names.image:
            client.wait_for_diagnostics(3.0)
            image = client.diagnostics.get("image topic", "").removesuffix("/compressed")
            client.names = replace(client.names, image=image)
        client.open_camera()
        if _wait_for(lambda: bool(client.other_cameras()), DISCOVERY_TIMEOUT):
            raise ReplayError(
                f"{', '.join(client.other_cameras())} publishes on {client.names.raw_image} too; stop it, "
                "since its frames would drop those of the recording, or give --image-topic"
            )

    def check(self) -> None:
        """Raises ReplayError where it has left the graph, which is looked at once a second."""
        if time.monotonic() < self._checked_at + 1.0:
            return
        self._checked_at = time.monotonic()
        if not self._client.nodes():
            raise ReplayError(f"the node {self._client.names.full_node} has left the graph.")

    def last_output(self) -> str:
        """Where to look."""
        return f"See the log of {self._client.names.full_node}, and /diagnostics."


def prepare_own(client: GraphClient, parameters: Mapping[str, object], folder: Path) -> NodeProcess:
    """A node under the client's names, not started yet, and the client's camera opened.

    Raises ReplayError where a node of that name runs already.
    """
    _wait_for(lambda: client.nodes() > 0, DISCOVERY_TIMEOUT)
    refuse_other_nodes(client, 0)
    client.open_camera()
    return NodeProcess(parameters, folder, client.names)


def refuse_other_nodes(client: GraphClient, own: int) -> None:
    """Raises ReplayError where the graph has more than `own` nodes of the segmenter's name.

    To be called again when the own one is active: on a busy machine discovery takes seconds.
    """
    if client.nodes() > own:
        raise ReplayError(
            f"a node {client.names.full_node} runs on this graph already; give --attach to play into it, or "
            "choose another ROS_DOMAIN_ID or --node"
        )


def input_parameters(topic: TopicInfo, clock: bool) -> dict[str, object]:
    """How a node takes the images of a recording's topic.

    Reliably: of a best-effort image larger than the middleware's buffers a part is lost whenever the machine
    is busy, which is not the node's fault.
    """
    transport = _transport(topic)
    return {"input.transport": transport, "input.reliability": "reliable", "use_sim_time": clock}


def write_parameters(parameters: Mapping[str, object], file: Path) -> None:
    """Write a parameter file for a node of any name."""
    content = {"/**": {"ros__parameters": dict(parameters)}}
    file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def decide_clock(client: GraphClient, clock: str, attached: bool, warn: Callable[[str], None]) -> bool:
    """Whether to publish /clock: "on", "off", or "auto": for a node of our own, and for an attached one that
    uses it where nobody else publishes it."""
    if not attached:
        return clock != "off"
    uses = client.parameter("use_sim_time") is True
    published = client.is_clock_published()
    if clock == "on" and published:
        warn("somebody else publishes /clock too; time will jump")
    if clock == "off" and uses and not published:
        warn("the node uses /clock, but nobody publishes it: it cannot measure its own latency")
    return uses and not published if clock == "auto" else clock == "on"


def _transport(topic: TopicInfo) -> str:
    return "compressed" if topic.type == COMPRESSED_IMAGE else "raw"


def _wait_for(condition: Callable[[], bool], timeout: float) -> bool:
    """Whether the condition came true within `timeout` seconds."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
