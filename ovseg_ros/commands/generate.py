"""Command-line options made from configuration dataclasses: an option means the same in every command."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import click
import typer
from typer.core import TyperCommand

from ovseg_ros.clipseg.config import EngineConfig
from ovseg_ros.config import ConfigError, Option, Value, from_values, options_of, read_params_file
from ovseg_ros.graph.names import GraphNames
from ovseg_ros.node.settings import Settings
from ovseg_ros.vocabulary.config import RESET_BY

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])

PANELS = {
    "model": "Model",
    "method": "Method",
    "output": "Output",
    "vocabulary": "Words",
    "RecordingConfig": "Recording",
    "SelectionConfig": "Recording",
    "TruthConfig": "Ground truth",
    "EvaluateConfig": "Evaluation",
    "CompareConfig": "Comparison",
    "SegmentConfig": "Output",
}
"""Headings in help texts, by group of options or by configuration; else the configuration's own name."""

UNITS = {"s": "seconds", "ms": "milliseconds"}


@dataclass(frozen=True)
class Expose:
    """How a command shows a configuration: other defaults, and options that it leaves out."""

    defaults: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    without: tuple[str, ...] = ()


EXPOSED = Expose(defaults={"vocabulary.file": ""}, without=("output.overlay_alpha",))
"""How most commands show the engine: without classes given they take those of the ground truth."""

Engine = Annotated[EngineConfig, EXPOSED]

_PLACE = ("node", "namespace")
"""Options that say which sections of a parameter file are for the node."""

_PARAMS_FILE = typer.Option(
    "--params-file",
    exists=True,
    dir_okay=False,
    help="Parameters of the node in a file such as config/segment.yaml; other options given override those "
    "in the file.",
    rich_help_panel=PANELS["model"],
)

Given = Mapping[str, object]
"""The engine's parameters that the user gave, in the file or on the command line, by full name."""

Json = Annotated[
    Path | None,
    typer.Option("--json", dir_okay=False, help="Write the numbers to this file.", rich_help_panel="Output"),
]


