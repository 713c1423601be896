"""Results of which every field is filled, with numbers of which no two are equal."""

import itertools
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ovseg_ros.metrics.agreement import ConfusionTable


def filled(kind: Any, numbers: Iterator[int] | None = None) -> Any:
    """A dataclass, or a value of another type, with everything in it."""
    numbers = numbers or itertools.count(1)
    if kind is ConfusionTable:
        return ConfusionTable(("a",), ("a", "background"), ((next(numbers), next(numbers)),))
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: filled(hints[field.name], numbers) for field in fields(kind)})
    origin, arguments = get_origin(kind), [part for part in get_args(kind) if part is not NoneType]
    if origin in (Union, UnionType):
        return filled(arguments[0], numbers)
    if origin is Literal:
        return arguments[0]
    if origin is tuple:
        return (filled(arguments[0], numbers),)
    if origin is dict:
        return {f"name {next(numbers)}": filled(arguments[1], numbers)}
    if isinstance(kind, type) and issubclass(kind, tuple):
        return kind(*(filled(hint, numbers) for hint in get_type_hints(kind).values()))
    if kind is float:
        return next(numbers) / 10_000
    if kind is int:
        return next(numbers)
    if kind in (str, object):
        return f"text {next(numbers)}"
    assert kind is bool, kind
    return True
