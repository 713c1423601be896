"""What can go wrong in the engine, as the caller sees it."""

from ovseg_ros.errors import OvsegError


class ModelError(OvsegError):
    """A model, its weights or a setting of the method cannot be used; the message says what to do."""


class OutOfMemory(OvsegError):
    """The device had no memory left for one image. A smaller `Segmenter` may have enough."""


class DeviceLost(OvsegError):
    """The device stopped working; only loading the model again can help."""
