"""What rclpy's managed nodes lack: transitions that tell why they failed, and one-shot timers."""

import functools
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.timer import Timer


class Managed(Protocol):
    """A node that keeps what went wrong last."""

    failure: str

    @property
    def context(self) -> Any: ...

    def get_logger(self) -> Any: ...


NodeT = TypeVar("NodeT", bound=Managed)
Transition = Callable[[NodeT, LifecycleState], TransitionCallbackReturn]


def told(transition: Transition[NodeT]) -> Transition[NodeT]:
    """Log and keep an unexpected exception, which rclpy would swallow before it calls `on_error`."""

    @functools.wraps(transition)
    def guarded(node: NodeT, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as error:
            node.failure = f"{transition.__name__} failed: {error!r}"
            if node.context.ok():  # else the process was told to end, and nothing of the graph works any more
                node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return guarded


def answer_wrong_transitions(node: LifecycleNode) -> None:
    """Have a transition that the node's state does not allow answered with `success: false`.

    rclpy 7.1 raises instead, and whoever called waits for ever.
    """
    service = next(entry for entry in node.services if entry.srv_type is ChangeState)
    change_state = service.callback

    def answer(request: Any, response: Any) -> Any:
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
        timer = self._timers.pop(name, None)
        if timer is not None:
            self._node.destroy_timer(timer)

    def cancel_all(self) -> None:
        for name in list(self._timers):
            self.cancel(name)
