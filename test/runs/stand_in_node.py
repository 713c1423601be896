"""A stand-in for the segmenter, as a program: answers each image after a fixed time, with no model.

It keeps the newest image only, as the node does, and says the same of itself on the graph. Arguments:
seconds for a frame, answers after which it dies (0: never), then ROS's own.
"""

import contextlib
import os
import sys
import threading
import time
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from ovseg_ros.msg import SegmentationSummary, Vocabulary, VocabularyClass
from ovseg_ros.srv import GetVocabulary, SetVocabulary

NAMES = ("road", "sky", "red box")


class StandIn(Node):
    """Labels every pixel by its column: thirds of road, sky and red box."""

    def __init__(self, seconds: float, answers: int) -> None:
        super().__init__("segmenter")
        self._seconds, self._answers_left = seconds, answers
        self._wake = threading.Condition()
        self._newest: Image | None = None
        self._received = self._dropped = 0
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._labels = self.create_publisher(Image, "~/labels", 5)
        self._confidence = self.create_publisher(Image, "~/confidence", 5)
        self._summary = self.create_publisher(SegmentationSummary, "~/summary", 5)
        self._vocabulary = self.create_publisher(Vocabulary, "~/vocabulary", latched)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._words = Vocabulary(revision=1)
        self._words.classes = [VocabularyClass(id=n, name=name) for n, name in enumerate(NAMES, start=1)]
        self._vocabulary.publish(self._words)
        newest_only = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._images = self.create_subscription(Image, "image", self._on_image, newest_only)
        self.create_service(GetState, "~/get_state", self._get_state)
        self.create_service(GetVocabulary, "get_vocabulary", self._get)
        self.create_service(SetVocabulary, "set_vocabulary", self._set)
        self.create_timer(0.2, self._tell)
        threading.Thread(target=self._work, daemon=True).start()

    def _on_image(self, message: Image) -> None:
        with self._wake:
            self._received += 1
            self._dropped += self._newest is not None
            self._newest = message
            self._wake.notify()

    def _work(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._newest is not None)
                message, self._newest = self._newest, None
            time.sleep(self._seconds)
            self._answer(message)
            self._answers_left -= 1
            if self._answers_left == 0:
                print("the stand-in dies", flush=True)
                os._exit(7)

    def _answer(self, message: Any) -> None:
        height, width = message.height, message.width
        row = bytes(1 + 3 * column // width for column in range(width))
        for publisher, line in ((self._labels, row), (self._confidence, bytes([200]) * width)):
            image = Image(header=message.header, height=height, width=width, encoding="mono8", step=width)
            image.data.frombytes(line * height)
            publisher.publish(image)
        self._summary.publish(
            SegmentationSummary(header=message.header, vocabulary_revision=self._words.revision)
        )

    def _get_state(self, request: Any, response: Any) -> Any:
        response.current_state.id = State.PRIMARY_STATE_ACTIVE
        return response

    def _get(self, request: Any, response: Any) -> Any:
        response.vocabulary = self._words
        return response

    def _set(self, request: Any, response: Any) -> Any:
        known = [[entry.name] for entry in self._words.classes]
        if [text.split("; ") for text in request.classes] != known:
            response.message = "the stand-in knows no other words"
            return response
        self._words.revision += 1
        self._vocabulary.publish(self._words)
        response.success = True
        response.vocabulary = self._words
        return response

    def _tell(self) -> None:
        status = DiagnosticStatus(name=f"{self.get_fully_qualified_name().lstrip('/')}: segmentation")
        values = {
            "state": "active",
            "image topic": self._images.topic_name,
            "frames received": str(self._received),
            "frames dropped": str(self._dropped),
            "model": "stand-in",
            "method": "columns",
            "device": "none",
        }
        status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
        self._diagnostics.publish(DiagnosticArray(status=[status]))


def main() -> None:
    seconds, answers = float(sys.argv[1]), int(sys.argv[2])
    rclpy.init(args=sys.argv[3:])
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(StandIn(seconds, answers))


if __name__ == "__main__":
    main()
