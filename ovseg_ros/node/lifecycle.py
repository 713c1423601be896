"""How far the node has come, and what rclpy lacks: reports of failed transitions, logs throttled by kind."""

import functools
import math
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ovseg_ros.node.settings import Settings
from ovseg_ros.node.vocabulary_state import VocabularyState

if TYPE_CHECKING:
    from ovseg_ros.node.frames import VocabularySnapshot
    from ovseg_ros.node.pipeline import Pipeline
    from ovseg_ros.node.segmenter_node import SegmenterNode


class NodePhase(IntEnum):
    UNCONFIGURED = 0
    INACTIVE = 1
    ACTIVE = 2


@dataclass
class NodeState:
    """What the node's parts on the executor thread share.

    Attributes:
        settings: the parameters as they are now.
        vocabulary: what was asked for.
        phase: how far the node has come.
        pipeline: there from *configure* on.
        failure: why the last transition failed; empty where it did not.
    """

    settings: Settings = field(default_factory=Settings)
    vocabulary: VocabularyState = field(default_factory=VocabularyState)
    phase: NodePhase = NodePhase.UNCONFIGURED
    pipeline: "Pipeline | None" = None
    failure: str = ""

    @property
    def in_force(self) -> "VocabularySnapshot | None":
        """The vocabulary in force; None before *configure*, which the newest one waits for."""
        return None if self.pipeline is None else self.pipeline.setup.vocabulary


Transition = Callable[["SegmenterNode", LifecycleState], TransitionCallbackReturn]


def reported(transition: Transition) -> Transition:
    """Log and keep an unexpected exception, which rclpy would swallow before it calls `on_error`."""

    @functools.wraps(transition)
    def guarded(node: "SegmenterNode", state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.state.failure = f"{transition.__name__} failed: {error!r}"
            if node.context.ok():  # else the process is ending, and nothing of the graph works any more
                node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return guarded


def answer_wrong_transitions(node: LifecycleNode) -> None:
    """Have a transition that the node's state does not allow answered with `success: false`.

    rclpy 7.1 raises instead, and whoever called waits for ever.
    """
    service = next(entry for entry in node.services if entry.srv_type is ChangeState)
    change_state = service.callback

    def answer(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        try:
            return change_state(request, response)
        except RuntimeError as error:
            node.get_logger().warning(f"transition {request.transition.id} is not possible now: {error}")
            response.success = False
            return response

    service.callback = answer


class Throttle:
    """Passes on the first message of a kind, then one each `period` seconds, with a count of the rest.

    Time is monotonic, so that neither a clock that is set back nor a bag that loops can silence it.
    """

    def __init__(self, period: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._clock = clock
        self._logged: dict[str, tuple[float, int]] = {}  # by kind: when one passed, and how many since

    def __call__(self, kind: str, message: str) -> str | None:
        """The line to log, or None if one of this `kind` was logged less than `period` seconds ago."""
        now = self._clock()
        last, suppressed = self._logged.get(kind, (-math.inf, 0))
        if now - last < self._period:
            self._logged[kind] = last, suppressed + 1
            return None
        self._logged[kind] = now, 0
        return f"{message} ({suppressed} more like this before)" if suppressed else message
