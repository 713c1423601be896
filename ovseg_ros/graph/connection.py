"""The way to a segmenter: one that runs, or one that is started for the replay."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ovseg_ros.graph.graph_client import GraphClient
from ovseg_ros.graph.node_process import AttachedNode, NodeProcess, ReplayError
from ovseg_ros.recordings.frame import TopicInfo
from ovseg_ros.recordings.message_types import COMPRESSED_IMAGE

ATTACH_TIMEOUT = 60.0
"""Seconds in which a node that is to be attached to must appear: it may just be starting."""

_DISCOVERY = 1.5


def attach(client: GraphClient, topic: TopicInfo) -> AttachedNode:
    """The node that runs under the client's names, and the camera opened on its image topic.

    Raises ReplayError where it does not appear, takes other images than the bag's `topic` has, or where
    another camera publishes to it.
    """
    name = client.names.full_node
    until = time.monotonic() + ATTACH_TIMEOUT
    while not client.is_there():
        if time.monotonic() > until:
            raise ReplayError(
                f"there is no node {name} on the graph (ROS_DOMAIN_ID, --node, --namespace); start it, or "
                "leave out --attach to have one started"
            )
        time.sleep(0.2)
    transport = client.parameter("input.transport", ATTACH_TIMEOUT)
    wanted = "compressed" if topic.type == COMPRESSED_IMAGE else "raw"
    if transport not in (None, wanted):
        raise ReplayError(
            f"{topic.name} of the bag has {wanted} images, but {name} takes {transport} ones; start it with "
            f"input.transport:={wanted}"
        )
    if not client.names.image:
        client.wait_for_diagnostics(3.0)
        image = client.diagnostics.get("image topic", "").removesuffix("/compressed")
        client.names = replace(client.names, image=image)
    client.open_camera()
    time.sleep(_DISCOVERY)
    if others := client.other_cameras():
        raise ReplayError(
            f"{', '.join(others)} publishes on {client.names.raw_image} too; stop it, since its frames would "
            "drop those of the bag, or give --image-topic"
        )
    return AttachedNode(name, client.is_there)


def prepare_own(
    client: GraphClient, parameters: dict[str, Any], folder: Path, params_file: Path | None
) -> NodeProcess:
    """A node under the client's names, not started yet, and the camera opened.

    Raises ReplayError where a node of that name runs already.
    """
    time.sleep(_DISCOVERY)
    refuse_namesakes(client, 0)
    client.open_camera()
    return NodeProcess(parameters, folder, client.names, params_file)


def refuse_namesakes(client: GraphClient, own: int) -> None:
    """Raises ReplayError where the graph has more than `own` nodes of the segmenter's name. To be asked again
    when the own one is there: on a busy machine it takes seconds until nodes know each other."""
    if client.namesakes() > own:
        raise ReplayError(
            f"a node {client.names.full_node} runs on this graph already; give --attach to play into it, or "
            "choose another ROS_DOMAIN_ID or --node"
        )


def decide_clock(
    client: GraphClient, asked: bool | None, attached: bool, warn: Callable[[str], None]
) -> bool:
    """Whether to publish /clock: as asked; else for a node of our own, and for an attached one that lives by
    it where nobody else publishes it."""
    if not attached:
        return asked is not False
    uses = client.parameter("use_sim_time") is True
    taken = client.is_clock_published()
    if asked and taken:
        warn("somebody else publishes /clock too; time will jump")
    if asked is False and uses and not taken:
        warn("the node lives by /clock, but nobody publishes it: it cannot tell its own latency")
    return uses and not taken if asked is None else asked
