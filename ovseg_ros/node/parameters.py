"""The node's parameters on the graph: declared, validated as a whole, applied after they were accepted."""

from collections.abc import Sequence
from dataclasses import replace

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ovseg_ros.config import ConfigError, Option, Value, changed, from_values, options_of, values_of
from ovseg_ros.errors import OvsegError
from ovseg_ros.node.lifecycle import NodePhase, NodeState
from ovseg_ros.node.settings import Settings
from ovseg_ros.node.vocabulary_state import as_parameters
from ovseg_ros.vocabulary.config import RESET_BY

OPTIONS = options_of(Settings)

WHEN = {
    "unconfigured": "changes only while the node is unconfigured",
    "inactive": "changes only while the node is not active",
}
"""Notes on options that may not change at any time."""


class Parameters:
    """Declares every parameter on `node`, and keeps `state.settings` equal to them.

    A change is checked as a whole, which takes no longer than a service may keep the executor thread, and is
    refused with a reason or handed to the pipeline, where there is one. There it comes into force between two
    frames. Raises ConfigError over a value given at start.
    """

    def __init__(self, node: Node, state: NodeState) -> None:
        self._node = node
        self._state = state
        self._mirroring = False
        state.settings = from_values(
            Settings, {name: _declare(node, option) for name, option in OPTIONS.items()}
        )
        node.add_pre_set_parameters_callback(self._completed)
        node.add_on_set_parameters_callback(self._validated)
        node.add_post_set_parameters_callback(self._accepted)

    def follow(self) -> None:
        """Set the parameters to the vocabulary in force, if they describe another. Nothing is applied."""
        in_force = self._state.in_force
        vocabulary = self._state.vocabulary.undescribed(None if in_force is None else in_force.vocabulary)
        if vocabulary is None:
            return
        described = as_parameters(vocabulary)
        self._mirroring = True
        try:
            self._node.set_parameters_atomically(
                [_parameter(f"vocabulary.{name}", value) for name, value in described.items()]
            )
        finally:
            self._mirroring = False
        settings = self._state.settings
        self._state.settings = replace(settings, vocabulary=replace(settings.vocabulary, **described))  # type: ignore[arg-type]

    def _completed(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        """The change in the parameters' own types, with what it resets."""
        given = {parameter.name for parameter in parameters}
        reset: dict[str, Value] = {}
        if not self._mirroring:
            for name in given & set(RESET_BY):
                reset |= {key: value for key, value in RESET_BY[name].items() if key not in given}
        completed = [_retyped(parameter) for parameter in parameters]
        return completed + [_parameter(name, value) for name, value in reset.items()]

    def _validated(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        if not self._mirroring:
            try:
                self._check(self._changed(parameters))
            except OvsegError as error:
                return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _accepted(self, parameters: Sequence[Parameter]) -> None:
        if not self._mirroring:
            old, self._state.settings = self._state.settings, self._changed(parameters)
            self._apply(old, self._state.settings)

    def _changed(self, parameters: Sequence[Parameter]) -> Settings:
        ours = {p.name: p.value for p in parameters if p.name in OPTIONS}
        return changed(self._state.settings, ours)

    def _check(self, new: Settings) -> None:
        """Raise an OvsegError over settings that cannot be, or cannot come now."""
        state, old = self._state, self._state.settings
        old_values, new_values = values_of(old), values_of(new)
        for name, option in OPTIONS.items():
            if old_values[name] == new_values[name]:
                continue
            if option.changes == "unconfigured" and state.phase is not NodePhase.UNCONFIGURED:
                raise ConfigError(
                    f"{name} cannot change while a model is loaded: deactivate and clean up the node, "
                    "set it, then configure and activate again"
                )
            if option.changes == "inactive" and state.phase is NodePhase.ACTIVE:
                raise ConfigError(f"{name} cannot change while the node is active: deactivate it first")
        words = new.vocabulary
        if words != old.vocabulary and (state.pipeline is not None or words.classes or words.file):
            state.vocabulary.check(words)
        if state.pipeline is not None and new.method != old.method:
            state.pipeline.engine.check(new.method)

    def _apply(self, old: Settings, new: Settings) -> None:
        pipeline = self._state.pipeline
        if pipeline is None:
            return
        if (new.input, new.output) != (old.input, old.output):
            pipeline.use(new)
        if (new.vocabulary, new.method) == (old.vocabulary, old.method):
            return
        try:
            vocabulary = self._state.vocabulary.newest
            if replace(new.vocabulary, templates=old.vocabulary.templates) != old.vocabulary:
                vocabulary = self._state.vocabulary.build_from(new.vocabulary)
        except OvsegError as error:  # the file is not what it was at the check a moment ago
            self._node.get_logger().error(f"the change of parameters has no effect: {error}")
            return
        pipeline.change(new.method, new.vocabulary.templates, vocabulary)


def _declare(node: Node, option: Option) -> Value:
    """Declare one parameter and return its value, with the start's override taken into account.

    The override is first read without a fixed type, since rclpy would end the node over a whole number given
    for a number, or an empty list, with a message that does not say what is allowed.
    """
    name = option.name
    node.declare_parameter(name, option.default, ParameterDescriptor(dynamic_typing=True))
    given = node.get_parameter(name).value
    node.undeclare_parameter(name)
    # rcl gives an empty list in a file or on the command line as no value at all.
    value = option.default if given is None else option.checked(given)
    if isinstance(value, tuple):  # rclpy would take an empty list for one of bytes
        node.declare_parameter(name, Parameter.Type.STRING_ARRAY, _descriptor(option), ignore_override=True)
        node.set_parameters([_parameter(name, value)])
    else:
        node.declare_parameter(name, value, _descriptor(option), ignore_override=True)
    return value


def _descriptor(option: Option) -> ParameterDescriptor:
    notes = [option.allowed if option.choices else "", WHEN.get(option.changes, "")]
    descriptor = ParameterDescriptor(
        description=f"{option.help} {option.node_help}".rstrip(),
        additional_constraints="; ".join(filter(None, notes)),
        read_only=option.changes == "never",
    )
    if option.bounds is not None:
        kind = type(option.default)
        low, high = map(kind, option.bounds)
        if kind is int:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _parameter(name: str, value: Value) -> Parameter:
    if isinstance(value, tuple):
        return Parameter(name, Parameter.Type.STRING_ARRAY, list(value))
    return Parameter(name, value=value)


def _retyped(parameter: Parameter) -> Parameter:
    """The parameter in its own type: whole numbers and empty lists may be meant as others."""
    try:
        return _parameter(parameter.name, OPTIONS[parameter.name].checked(parameter.value))
    except (KeyError, ConfigError):  # not ours, or refused with the reason by what comes next
        return parameter
