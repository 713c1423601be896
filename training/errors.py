"""What can go wrong with scenes and with the training on them."""

from ovseg_ros.errors import OvsegError


class SceneError(OvsegError):
    """A scene cannot be arranged or rendered as asked."""


class TrainingError(OvsegError):
    """A training run cannot start, or cannot go on from where it stopped."""
