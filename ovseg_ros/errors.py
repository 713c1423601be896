"""The root of every error that a user of the package can meet."""


class OvsegError(Exception):
    """Base class: the message says what was wrong, what was expected and what to do.

    Subclasses live beside the code that raises them.
    """
