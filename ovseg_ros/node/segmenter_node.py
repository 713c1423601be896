"""The managed node `segmenter`: its life cycle, and how its parts are put together."""

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.timer import Timer

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.camera import image_topic
from ovseg_ros.node.diagnostics import Diagnostics, Report
from ovseg_ros.node.hints import missing_publisher_hint, names_text
from ovseg_ros.node.messages import vocabulary_message
from ovseg_ros.node.parameters import Parameters
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.process import run
from ovseg_ros.node.services import Accepted, VocabularyServices
from ovseg_ros.node.settings import ParameterError, Phase, Settings
from ovseg_ros.node.vocabulary_keeper import VocabularyKeeper, as_parameters
from ovseg_ros.vocabulary import Vocabulary

HINT_AFTER = 5.0
"""Seconds after which the node says that nothing publishes images."""

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE

Transition = Callable[["SegmenterNode", LifecycleState], TransitionCallbackReturn]


def _told(transition: Transition) -> Transition:
    """Log an unexpected exception, which rclpy would swallow before it calls `on_error`."""

    @functools.wraps(transition)
    def guarded(node: "SegmenterNode", state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception:
            if node.context.ok():  # else the process was told to end, and nothing of the graph works any more
                node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR

    return guarded


class SegmenterNode(LifecycleNode):
    """Colour images in, labels out. All but the work on frames and on text runs on the executor thread.

    Raises:
        ParameterError: a parameter given at start has a value that it cannot have.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("segmenter", **options)
        self._keeper = VocabularyKeeper()
        self._pipeline: Pipeline | None = None
        self._active = False
        self._failure = ""
        self._timers_to_come: dict[str, Timer] = {}
        try:
            self._declared = Parameters(self, lambda: self.phase, self._check_change, self._apply_change)
        except ParameterError:
            super().destroy_node()
            raise
        self._settled = self.create_guard_condition(self._follow_vocabulary)
        self._vocabulary_services = VocabularyServices(
            self, self._change_vocabulary, lambda: self._keeper.current, self._vocabulary_message
        )
        self._diagnostics = Diagnostics(self, self._report)
        self._answer_wrong_transitions()
        if self.settings.autostart:
            self._once("autostart", 0.0, self._autostart)

    @property
    def settings(self) -> Settings:
        return self._declared.settings

    @property
    def phase(self) -> Phase:
        if self._pipeline is None:
            return Phase.UNCONFIGURED
        return Phase.ACTIVE if self._active else Phase.INACTIVE

    @_told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, encode the vocabulary, create the publishers."""
        settings = self.settings
        self.get_logger().info(f"loading {settings.model.name}")
        try:
            self._keeper.check(settings.vocabulary)
            # Here and not above: torch takes seconds to import, and its absence is told like a missing model.
            from ovseg_ros.node.engine import Engine

            engine = Engine(settings.model)
            vocabulary = self._keeper.build_from(settings.vocabulary)
            setup = engine.prepare(settings.method, settings.vocabulary.templates, vocabulary)
        except (OvsegError, ImportError) as error:
            self._failure = str(error)
            self.get_logger().error(f"cannot be configured: {error}")
            return FAILURE
        self._pipeline = Pipeline(
            self, engine, setup, self._keeper, lambda: self.settings.output, self._trigger_settled
        )
        self._failure = ""
        inputs = [image_topic(self, settings.input.transport), self.resolve_topic_name("camera_info")]
        names = names_text(inputs, self._pipeline.topics, self._vocabulary_services.names)
        self.get_logger().info(f"ready: {', '.join(setup.description.values())}; {names}")
        return SUCCESS

    @_told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the inputs."""
        if self._pipeline is None:
            return FAILURE
        self._pipeline.open(self.settings.input)
        self._active = True
        self._once("hint", HINT_AFTER, self._hint)
        return SUCCESS

    @_told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs; the model and the vocabulary stay."""
        self._active = False
        self._cancel("hint")
        if self._pipeline is not None:
            self._pipeline.close()
        return SUCCESS

    @_told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model and the publishers."""
        self._release()
        return SUCCESS

    @_told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleanup, for good."""
        self._release()
        return SUCCESS

    @_told
    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """A transition failed half-way: back to unconfigured, from where the node can be configured again."""
        self._failure = self._failure or "a transition failed; the log says where"
        self._release()
        return SUCCESS

    def destroy_node(self) -> bool:
        """Stop the threads and remove everything; False if a thread is still at work inside torch."""
        stopped = self._release()
        super().destroy_node()
        return stopped

    def _answer_wrong_transitions(self) -> None:
        """Have a transition that the state does not allow answered with `success: false`.

        rclpy 7.1 raises instead, and whoever called waits for ever.
        """
        service = next(entry for entry in self.services if entry.srv_type is ChangeState)
        change_state = service.callback

        def answer(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RuntimeError as error:
                self.get_logger().warning(f"transition {request.transition.id} is not possible now: {error}")
                response.success = False
                return response

        service.callback = answer

    def _release(self) -> bool:
        self._active = False
        for name in list(self._timers_to_come):
            self._cancel(name)
        pipeline, self._pipeline = self._pipeline, None
        return pipeline.destroy() if pipeline is not None else True

    def _autostart(self) -> None:
        if self.phase is Phase.UNCONFIGURED and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _hint(self) -> None:
        hint = missing_publisher_hint(self, self.settings.input.transport)
        if hint is not None:
            self.get_logger().warning(hint)

    async def _change_vocabulary(self, request: srv.SetVocabulary.Request) -> Accepted:
        vocabulary = self._keeper.build(request.classes, request.ids, request.background, request.threshold)
        if self._pipeline is None:
            self._follow_vocabulary()
            return Accepted(vocabulary, "kept until the node is configured")
        settings = self.settings
        outcome = await self._pipeline.change(settings.method, settings.vocabulary.templates, vocabulary)
        if isinstance(outcome, Exception):
            raise outcome
        return Accepted(vocabulary, "in force from the next frame on")

    def _follow_vocabulary(self) -> None:
        """Make the parameters tell which vocabulary is in force."""
        vocabulary = self._keeper.undescribed()
        if vocabulary is not None:
            self._declared.mirror(as_parameters(vocabulary))

    def _trigger_settled(self) -> None:
        """Wake the executor, on any thread: coroutines that wait go on, and the parameters follow."""
        try:
            self._settled.trigger()
        except InvalidHandle:  # the node is being destroyed
            return

    def _check_change(self, old: Settings, new: Settings) -> None:
        words = new.vocabulary
        if words != old.vocabulary and (self._pipeline is not None or words.classes or words.file):
            self._keeper.check(words)
        if self._pipeline is not None and new.method != old.method:
            self._pipeline.engine.check(new.method, words.templates)

    def _apply_change(self, old: Settings, new: Settings) -> None:
        if self._pipeline is None:
            return
        if new.vocabulary == old.vocabulary and new.method == old.method:
            return
        try:
            vocabulary = self._vocabulary_after(old, new)
        except OvsegError as error:  # the file has changed since the check a moment ago
            self.get_logger().error(f"the change of parameters has no effect: {error}")
            return
        self._pipeline.change(new.method, new.vocabulary.templates, vocabulary)

    def _vocabulary_after(self, old: Settings, new: Settings) -> Vocabulary:
        words_changed = any(
            getattr(old.vocabulary, name) != getattr(new.vocabulary, name)
            for name in ("file", "classes", "background", "threshold")
        )
        return self._keeper.build_from(new.vocabulary) if words_changed else self._keeper.newest

    def _vocabulary_message(self, vocabulary: Vocabulary) -> msg.Vocabulary:
        def topic_of(slug: str) -> str:
            return self.resolve_topic_name(f"~/confidence/{slug}")

        return vocabulary_message(vocabulary, self.get_clock().now().to_msg(), topic_of)

    def _report(self) -> Report:
        topic = image_topic(self, self.settings.input.transport)
        vocabulary = self._keeper.current
        sim_time = self.get_parameter("use_sim_time").value
        common: dict[str, Any] = {
            "phase": self.phase,
            "image_topic": topic,
            "publishers": self.count_publishers(topic),
            "stale_after": self.settings.input.stale_after,
            "vocabulary_revision": vocabulary.revision,
            "classes": len(vocabulary.classes),
            "clock_missing": bool(sim_time) and self.get_clock().now().nanoseconds == 0,
        }
        if self._pipeline is None:
            return Report(failure=self._failure, **common)
        camera, setup = self._pipeline.camera, self._pipeline.setup
        received, dropped = camera.slot.counts
        return Report(
            frames=camera.statistics.snapshot(),
            received=received,
            dropped=dropped,
            qos_mismatches=dict(camera.qos_mismatches),
            engine=setup.description,
            reduced=setup.reduced,
            failure=self._pipeline.failure,
            **common,
        )

    def _once(self, name: str, delay: float, callback: Callable[[], None]) -> None:
        """Call `callback` once in `delay` seconds of real time, whatever `use_sim_time` says."""

        def run() -> None:
            self._cancel(name)
            callback()

        clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_to_come[name] = self.create_timer(delay, run, clock=clock)

    def _cancel(self, name: str) -> None:
        timer = self._timers_to_come.pop(name, None)
        if timer is not None:
            self.destroy_timer(timer)


def main(args: Sequence[str] | None = None) -> int:
    """The executable `segmenter`."""
    return run(SegmenterNode, args)
