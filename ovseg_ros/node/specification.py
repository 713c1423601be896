"""What one parameter may be, and the check of a value against it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

from ovseg_ros.errors import OvsegError

Value = bool | int | float | str | tuple[str, ...]


class ParameterError(OvsegError):
    """A parameter has a value that it cannot have; the message names it, the value and what is allowed."""


class Phase(IntEnum):
    """How far the node has come in its life cycle."""

    UNCONFIGURED = 0
    INACTIVE = 1
    ACTIVE = 2


@dataclass(frozen=True)
class Specification:
    """What a parameter may be."""

    name: str
    default: Value
    description: str
    bounds: tuple[float, float] | None
    choices: tuple[str, ...]
    changes_until: Phase | None
    wrong: Callable[[Any], str | None] | None
    """Says what is wrong with a value that has the type and range; None where nothing is."""

    @property
    def read_only(self) -> bool:
        return self.changes_until is None

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, tuple):
            return "a list of strings"
        if isinstance(self.default, str):
            return "a string"
        kind = "a whole number" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.bounds[0]:g} to {self.bounds[1]:g}" if self.bounds else kind

    def checked(self, value: Any) -> Value:
        """`value` in the parameter's own type.

        A whole number is taken for a number and an empty list of any type for an empty list of strings, since
        command lines and YAML cannot tell them apart.

        Raises:
            ParameterError: the value is of another type, outside the range, or wrong in another way.
        """
        result = self._converted(value)
        if result is not None and self.choices and result not in self.choices:
            result = None
        if result is not None and self.bounds is not None:
            number = cast(float, result)
            if not (math.isfinite(number) and self.bounds[0] <= number <= self.bounds[1]):
                result = None
        if result is None:
            raise ParameterError(f"{self.name} must be {self.allowed}; got {value!r}")
        if self.wrong is not None and (reason := self.wrong(result)):
            raise ParameterError(f"{self.name}: {reason}")
        return result

    def _converted(self, value: Any) -> Value | None:
        kind = type(self.default)
        if kind is tuple:
            if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
                return None
            entries = tuple(value)
            return entries if all(isinstance(entry, str) for entry in entries) else None
        if kind is float and type(value) is int:
            return float(value)
        return value if type(value) is kind else None


def parameter(
    default: Value,
    description: str,
    *,
    bounds: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    changes_until: Phase | None = Phase.ACTIVE,
    wrong: Callable[[Any], str | None] | None = None,
) -> Any:
    """A field for `Specification`. `changes_until` is the last phase that it may change in; None: never."""
    metadata = {
        "description": description,
        "bounds": bounds,
        "choices": choices,
        "changes_until": changes_until,
        "wrong": wrong,
    }
    return field(default=default, metadata=metadata)
