"""`set_vocabulary`, `get_vocabulary` and `locate`."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ovseg_ros import msg, srv
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.locate import Answer
from ovseg_ros.vocabulary import Vocabulary

SERVICE_QOS = QoSProfile(depth=100)
"""The usual depth of 10 loses the eleventh of calls that come at once, and its caller waits for ever."""


@dataclass(frozen=True)
class Accepted:
    """A vocabulary that was accepted, and from when on it counts, in words."""

    vocabulary: Vocabulary
    note: str


class VocabularyServices:
    """The two services, under relative names; there in every state of the node.

    `change(request)` is awaited on the executor thread. It raises an OvsegError to refuse.

    `set_vocabulary` answers only when the vocabulary is in force, and the executor must not wait meanwhile.
    So its callback is a coroutine: it gives the executor back at `await`, in a callback group that admits
    many at a time. The executor of ROS 2 Jazzy looks at a waiting coroutine whenever anything wakes it up,
    and sleeps in between; so whoever completes what is awaited must wake it.
    """

    def __init__(
        self,
        node: Node,
        change: Callable[[srv.SetVocabulary.Request], Awaitable[Accepted]],
        current: Callable[[], Vocabulary],
        as_message: Callable[[Vocabulary], msg.Vocabulary],
    ) -> None:
        self._node = node
        self._change = change
        self._current = current
        self._as_message = as_message
        self._services = [
            node.create_service(
                srv.SetVocabulary,
                "set_vocabulary",
                self._set,
                qos_profile=SERVICE_QOS,
                callback_group=ReentrantCallbackGroup(),
            ),
            node.create_service(srv.GetVocabulary, "get_vocabulary", self._get, qos_profile=SERVICE_QOS),
        ]

    @property
    def names(self) -> list[str]:
        """The full names of the services."""
        return [service.service_name for service in self._services]

    async def _set(self, request: Any, response: Any) -> Any:
        try:
            accepted = await self._change(request)
        except Exception as error:  # an exception out of a callback would end the node
            _refuse(self._node, "set_vocabulary", error, response)
            response.vocabulary = self._as_message(self._current())
            return response
        response.success = True
        response.message = accepted.note
        response.vocabulary = self._as_message(accepted.vocabulary)
        return response

    def _get(
        self, request: srv.GetVocabulary.Request, response: srv.GetVocabulary.Response
    ) -> srv.GetVocabulary.Response:
        response.vocabulary = self._as_message(self._current())
        return response


class LocateService:
    """`locate`, under its relative name. `ask(request)` is awaited as `change` of `VocabularyServices` is."""

    def __init__(self, node: Node, ask: Callable[[srv.Locate.Request], Awaitable[Answer]]) -> None:
        self._node = node
        self._ask = ask
        self._service = node.create_service(
            srv.Locate,
            "locate",
            self._locate,
            qos_profile=SERVICE_QOS,
            callback_group=ReentrantCallbackGroup(),
        )

    @property
    def names(self) -> list[str]:
        """The full name of the service."""
        return [self._service.service_name]

    async def _locate(self, request: Any, response: Any) -> Any:
        try:
            answer = await self._ask(request)
        except Exception as error:  # an exception out of a callback would end the node
            _refuse(self._node, "locate", error, response)
            response.age = math.nan
            return response
        response.success = True
        response.message = answer.note
        response.locations = answer.locations
        response.age = answer.age
        return response


def _refuse(node: Node, service: str, error: Exception, response: Any) -> None:
    """Say in a response why there is no answer; what the caller could not have caused is logged too."""
    if not isinstance(error, OvsegError):
        node.get_logger().error(f"{service} failed: {error!r}")
    response.success = False
    response.message = str(error) or repr(error)