class Command(TyperCommand):
    """A command whose help does not say that a flag is a `<bool>`."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:  # type: ignore[override]
        params: list[click.Parameter] = super().get_params(ctx)  # type: ignore[arg-type, assignment]
        for param in params:
            if getattr(param, "is_flag", False):
                vars(param)["display_type_rich"] = lambda ctx: None
        return params


def generated(function: FunctionT) -> FunctionT:
    """A command whose parameters that are configurations become options.

    A parameter annotated with a configuration (`Annotated[..., Expose(...)]` says how) is replaced by an
    option for each of its fields. For an `EngineConfig`, `--params-file` is added: its values for the node
    of the options `node` and `namespace`, where the command has them, override the defaults, and the command
    line overrides them. A parameter annotated `Given` receives what the user gave.

    A value that its option does not allow is wrong usage (exit status 2).
    """
    signature = inspect.signature(function, eval_str=True)
    exposed = {
        name: found
        for name, parameter in signature.parameters.items()
        if (found := _exposed(parameter.annotation)) is not None
    }
    given_names = [name for name, p in signature.parameters.items() if p.annotation == Given]
    options: dict[str, tuple[str, Option]] = {}
    parameters = [_keyword("ctx", typer.Context)]
    for name, parameter in signature.parameters.items():
        if name in given_names:
            continue
        if name not in exposed:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        kind, how = exposed[name]
        if kind is EngineConfig:
            parameters.append(_keyword("params_file", Annotated[Path | None, _PARAMS_FILE], None))
        for option in _shown(kind, how):
            key = f"{name}__{option.name.replace('.', '__')}"
            options[key] = (name, option)
            group = option.name.partition(".")[0] if "." in option.name else kind.__name__
            panel = PANELS.get(group, kind.__name__.removesuffix("Config"))
            parameters.append(_parameter(key, option, panel))

    @functools.wraps(function)
    def command(ctx: typer.Context, **values: Any) -> None:
        chosen: dict[str, dict[str, object]] = {name: {} for name in exposed}
        for key, (name, option) in options.items():
            value = values.pop(key)
            if _from_user(ctx, key):
                chosen[name][option.name] = _converted(value)
        file = values.pop("params_file", None)
        place = {key: str(found[key]) for found in chosen.values() for key in _PLACE if key in found}
        node = GraphNames(**place).full_node
        try:
            for name, (kind, how) in exposed.items():
                if kind is EngineConfig:
                    chosen[name] = _merged(file, node, chosen[name])
                values.update({given: chosen[name] for given in given_names if kind is EngineConfig})
                values[name] = from_values(kind, {**how.defaults, **chosen[name]})
        except ConfigError as error:
            raise typer.BadParameter(str(error)) from error
        function(**values)

    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command  # type: ignore[return-value]


def _exposed(annotation: object) -> tuple[type, Expose] | None:
    """The configuration that an annotation names, and how it is shown; None for any other annotation."""
    kind, how = annotation, Expose()
    if get_origin(annotation) is Annotated:
        kind, *extra = get_args(annotation)
        how = next((entry for entry in extra if isinstance(entry, Expose)), how)
    return (kind, how) if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None


def _shown(kind: type, how: Expose) -> Iterator[Option]:
    for name, option in options_of(kind).items():
        if option.flags and name not in how.without:
            yield dataclasses.replace(option, default=how.defaults.get(name, option.default))


def _keyword(name: str, annotation: object, default: object = inspect.Parameter.empty) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter(key: str, option: Option, panel: str) -> inspect.Parameter:
    """The parameter that typer makes an option of."""
    kind: Any = list[str] if isinstance(option.default, tuple) else type(option.default)
    settings: dict[str, Any] = {}
    if option.bounds is not None:
        ends = zip(("min", "max"), option.bounds, strict=True)
        settings |= {name: kind(end) for name, end in ends if math.isfinite(end)}
    if option.choices:
        kind = Literal.__getitem__(option.choices)
    if option.path:
        kind = Path
        settings |= {"exists": True, "dir_okay": option.path == "folder", "file_okay": option.path == "file"}
    text = option.help + (f" In {UNITS.get(option.unit, option.unit)}." if option.unit else "")
    if isinstance(option.default, tuple):
        text += " Separated by commas; may be given several times."
    info = typer.Option(
        *option.flags.split(","),
        help=text,
        rich_help_panel=panel,
        **settings,
    )
    default = None if option.default in ("", ()) else option.default
    annotation = Annotated[kind, info] if default is not None else Annotated[kind | None, info]
    return _keyword(key, annotation, default)


def _merged(file: Path | None, node: str, given: Mapping[str, object]) -> dict[str, object]:
    """Parameters of the file for the node of this name, overridden by those of the command line.

    New words on the command line reset what belongs to those in the file, as at run time of the node.
    """
    if "vocabulary.file" in given and "vocabulary.classes" in given:
        raise ConfigError("give either --classes or --vocabulary, not both")
    values = {} if file is None else read_params_file(file, node)
    known = options_of(Settings)
    for name in sorted(values.keys() - known.keys() - {"use_sim_time"}):
        near = get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{file} sets {name}, which is no parameter of the node{hint}")
    for name in RESET_BY.keys() & given.keys():
        for hidden in RESET_BY[name]:
            values.pop(hidden, None)
    return {**values, **given}


def _from_user(ctx: typer.Context, key: str) -> bool:
    source = ctx.get_parameter_source(key)
    return source is not None and source.name != "DEFAULT"


def _converted(value: object) -> object:
    """What typer gives for an option, as the option has it."""
    if isinstance(value, list):
        return tuple(entry.strip() for part in value for entry in part.split(","))
    return str(value) if isinstance(value, Path) else value
