"""`FlowSpec` and `step`: what a user's flow is made of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import msgspec

from mfv.errors import MfvError, did_you_mean
from mfv.flow import randomness as _randomness  # noqa: F401  (notes the state before the flow)
from mfv.flow import spawning as _spawning  # noqa: F401  (notes the folder before the flow)
from mfv.flow.config import Config
from mfv.flow.delayed import Delayed, is_delayed, known, resolve_delayed
from mfv.flow.parameters import Parameter
from mfv.flow.transient import Transient
from mfv.manifest.artifact import Artifact

F = TypeVar("F", bound=Callable[..., Any])

# Attributes of a flow that are the runtime's own and never artifacts.
_OWN = frozenset({"_mfv"})
_METHODS = frozenset({"next", "merge_artifacts", "foreach_stack", "input", "index"})


def step(function: F) -> F:
    """Marks a method of a flow as one of its steps."""
    function.is_step = True  # type: ignore[attr-defined]
    function.name = function.__name__  # type: ignore[attr-defined]
    return function


class FlowStateError(MfvError):
    """A step used its flow in a way that cannot be right."""

    code = "flow-state"


class MergeError(FlowStateError):
    """`merge_artifacts` cannot do as asked, because of `artifact_names`; nothing was merged."""

    def __init__(self, message: str, names: Sequence[str], *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.artifact_names = list(names)

    def __reduce__(self) -> tuple[Any, ...]:
        # A step may leave it on self; the default gives the class its message alone.
        return _again, (type(self), self.message, self.artifact_names, self.hint)


class MergeConflictError(MergeError):
    """Values of these names differ among the inputs."""

    code = "merge-conflict"


class MergeMissingError(MergeError):
    """No input has these names, and they were asked for."""

    code = "merge-missing"


def _again(kind: type[MergeError], message: str, names: list[str], hint: str | None) -> MergeError:
    return kind(message, names, hint=hint)


class Place(msgspec.Struct, frozen=True):
    """Where a task stands in one open foreach, or among parallel tasks."""

    index: int
    total: int
    item: Callable[[], Any]  # read at the first call


class Leaving(NamedTuple):
    """What a step said to `self.next`."""

    steps: tuple[str, ...]  # of a switch: the one that it chose
    foreach: str | None = None
    num_parallel: int | None = None


class Values(Protocol):
    """Where a task's artifacts come from; a store gives it, a test may be a dict."""

    def load(self, artifact: Artifact) -> object:
        """The value behind `artifact`."""
        ...


class TaskState:
    """What one running task knows: its inheritance, its inputs, its place in the splits."""

    def __init__(
        self,
        *,
        step: str,
        constants: Mapping[str, object],
        inherited: Mapping[str, Artifact],
        values: Values,
        stack: Sequence[Place] = (),
    ) -> None:
        self.step = step
        self.constants = constants  # parameters and class constants: read-only
        self.inherited = dict(inherited)  # not yet read, by name
        self.values = values
        self.stack = stack  # in the open foreaches, outermost first
        self.transition: Leaving | None = None
        self.transient = {name for name, one in inherited.items() if one.transient}


