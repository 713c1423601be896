"""Configuration as dataclasses: every option once, with its default, range, unit and help.

The node's parameters, the command line, `config/segment.yaml` and the parameter page are all made from these
dataclasses. A configuration is a dataclass whose fields are options (`option`) or groups of options; the full
name of an option in a group is `group.option`, as ROS 2 parameters have it.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, TypeVar, cast

import yaml

from ovseg_ros.errors import OvsegError

Value = bool | int | float | str | tuple[str, ...]
Change = Literal["always", "inactive", "unconfigured", "never"]
"""While the node is in which state an option may change: in any, while it is not active, while no model is
loaded, or not after the start."""

ConfigT = TypeVar("ConfigT")
ValueT = TypeVar("ValueT", bound=Value)


class ConfigError(OvsegError):
    """An option has a value that it cannot have; the message names it, the value and what is allowed."""


@dataclass(frozen=True)
class Option:
    """What an option may be; `name` is the full one, `flags` are those of the command line (none: "")."""

    name: str
    default: Value
    help: str
    node_help: str
    bounds: tuple[float, float] | None
    unit: str
    choices: tuple[str, ...]
    changes: Change
    flags: str
    path: Literal["", "file", "folder"]
    check: Callable[[Value], str | None] | None

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
        if self.bounds is None:
            return kind
        low, high = self.bounds
        return f"{kind} from {low:g} to {high:g}" if math.isfinite(high) else f"{kind} of at least {low:g}"

    def checked(self, value: object) -> Value:
        """`value` in the option's own type.

        A whole number is taken for a number and an empty list of any type for an empty list of strings, since
        command lines and YAML cannot tell them apart.

        Raises:
            ConfigError: the value is of another type, outside the range, or wrong in another way.
        """
        result = self._converted(value)
        if result is not None and self.choices and result not in self.choices:
            result = None
        if result is not None and self.bounds is not None:
            number = cast(float, result)
            if not (math.isfinite(number) and self.bounds[0] <= number <= self.bounds[1]):
                result = None
        if result is None:
            raise ConfigError(f"{self.name} must be {self.allowed}; got {value!r}")
        if self.check is not None and (reason := self.check(result)):
            raise ConfigError(f"{self.name}: {reason}")
        return result

    def _converted(self, value: object) -> Value | None:
        kind = type(self.default)
        if kind is tuple:
            if isinstance(value, str | bytes) or not hasattr(value, "__iter__"):
                return None
            entries = tuple(value)
            return entries if all(isinstance(entry, str) for entry in entries) else None
        if kind is float and type(value) is int:
            return float(value)
        return value if type(value) is kind else None


def option(
    default: ValueT,
    help: str,
    *,
    node_help: str = "",
    bounds: tuple[float, float] | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    changes: Change = "always",
    flags: str | None = None,
    path: Literal["", "file", "folder"] = "",
    check: Callable[[Value], str | None] | None = None,
) -> ValueT:
    """A field of a configuration; typed as its default, as `dataclasses.field` is.

    Args:
        default: also tells the type.
        help: what it is, in a sentence or more; shown in help texts, YAML, docs and parameter descriptions.
        node_help: what more there is to know where it is a parameter of the node.
        bounds: least and greatest number; infinite where there is none.
        unit: of a number, such as "s" or "pixels".
        choices: the strings that are allowed.
        changes: while the node is in which state it may change.
        flags: on the command line, `--name` or `--name/--no-name`; None: the option's name; "": none.
        path: what a string that is a path must lead to on the command line; the string may be empty.
        check: says what else is wrong with a value, None where nothing is.
    """
    metadata: dict[str, object] = {"help": help, "node_help": node_help, "bounds": bounds, "unit": unit}
    metadata |= {"choices": choices, "changes": changes}
    metadata |= {"flags": flags, "path": path, "check": check}
    return field(default=default, metadata=metadata)


def options_of(kind: type) -> Mapping[str, Option]:
    """The options of a configuration by their full names, in order; made once for each configuration."""
    if kind not in _KNOWN:
        _KNOWN[kind] = {entry.name: entry for entry in _options(kind)}
    return _KNOWN[kind]


_KNOWN: dict[type, Mapping[str, Option]] = {}


def from_values(kind: type[ConfigT], values: Mapping[str, object]) -> ConfigT:
    """A configuration from full names and values; what is missing keeps its default, other names are ignored.

    Raises:
        ConfigError: a value of the wrong type or outside its range.
    """
    return changed(kind(), values)


def changed(config: ConfigT, values: Mapping[str, object]) -> ConfigT:
    """A configuration with other values, by full name; other names are ignored. Raises as `from_values`."""
    groups: dict[str, dict[str, Value]] = {}
    for name, entry in options_of(type(config)).items():
        if name in values:
            group, _, short = name.rpartition(".")
            groups.setdefault(group, {})[short] = entry.checked(values[name])
    own: dict[str, object] = {**groups.pop("", {})}
    own |= {group: replace(getattr(config, group), **given) for group, given in groups.items()}
    return replace(config, **own)  # type: ignore[type-var]


def values_of(config: object) -> dict[str, Value]:
    """The options of a configuration as full names and values."""
    found: dict[str, Value] = {}
    for name in options_of(type(config)):
        group, _, short = name.rpartition(".")
        found[name] = getattr(getattr(config, group) if group else config, short)
    return found


def read_params_file(path: Path, node: str = "/segmenter") -> dict[str, object]:
    """The parameters that a ROS 2 parameter file gives a node, by full name; later sections take precedence.

    `node` is its name with its namespace. Sections for other nodes are passed over.

    Raises:
        ConfigError: it cannot be read, is no parameter file, or has no section for the node.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as a parameter file: {error}") from error
    form = "expected `/**:` or a node's name, in it `ros__parameters:`, and in that parameters with values"
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no parameter file; {form}")
    found: dict[str, object] = {}
    name = node.rpartition("/")[2]
    fitting = {"/**", "**", "/*", name, f"/{name}", f"/**/{name}", node, node.lstrip("/")}
    sections = [section for key, section in content.items() if key in fitting]
    if not sections:
        raise ConfigError(f"{path} has sections for {', '.join(map(str, content))}, none for {node}; {form}")
    for section in sections:
        parameters = section.get("ros__parameters") if isinstance(section, dict) else None
        if not isinstance(parameters, dict):
            raise ConfigError(f"{path} has no ros__parameters for {node}; {form}")
        found.update(_flat(parameters))
    return found


def _options(kind: type) -> Iterator[Option]:
    for entry in fields(kind):
        if entry.default_factory is MISSING:
            yield _option(entry.name, entry.name, entry.default, entry.metadata)
            continue
        for inner in fields(cast(type, entry.default_factory)):
            yield _option(f"{entry.name}.{inner.name}", inner.name, inner.default, inner.metadata)


def _option(full: str, name: str, default: object, metadata: Mapping[str, object]) -> Option:
    settings = dict(metadata)
    if settings["flags"] is None:
        settings["flags"] = "--" + name.replace("_", "-")
    return Option(name=full, default=cast(Value, default), **settings)  # type: ignore[arg-type]


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
