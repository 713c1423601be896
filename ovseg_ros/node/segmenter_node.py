"""The managed node `segmenter`: its life cycle, and how its parts are put together."""

from collections.abc import Sequence
from typing import Any

from rclpy.exceptions import InvalidHandle
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.camera import input_topics
from ovseg_ros.node.changes import Changes
from ovseg_ros.node.diagnostics import Diagnostics
from ovseg_ros.node.hints import missing_publisher_hints
from ovseg_ros.node.lifecycle import OneShots, answer_wrong_transitions, told
from ovseg_ros.node.locate import Answer, LocateError, chosen_cameras, parse_texts
from ovseg_ros.node.messages import vocabulary_message
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.process import run
from ovseg_ros.node.report import Report, make_reports
from ovseg_ros.node.services import LocateService, VocabularyServices
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.specification import ParameterError, Phase
from ovseg_ros.vocabulary import Vocabulary

HINT_AFTER = 5.0
"""Seconds after which the node says that nothing publishes images."""

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class SegmenterNode(LifecycleNode):
    """Colour images in, labels out. All but the work on frames and on text runs on the executor thread.

    Raises:
        ParameterError: a parameter given at start has a value that it cannot have.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("segmenter", **options)
        self.failure = ""
        self._pipeline: Pipeline | None = None
        self._active = False
        self._one_shots = OneShots(self)
        try:
            self._changes = Changes(self, lambda: self.phase, lambda: self._pipeline)
        except ParameterError:
            super().destroy_node()
            raise
        self._keeper = self._changes.keeper
        self._settled = self.create_guard_condition(self._changes.follow)
        self._vocabulary_services = VocabularyServices(
            self, self._changes.set_vocabulary, lambda: self._keeper.current, self._vocabulary_message
        )
        self._locate_service = LocateService(self, self._locate)
        self._diagnostics = Diagnostics(self, self._report)
        answer_wrong_transitions(self)
        self._inputs_told: list[str] = []
        self._tell_inputs()
        services = ", ".join([*self._vocabulary_services.names, *self._locate_service.names])
        self.get_logger().info(f"services: {services}")
        if self.settings.autostart:
            self._one_shots.after(0.0, "autostart", self._autostart)

    @property
    def settings(self) -> Settings:
        """The parameters as they are now."""
        return self._changes.settings

    @property
    def phase(self) -> Phase:
        """How far the node has come in its life cycle."""
        if self._pipeline is None:
            return Phase.UNCONFIGURED
        return Phase.ACTIVE if self._active else Phase.INACTIVE

    @told
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model, encode the vocabulary, create the publishers."""
        settings = self.settings
        self.get_logger().info(f"loading {settings.model.name}")
        try:
            self._keeper.check(settings.vocabulary)
            # Here and not above: torch takes seconds to import, and its absence is told like a missing model.
            from ovseg_ros.node.engine import Engine

            engine = Engine(settings.model, len(settings.camera_names))
            vocabulary = self._keeper.build_from(settings.vocabulary)
            setup = engine.prepare(settings.method, settings.vocabulary.templates, vocabulary)
        except (OvsegError, ImportError) as error:
            self.failure = str(error)
            self.get_logger().error(f"cannot be configured: {error}")
            return FAILURE
        self._pipeline = Pipeline(
            self,
            engine,
            setup,
            settings.camera_names,
            self._keeper,
            settings=lambda: self.settings,
            as_message=self._vocabulary_message,
            settled=self._trigger_settled,
        )
        self.failure = ""
        description = ", ".join(f"{name} {value}" for name, value in setup.description.items())
        self.get_logger().info(f"configured: {description}; outputs: {', '.join(self._pipeline.topics)}")
        return SUCCESS

    @told
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Open the inputs."""
        if self._pipeline is None:
            return FAILURE
        self._tell_inputs()
        self._pipeline.open(self.settings.input)
        self._active = True
        self._one_shots.after(HINT_AFTER, "hint", self._hint)
        return SUCCESS

    @told
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Close the inputs; the model and the vocabulary stay."""
        self._active = False
        self._one_shots.cancel("hint")
        if self._pipeline is not None:
            self._pipeline.close()
        return SUCCESS

    @told
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let go of the model and the publishers."""
        self._release()
        return SUCCESS

    @told
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """As cleanup, for good."""
        self._release()
        return SUCCESS

    @told
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
        self._active = False
        self._one_shots.cancel_all()
        pipeline, self._pipeline = self._pipeline, None
        return pipeline.destroy() if pipeline is not None else True

    def _autostart(self) -> None:
        if self.phase is Phase.UNCONFIGURED and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def _hint(self) -> None:
        settings = self.settings
        for hint in missing_publisher_hints(self, settings.input.transport, settings.camera_names):
            self.get_logger().warning(hint)

    def _tell_inputs(self) -> None:
        """Log the inputs' names where they are not those that were logged before."""
        settings = self.settings
        inputs = [
            topic
            for camera in settings.camera_names
            for topic in input_topics(self, settings.input.transport, camera)
        ]
        if inputs != self._inputs_told:
            self._inputs_told = inputs
            self.get_logger().info(f"inputs: {', '.join(inputs)}")

    async def _locate(self, request: srv.Locate.Request) -> Answer:
        texts = parse_texts(request.texts, request.threshold)
        if self._pipeline is None or not self._active:
            raise LocateError(f"the node is {self.phase.name.lower()}, so it sees nothing: activate it first")
        cameras = chosen_cameras(request.camera, self.settings.camera_names)
        settings = self.settings.locate
        threshold = settings.threshold if request.threshold < 0 else round(request.threshold, 6)
        outcome = await self._pipeline.locate(cameras, texts, threshold, settings.max_age)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _trigger_settled(self) -> None:
        """Wake the executor, on any thread: coroutines that wait go on, and the parameters follow."""
        try:
            self._settled.trigger()
        except (InvalidHandle, RuntimeError):  # the node is being destroyed, and nobody waits any more
            return

    def _vocabulary_message(self, vocabulary: Vocabulary) -> msg.Vocabulary:
        # One message for all cameras: with names, each has its own topic behind its own prefix.
        named = any(self.settings.camera_names)

        def topic_of(slug: str) -> str:
            topic = f"confidence/{slug}"
            return topic if named else self.resolve_topic_name(f"~/{topic}")

        return vocabulary_message(vocabulary, self._keeper.since(vocabulary), topic_of)

    def _report(self) -> list[Report]:
        current = self._keeper.current
        return make_reports(self, self.phase, self.settings, current, self._pipeline, self.failure)


def main(args: Sequence[str] | None = None) -> int:
    """The executable `segmenter`."""
    return run(SegmenterNode, args)