class FlowSpec:
    """The base of every flow; `MyFlow()` at the end of a script runs its command line."""

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli:
            run_command_line(type(self))

    @property
    def index(self) -> int | None:
        """The index of this task in the innermost foreach; None outside of any."""
        stack = self._state().stack
        return stack[-1].index if stack else None

    @property
    def input(self) -> Any:
        """The item of the innermost foreach that this task works on; None outside of any."""
        stack = self._state().stack
        return stack[-1].item() if stack else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """For each open foreach, outermost first: index, number of items, item."""
        return [(place.index, place.total, place.item()) for place in self._state().stack]

    def next(
        self,
        *steps: Any,
        foreach: str | None = None,
        condition: str | None = None,
        num_parallel: int | None = None,
        **unknown: Any,
    ) -> None:
        """Says what follows: the last statement of every step but the end.

        `self.next(self.a)` one step; `self.next(self.a, self.b)` both at once;
        `self.next(self.a, foreach="items")` one task for each item of `self.items`;
        `self.next({"x": self.a, "y": self.b}, condition="kind")` the step that the value of
        `self.kind` chooses, which may be one that has run before;
        `self.next(self.a, num_parallel=4)` four tasks that run at the same time.
        Raises FlowStateError for what cannot be understood.
        """
        state = self._state()
        if unknown:
            raise FlowStateError(f"self.next does not know {', '.join(sorted(unknown))}")
        if state.transition is not None:
            raise FlowStateError(f"step {state.step!r} calls self.next more than once")
        if foreach is not None and not isinstance(foreach, str):
            raise FlowStateError("foreach wants the name of an attribute, as text")
        if condition is not None:
            steps = (self._chosen(state.step, steps, condition),)
        if num_parallel is not None and (type(num_parallel) is not int or num_parallel < 1):
            raise FlowStateError(
                f"step {state.step!r} asks for num_parallel={num_parallel!r}",
                hint="give a whole number of tasks, 1 or more",
            )
        names = tuple(getattr(target, "__name__", repr(target)) for target in steps)
        state.transition = Leaving(names, foreach, num_parallel)

    def _chosen(self, step: str, cases: Sequence[Any], condition: str) -> Any:
        """The step that a switch chooses."""
        if len(cases) != 1 or not isinstance(cases[0], Mapping):
            raise FlowStateError(
                f"step {step!r} has a condition, but not one dict of cases",
                hint='write self.next({"a": self.one, "b": self.other}, condition="attribute")',
            )
        try:
            value = getattr(self, condition)
        except AttributeError:
            raise FlowStateError(
                f"step {step!r} chooses by self.{condition}, which is not set",
                hint=f"set self.{condition} before self.next",
            ) from None
        try:
            return cases[0][value]
        except (KeyError, TypeError):  # TypeError: it cannot be a key
            known = ", ".join(map(repr, cases[0]))
            shown = " ".join(repr(value).split())[:80]
            raise FlowStateError(
                f"step {step!r} chooses by self.{condition}, which is {shown}: no case has it",
                hint=f"the cases are {known}",
            ) from None

    def merge_artifacts(
        self,
        inputs: Inputs,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
    ) -> None:
        """In a join: takes over the artifacts on which all `inputs` that have them agree.

        Names set already are skipped. `include` limits it to some names, `exclude` leaves some
        out. Raises MergeConflictError that lists every name whose values differ, MergeMissingError
        that lists every name of `include` that no input has, and then nothing is taken over.
        """
        if include and exclude:
            raise FlowStateError("merge_artifacts takes include or exclude, not both")
        found: dict[str, Artifact] = {}
        differing: set[str] = set()
        for one in inputs:
            for name, artifact in one._artifacts.items():
                if name in self.__dict__ or name in exclude or (include and name not in include):
                    continue
                if found.setdefault(name, artifact).id != artifact.id:
                    differing.add(name)
        missing = [name for name in include if name not in found and name not in self.__dict__]
        if missing:
            raise MergeMissingError(
                f"no input of step {self._state().step!r} has {', '.join(sorted(missing))}",
                sorted(missing),
                hint="leave them out of include=[...]",
            )
        if differing:
            names = ", ".join(sorted(differing))
            raise MergeConflictError(
                f"the inputs of step {self._state().step!r} differ in {names}",
                sorted(differing),
                hint="set them before merge_artifacts, or leave them out with exclude=[...]",
            )
        self._state().inherited.update(found)

    def __getattr__(self, name: str) -> Any:
        state = self.__dict__.get("_mfv")
        if state is not None and name in state.inherited:
            value = state.values.load(state.inherited[name])
            self.__dict__[name] = value  # it may be changed in place: stored again at the end
            return value
        if name == "name":  # the flow's, unless the user has another use for the word
            return type(self).__name__
        known = [*self.__dict__, *(state.inherited if state else ())]
        hint = did_you_mean(name, (other for other in known if other not in _OWN))
        message = f"{type(self).__name__} has no attribute or artifact {name!r}"
        raise AttributeError(f"{message}; {hint}" if hint else message)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _METHODS:
            raise AttributeError(f"self.{name} is what every flow has; choose another name")
        state = self.__dict__.get("_mfv")
        if state is not None and name in state.constants:
            raise _read_only(name)
        if isinstance(value, Transient):
            value = value.value
            if state is not None:
                state.transient.add(name)
        elif state is not None:
            state.transient.discard(name)
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        state = self.__dict__.get("_mfv")
        if state is not None and name in state.constants:
            raise _read_only(name)
        passed_on = state is not None and state.inherited.pop(name, None) is not None
        if name in self.__dict__:
            del self.__dict__[name]
        elif not passed_on:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __iter__(self) -> Iterator[Any]:
        """The steps of the flow, in order of definition."""
        return iter(steps_of(type(self)).values())

    def _state(self) -> TaskState:
        state = self.__dict__.get("_mfv")
        if state is None:
            raise FlowStateError("this works only inside a running step")
        found: TaskState = state
        return found


