"""Changes of the words and of the method, which come by service and by parameter."""

from collections.abc import Callable

from rclpy.node import Node

from ovseg_ros import srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.parameters import Parameters
from ovseg_ros.node.pipeline import Pipeline
from ovseg_ros.node.services import Accepted
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.specification import Phase
from ovseg_ros.node.vocabulary_keeper import VocabularyKeeper, as_parameters
from ovseg_ros.vocabulary import Vocabulary

WORDS = ("file", "classes", "background", "threshold", "costs", "default_cost")
"""The parameters of the group `vocabulary` that say what the vocabulary is."""


class Changes:
    """Checks what is asked for, and hands it to the pipeline where there is one. All on the executor thread.

    Declares the node's parameters. Both ways lead to one vocabulary: a service call also sets the parameters,
    so that they always tell what is in force, and what the next *configure* will take.
    """

    def __init__(
        self, node: Node, phase: Callable[[], Phase], pipeline: Callable[[], Pipeline | None]
    ) -> None:
        self._node = node
        self._pipeline = pipeline
        self.keeper = VocabularyKeeper()
        self._parameters = Parameters(node, phase, self._check, self._apply)

    @property
    def settings(self) -> Settings:
        """The parameters as they are now."""
        return self._parameters.settings

    async def set_vocabulary(self, request: srv.SetVocabulary.Request) -> Accepted:
        """Bring the words of a service call into force, or keep them for *configure*.

        Raises:
            OvsegError: they are refused, or could not be encoded; the old ones stay.
        """
        vocabulary = self.keeper.build(
            request.classes,
            request.ids,
            request.background,
            request.threshold,
            request.costs,
            request.default_cost,
        )
        pipeline = self._pipeline()
        if pipeline is None:
            self.follow()
            return Accepted(vocabulary, "kept until the node is configured" + _advice(vocabulary))
        settings = self.settings
        outcome = await pipeline.change(settings.method, settings.vocabulary.templates, vocabulary)
        if isinstance(outcome, Exception):
            raise outcome
        return Accepted(vocabulary, "in force from the next frame on" + _advice(vocabulary))

    def follow(self) -> None:
        """Make the parameters tell of the vocabulary in force, if they tell of another."""
        vocabulary = self.keeper.undescribed()
        if vocabulary is not None:
            self._parameters.mirror(as_parameters(vocabulary))

    def _check(self, old: Settings, new: Settings) -> None:
        pipeline, words = self._pipeline(), new.vocabulary
        if words != old.vocabulary and (pipeline is not None or words.classes or words.file):
            self.keeper.check(words)
        if pipeline is not None and new.method != old.method:
            pipeline.engine.check(new.method, words.templates)

    def _apply(self, old: Settings, new: Settings) -> None:
        pipeline = self._pipeline()
        if pipeline is None or (new.vocabulary == old.vocabulary and new.method == old.method):
            return
        try:
            vocabulary = self._vocabulary_after(old, new)
        except OvsegError as error:  # the file is not what it was at the check a moment ago
            self._node.get_logger().error(f"the change of parameters has no effect: {error}")
            return
        pipeline.change(new.method, new.vocabulary.templates, vocabulary)

    def _vocabulary_after(self, old: Settings, new: Settings) -> Vocabulary:
        if any(getattr(old.vocabulary, name) != getattr(new.vocabulary, name) for name in WORDS):
            return self.keeper.build_from(new.vocabulary)
        return self.keeper.newest


def _advice(vocabulary: Vocabulary) -> str:
    """What the caller may not expect of these words."""
    if len(vocabulary.classes) > 1 or vocabulary.background:
        return ""
    name = vocabulary.classes[0].name
    return f"; with one class and no background prompts every pixel is {name!r}: add background prompts"
