"""The node's parameters on the graph: declared, validated as a whole, applied after they were accepted."""

from collections.abc import Callable, Mapping, Sequence

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from ovseg_ros.errors import OvsegError
from ovseg_ros.node.settings import SPECIFICATIONS, Settings
from ovseg_ros.node.specification import ParameterError, Phase, Specification, Value
from ovseg_ros.vocabulary.config import RESET_BY


class Parameters:
    """Declares every parameter on `node` and keeps `settings` equal to them.

    A change is first given to `check(old, new)`, which raises an `OvsegError` to refuse it, and once it was
    accepted to `apply(old, new)`. Both run on the executor thread. `phase()` tells how far the node has come.

    Raises:
        ParameterError: a value given at start is of the wrong type or outside its range.
    """

    def __init__(
        self,
        node: Node,
        phase: Callable[[], Phase],
        check: Callable[[Settings, Settings], None],
        apply: Callable[[Settings, Settings], None],
    ) -> None:
        self._node = node
        self._phase = phase
        self._check = check
        self._apply = apply
        self._mirroring = False
        self.settings = Settings.from_values(
            {name: _declare(node, specification) for name, specification in SPECIFICATIONS.items()}
        )
        node.add_pre_set_parameters_callback(self._completed)
        node.add_on_set_parameters_callback(self._validated)
        node.add_post_set_parameters_callback(self._accepted)

    def mirror(self, values: Mapping[str, Value]) -> None:
        """Set parameters to what is in force already, so that they tell the truth; nothing is applied."""
        self._mirroring = True
        try:
            self._node.set_parameters_atomically([_parameter(name, value) for name, value in values.items()])
        finally:
            self._mirroring = False

    def _completed(self, parameters: Sequence[Parameter]) -> list[Parameter]:
        """The change in the parameters' own types, with what it sets back."""
        given = {parameter.name for parameter in parameters}
        reset: dict[str, Value] = {}
        if not self._mirroring:
            for name in given & set(RESET_BY):
                reset |= {key: value for key, value in RESET_BY[name].items() if key not in given}
        completed = [_retyped(parameter) for parameter in parameters]
        return completed + [_parameter(name, value) for name, value in reset.items()]

    def _validated(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        if self._mirroring:
            return SetParametersResult(successful=True)
        try:
            new = self._changed(parameters)
            self._check_phase(new)
            self._check(self.settings, new)
        except OvsegError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _accepted(self, parameters: Sequence[Parameter]) -> None:
        old, new = self.settings, self._changed(parameters)
        self.settings = new
        if not self._mirroring and old != new:
            self._apply(old, new)

    def _changed(self, parameters: Sequence[Parameter]) -> Settings:
        ours = {p.name: p.value for p in parameters if p.name in SPECIFICATIONS}
        return Settings.from_values(self.settings.values() | ours)

    def _check_phase(self, new: Settings) -> None:
        phase = self._phase()
        old_values, new_values = self.settings.values(), new.values()
        for name, specification in SPECIFICATIONS.items():
            until = specification.changes_until
            if until is None or old_values[name] == new_values[name] or phase <= until:
                continue
            if until is Phase.UNCONFIGURED:
                raise ParameterError(
                    f"{name} cannot change while a model is loaded: deactivate and clean up the node, "
                    "set it, then configure and activate again"
                )
            raise ParameterError(f"{name} cannot change while the node is active: deactivate it first")


def _declare(node: Node, specification: Specification) -> Value:
    """Declare one parameter and return its value, with the start's override taken into account.

    The override is first read without a fixed type, since rclpy would end the node over a whole number given
    for a number, or an empty list, with a message that does not say what is allowed.
    """
    name = specification.name
    node.declare_parameter(name, specification.default, ParameterDescriptor(dynamic_typing=True))
    given = node.get_parameter(name).value
    node.undeclare_parameter(name)
    # rcl gives an empty list in a file or on the command line as no value at all.
    value = specification.default if given is None else specification.checked(given)
    descriptor = _descriptor(specification)
    if isinstance(value, tuple):
        node.declare_parameter(name, Parameter.Type.STRING_ARRAY, descriptor, ignore_override=True)
        node.set_parameters([_parameter(name, value)])
    else:
        node.declare_parameter(name, value, descriptor, ignore_override=True)
    return value


def _descriptor(specification: Specification) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=specification.description, read_only=specification.read_only)
    notes = []
    if specification.choices:
        notes.append(specification.allowed)
    if specification.changes_until is Phase.UNCONFIGURED:
        notes.append("changes only while the node is unconfigured")
    if specification.changes_until is Phase.INACTIVE:
        notes.append("changes only while the node is not active")
    descriptor.additional_constraints = "; ".join(notes)
    if specification.bounds is not None:
        low, high = specification.bounds
        if isinstance(specification.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
    return descriptor


def _parameter(name: str, value: Value) -> Parameter:
    if isinstance(value, tuple):
        return Parameter(name, Parameter.Type.STRING_ARRAY, list(value))
    return Parameter(name, value=value)


def _retyped(parameter: Parameter) -> Parameter:
    """The parameter with a whole number as a number, and any empty list as one of strings, where meant so."""
    specification = SPECIFICATIONS.get(parameter.name)
    if specification is None:
        return parameter
    if isinstance(specification.default, float) and parameter.type_ is Parameter.Type.INTEGER:
        return _parameter(parameter.name, float(parameter.value))
    if isinstance(specification.default, tuple) and parameter.value is not None:
        value = parameter.value
        if hasattr(value, "__len__") and not isinstance(value, str) and len(value) == 0:
            return _parameter(parameter.name, ())
    return parameter
