"""How far the node has come, and what rclpy's managed nodes lack: reported failures, and one-shot timers."""

import functools
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.timer import Timer

from ovseg_ros.node.settings import Settings
from ovseg_ros.node.vocabulary_state import VocabularyState

if TYPE_CHECKING:
    from ovseg_ros.node.pipeline import Pipeline
    from ovseg_ros.node.segmenter_node import SegmenterNode


class NodePhase(IntEnum):
    """How far the node has come in its life cycle."""

    UNCONFIGURED = 0
    INACTIVE = 1
    ACTIVE = 2


@dataclass
class NodeState:
    """What the node's parts on the executor thread share.

    Attributes:
        settings: the parameters as they are now.
        vocabulary: what was asked for and what is in force.
        phase: how far the node has come.
        pipeline: there from *configure* on.
        failure: why the last transition failed; empty where it did not.
    """

    settings: Settings = field(default_factory=Settings)
    vocabulary: VocabularyState = field(default_factory=VocabularyState)
    phase: NodePhase = NodePhase.UNCONFIGURED
    pipeline: "Pipeline | None" = None
    failure: str = ""


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


class OneShots:
    """Callbacks that come once, after a delay in real time, whatever `use_sim_time` says."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._timers: dict[str, Timer] = {}

    def after(self, delay: float, name: str, callback: Callable[[], None]) -> None:
        """Call `callback` in `delay` seconds on the executor thread, in place of what had this name."""
        self.cancel(name)

        def run() -> None:
            self.cancel(name)
            callback()

        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers[name] = self._node.create_timer(delay, run, clock=clock)

    def cancel(self, name: str) -> None:
        """Forget a callback that has not come yet; one that has is no mistake."""
        if timer := self._timers.pop(name, None):
            self._node.destroy_timer(timer)

    def cancel_all(self) -> None:
        for name in list(self._timers):
            self.cancel(name)