class InputView:
    """One input of a join: the artifacts of a finished task, read when asked for."""

    def __init__(
        self,
        step: str,
        index: int | None,
        artifacts: Mapping[str, Artifact],
        constants: Mapping[str, object],
        values: Values,
    ) -> None:
        self._step, self._artifacts, self._values = step, artifacts, values
        self.__dict__.update(constants)
        self.index = index

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            artifact = self._artifacts[name]
        except KeyError:
            message = f"the input from step {self._step!r} has no artifact {name!r}"
            hint = did_you_mean(name, self._artifacts)
            raise AttributeError(f"{message}; {hint}" if hint else message) from None
        value = self.__dict__[name] = self._values.load(artifact)
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._artifacts

    def __repr__(self) -> str:
        return f"<input from step {self._step!r}>"


class Inputs(Sequence[InputView]):
    """The inputs of a join, in split order; those of a static branch also by step name."""

    def __init__(self, views: Sequence[InputView]) -> None:
        self._views = tuple(views)
        self._by_step = {view._step: view for view in self._views}

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, index: Any) -> Any:
        return self._views[index]

    def __getattr__(self, name: str) -> InputView:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._by_step[name]
        except KeyError:
            known = ", ".join(self._by_step)
            raise AttributeError(
                f"no input comes from a step {name!r}, only from {known}"
            ) from None


def steps_of(flow: type[FlowSpec]) -> dict[str, Callable[..., Any]]:
    """The steps of a flow by name, with those that it inherits."""
    found: dict[str, Callable[..., Any]] = {}
    for name in dir(flow):
        member: Any = getattr(flow, name, None)
        if getattr(member, "is_step", False) is True:
            found[name] = member
    return found


def constants_of(flow: type[FlowSpec]) -> dict[str, object]:
    """The public class attributes of a flow that are plain values: artifacts of every task.

    One that is taken from a config (`depth = config.model.depth`) has the value that it has there.
    """
    found: dict[str, object] = {}
    for kind in reversed(flow.__mro__):
        if kind in (FlowSpec, object):
            continue
        for name, value in vars(kind).items():
            if name.startswith("_") or isinstance(value, (Parameter, Config, type)):
                found.pop(name, None)
            elif isinstance(value, Delayed) or (known() and is_delayed(value)):
                found[name] = resolve_delayed(value)
            elif not callable(value) and not hasattr(value, "__get__"):
                found[name] = value
    return found


def _read_only(name: str) -> AttributeError:
    return AttributeError(
        f"{name!r} is a parameter or a constant of the flow: read-only; keep what changes in an "
        "attribute of another name"
    )


def is_artifact_name(name: str) -> bool:
    """Whether an attribute of this name is stored when a step ends."""
    return name not in _OWN and name not in _METHODS and not name.startswith("__")


def run_command_line(flow: type[FlowSpec]) -> NoReturn:
    """Runs the flow's own command line; the package's root says who that is."""
    if _command_line is None:
        raise FlowStateError(
            f"{flow.__name__}() has no command line here", hint="import FlowSpec from mfv"
        )
    _command_line(flow)
    sys.exit(0)


_command_line: Callable[[type[FlowSpec]], None] | None = None


def set_command_line(run: Callable[[type[FlowSpec]], None]) -> None:
    """Introduces the command line to flows, which know of none."""
    global _command_line
    _command_line = run
