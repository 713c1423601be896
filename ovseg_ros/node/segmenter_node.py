"""The managed node `segmenter`: its life cycle, and how its parts are put together."""

from collections.abc import Sequence
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ovseg_ros.config import ConfigError
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.camera import input_topics, missing_publisher_hints
from ovseg_ros.node.diagnostics import Diagnostics
from ovseg_ros.node.lifecycle import NodePhase, NodeState, answer_wrong_transitions, reported
from ovseg_ros.node.parameters import Parameters
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.process import run
from ovseg_ros.node.services import Services

HINT_AFTER = 5.0
"""Seconds after which the node says that nothing publishes images."""

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SegmenterNode(LifecycleNode):
    """Colour images in, labels out. All but the work on frames and on text runs on the executor thread.

    Raises ConfigError where a parameter given at start has a value that it cannot have.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("segmenter", **options)
        self.state = NodeState()
        try:
            parameters = Parameters(self, self.state)
        except ConfigError:
            super().destroy_node()
            raise
        self._settled = self.create_guard_condition(parameters.follow)
        self._own_services = Services(self, self.state, parameters)
        self._diagnostics = Diagnostics(self, self.state)
        answer_wrong_transitions(self)
        self._logged_inputs: list[str] = []
        self._log_inputs()
        self.get_logger().info(f"services: {', '.join(self._own_services.names)}")
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # real time, whatever use_sim_time says
        self._hint_timer = self.create_timer(HINT_AFTER, self._hint, clock=steady)
        self._autostart_timer = self.create_timer(0.0, self._autostart, clock=steady)
        self._hint_timer.cancel()
        if not self.state.settings.autostart:
            self._autostart_timer.cancel()

    @reported
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, encode the vocabulary, create the publishers."""
        settings, words = self.state.settings, self.state.vocabulary
        self.get_logger().info(f"loading {settings.model.name}")
        try:
            words.check(settings.vocabulary)
            # Not at the top: torch takes seconds to import, and its absence is reported like a missing model.
            from ovseg_ros.node.engine import Engine

            engine = Engine(settings.model, len(settings.camera_names))
            vocabulary = words.build_from(settings.vocabulary)
            segmenter = engine.prepare(settings.method, settings.vocabulary.templates, vocabulary)
        except (OvsegError, ImportError) as error:
            self.state.failure = str(error)
            self.get_logger().error(f"cannot be configured: {error}")
            return FAILURE
        pipeline = Pipeline(self, engine, segmenter, vocabulary, self.state, self._settled)
        self.state.pipeline = pipeline
        self.state.phase = NodePhase.INACTIVE
        self.state.failure = ""
        description = ", ".join(f"{name} {value}" for name, value in segmenter.description.items())
        self.get_logger().info(f"configured: {description}; outputs: {', '.join(pipeline.topics)}")
        return SUCCESS

    @reported
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        if self.state.pipeline is None:
            return FAILURE
        self._log_inputs()
        self.state.pipeline.open(self.state.settings.input)
        self.state.phase = NodePhase.ACTIVE
        self._hint_timer.reset()
        return SUCCESS

    @reported
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs; the model and the vocabulary stay."""
        self._hint_timer.cancel()
        if self.state.pipeline is not None:
            self.state.phase = NodePhase.INACTIVE
            self.state.pipeline.close()
        return SUCCESS

    @reported
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._release()
        return SUCCESS

    @reported
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._autostart_timer.cancel()
        self._release()
        return SUCCESS

    @reported
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition failed half-way: back to unconfigured, from where the node can be configured again."""
        self._release()
        return SUCCESS

    def destroy_node(self) -> bool:
        """Stop the threads and remove everything; False if a thread is still at work inside torch."""
        stopped = self._release()
        super().destroy_node()
        return stopped

    def _release(self) -> bool:
        pipeline, self.state.pipeline = self.state.pipeline, None
        self.state.phase = NodePhase.UNCONFIGURED
        return pipeline.destroy() if pipeline is not None else True

    def _autostart(self) -> None:
        self._autostart_timer.cancel()
        if self.state.phase is NodePhase.UNCONFIGURED and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _hint(self) -> None:
        self._hint_timer.cancel()
        settings = self.state.settings
        if self.state.phase is not NodePhase.ACTIVE:
            return
        for hint in missing_publisher_hints(self, settings.input.transport, settings.camera_names):
            self.get_logger().warning(hint)

    def _log_inputs(self) -> None:
        """Log the inputs' names where they are not those that were logged before."""
        settings = self.state.settings
        transport = settings.input.transport
        inputs = [topic for name in settings.camera_names for topic in input_topics(self, transport, name)]
        if inputs != self._logged_inputs:
            self._logged_inputs = inputs
            self.get_logger().info(f"inputs: {', '.join(inputs)}")


def main(args: Sequence[str] | None = None) -> int:
    """The executable `segmenter`."""
    return run(SegmenterNode, args)
