"""`set_vocabulary`, `get_vocabulary` and `locate`, under relative names; there in every state of the node."""

import math

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.lifecycle import NodePhase, NodeState
from ovseg_ros.node.locate import LocateError, LocateQuery, chosen_cameras, parse_texts
from ovseg_ros.node.outputs import vocabulary_snapshot
from ovseg_ros.node.parameters import Parameters
from ovseg_ros.vocabulary import Vocabulary

SERVICE_QOS = QoSProfile(depth=100)
"""With the default depth of 10, the eleventh of calls that come at once is lost, and its caller hangs."""


class Services:
    """The node's services. They read `state`, and have `parameters` follow the words that they set.

    `set_vocabulary` answers only when the vocabulary is in force, `locate` when there is a frame to search,
    and the executor must not wait meanwhile. So their callbacks are coroutines: they give the executor back
    at `await`, in a callback group that admits many at a time. The executor of ROS 2 Jazzy looks at a waiting
    coroutine whenever anything wakes it up, and sleeps in between; so whoever completes what is awaited must
    wake it.
    """

    def __init__(self, node: Node, state: NodeState, parameters: Parameters) -> None:
        self._node = node
        self._state = state
        self._parameters = parameters
        kinds = {
            "set_vocabulary": (srv.SetVocabulary, self._set_vocabulary),
            "get_vocabulary": (srv.GetVocabulary, self._get_vocabulary),
            "locate": (srv.Locate, self._locate),
        }
        self._services = [
            node.create_service(
                kind, name, callback, qos_profile=SERVICE_QOS, callback_group=ReentrantCallbackGroup()
            )
            for name, (kind, callback) in kinds.items()
        ]

    @property
    def names(self) -> list[str]:
        return [service.service_name for service in self._services]

    async def _set_vocabulary(
        self, request: srv.SetVocabulary.Request, _: srv.SetVocabulary.Response
    ) -> srv.SetVocabulary.Response:
        """Bring the words of a call into force, or keep them for *configure*."""
        state, settings = self._state, self._state.settings
        try:
            asked = (request.classes, request.ids, request.background, request.threshold, request.costs)
            vocabulary = state.vocabulary.build(*asked, request.default_cost)
            if state.pipeline is None:
                self._parameters.follow()
                message = "kept until the node is configured" + _advice(vocabulary)
                in_force = self._current()
            else:
                templates = settings.vocabulary.templates
                outcome = await state.pipeline.change(settings.method, templates, vocabulary)
                if isinstance(outcome, Exception):
                    raise outcome
                message = "in force from the next frame on" + _advice(vocabulary)
                in_force = outcome.message
        except Exception as error:  # an exception out of a callback would end the node
            message = self._refusal("set_vocabulary", error)
            return srv.SetVocabulary.Response(message=message, vocabulary=self._current())
        return srv.SetVocabulary.Response(success=True, message=message, vocabulary=in_force)

    def _get_vocabulary(
        self, request: srv.GetVocabulary.Request, _: srv.GetVocabulary.Response
    ) -> srv.GetVocabulary.Response:
        return srv.GetVocabulary.Response(vocabulary=self._current())

    async def _locate(self, request: srv.Locate.Request, _: srv.Locate.Response) -> srv.Locate.Response:
        """Answer from the newest frames, with the settings of this moment."""
        state, settings = self._state, self._state.settings
        try:
            texts = parse_texts(request.texts, request.threshold)
            if state.pipeline is None or state.phase is not NodePhase.ACTIVE:
                raise LocateError(
                    f"the node is {state.phase.name.lower()}: it sees nothing; activate it first"
                )
            query = LocateQuery(
                texts,
                cameras=chosen_cameras(request.camera, settings.camera_names),
                threshold=settings.locate.threshold if request.threshold < 0 else round(request.threshold, 6),
                max_age=settings.locate.max_age,
                stale_after=settings.input.stale_after,
            )
            outcome = await state.pipeline.locate(query)
            if isinstance(outcome, Exception):
                raise outcome
        except Exception as error:  # an exception out of a callback would end the node
            return srv.Locate.Response(message=self._refusal("locate", error), age=math.nan)
        return outcome

    def _current(self) -> msg.Vocabulary:
        """The vocabulary in force, or the one that waits for *configure*."""
        state = self._state
        waiting = state.vocabulary.newest
        snapshot = state.in_force or vocabulary_snapshot(self._node, waiting, state.settings.camera_names)
        return snapshot.message

    def _refusal(self, service: str, error: Exception) -> str:
        """Why there is no answer; what the caller could not have caused is logged too."""
        if not isinstance(error, OvsegError):
            self._node.get_logger().error(f"{service} failed: {error!r}")
        return str(error) or repr(error)


def _advice(vocabulary: Vocabulary) -> str:
    """What the caller may not expect of these words."""
    if len(vocabulary.classes) > 1 or vocabulary.background:
        return ""
    name = vocabulary.classes[0].name
    return f"; with one class and no background prompts every pixel is {name!r}: add background prompts"
