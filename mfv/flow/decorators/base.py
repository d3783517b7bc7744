"""What every decorator is, how it is put on, and what a step's decorators add up to.

What stands in the source is noted on the step's function and on the flow's class. What is in force
for one flow is a copy of that, held by the flow's class: the command line and mutators add to it,
and a step that two flows inherit stays as it was written.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar, overload

from mfv.errors import FlowError, did_you_mean
from mfv.flow.delayed import UNPACKED, resolve_delayed
from mfv.flow.graph import Graph, Node
from mfv.flow.order import Order
from mfv.flow.policy import Policy
from mfv.flow.spec import FlowSpec

if TYPE_CHECKING:
    from mfv.flow.decorators.user.step import StepMutator, UserStepDecorator

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)
Function = Callable[..., Any]

MAX_ATTEMPTS = 6  # of one task, fallbacks included; readers rely on it, as with Metaflow


class RunningTask(NamedTuple):
    """What a decorator is told about the attempt that it works on."""

    flow: FlowSpec
    graph: Graph
    node: Node
    order: Order
    policy: Policy

    @property
    def is_last(self) -> bool:
        """Whether no further attempt runs the step's own code."""
        return self.order.attempt >= self.policy.retries

    @property
    def is_fallback(self) -> bool:
        """Whether the step's own code has had all its attempts, and is not to run again."""
        return self.order.attempt > self.policy.retries


class Decorator:
    """A decorator with its attributes, as written or as given on the command line."""

    name: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]] = {}
    open_ended: ClassVar[bool] = False  # takes attributes of any name
    many: ClassVar[bool] = False  # can be put several times on one thing
    secret: ClassVar[bool] = False  # whether its attributes are to be shown nowhere
    instead: ClassVar[str] = ""  # what is so here, where the decorator has no effect

    def __init__(
        self,
        attributes: Mapping[str, Any] | None = None,
        *,
        file: str | None = None,
        line: int | None = None,
    ) -> None:
        """FlowError for an attribute that the decorator does not have."""
        self.file, self.line = file, line
        self.statically_defined = True  # in the source, or by a mutator that is
        self._take(dict(attributes or {}))

    def _take(self, given: dict[str, Any]) -> None:
        for name in given:
            # `**config.entry`: which attributes these are shows when the configs are read.
            if name in self.defaults or self.open_ended or name.startswith(UNPACKED):
                continue
            known = ", ".join(self.defaults)
            raise self.wrong(
                f"@{self.name} has no attribute '{name}'",
                hint=did_you_mean(name, self.defaults)
                or (f"it has {known}" if known else "it takes none"),
            )
        self.given = frozenset(given)  # the attributes that are not left at their defaults
        self.attributes: dict[str, Any] = {**self.defaults, **given}

    def settle(self) -> None:
        """Finds the values of attributes that were not known when the source was read."""
        self._take(resolve_delayed({name: self.attributes[name] for name in self.given}))

    def copied(self) -> Self:
        """One more of it, with attributes of its own."""
        twin = copy(self)
        twin.attributes = dict(self.attributes)
        return twin

    def wrong(self, message: str, *, hint: str) -> FlowError:
        """The error for something about this decorator, at its line."""
        return FlowError(message, file=self.file, line=self.line, hint=hint)

    def __repr__(self) -> str:
        if self.secret:
            return f"@{self.name}(...)"
        given = ", ".join(f"{name}={self.attributes[name]!r}" for name in sorted(self.given))
        return f"@{self.name}({given})"


class StepDecorator(Decorator):
    """What may be put above a step. Every hook does nothing unless a decorator says otherwise.

    The decorators of a step have their turns in the order in which Python applies them: the one
    next to the `def` first. All hooks but `check` and `policy` run in the task's process.
    """

    gang: ClassVar[bool] = False  # whether its step may be what num_parallel leads to

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        """Before the run: FlowError if it cannot be on this step, or has wrong attributes."""

    def policy(self, policy: Policy) -> Policy:
        """What it asks of the scheduler, added to what others ask."""
        return policy

    def enter(self, task: RunningTask) -> None:
        """Before any decorator's `before`: what has to be there for the whole process."""

    def before(self, task: RunningTask) -> None:
        """Before the step's function; what it raises counts as raised by the step."""

    def wrap(self, task: RunningTask, function: Function) -> Function:
        """What is to be called in the place of `function`, with the same arguments."""
        return function

    def after(self, task: RunningTask) -> None:
        """After the step's function returned; what it raises counts as raised by the step."""

    def failed(self, task: RunningTask, error: Exception) -> bool:
        """After an exception: whether it is dealt with, and the task may go on as if it were ok."""
        return False


class FlowOption(NamedTuple):
    """An option that a flow decorator adds to the flow's command line."""

    name: str
    is_flag: bool
    help: str


class Beginning(NamedTuple):
    """What a flow decorator adds to a run."""

    facts: Mapping[str, object] = {}  # for `current`
    tags: tuple[str, ...] = ()  # that nobody can change
    notes: tuple[str, ...] = ()  # lines for whoever starts the run


class FlowDecorator(Decorator):
    """What may be put above a flow's class."""

    options: ClassVar[tuple[FlowOption, ...]] = ()

    def begin(self, flow: type[FlowSpec], user: str, given: Mapping[str, Any]) -> Beginning:
        """Before the run, which `user` starts with these options: what it adds.

        FlowError if it cannot be on this flow, or has wrong attributes.
        """
        return Beginning()


class Decoration:
    """What one step of one flow wears: lists that mutators and the command line may change."""

    def __init__(self, function: Function) -> None:
        self.decorators: list[StepDecorator] = [
            one.copied() for one in getattr(function, "decorators", ())
        ]
        # One of the user's own may be both, and is then one object here too.
        twins: dict[int, Any] = {}
        self.wrappers: list[UserStepDecorator] = _copies(function, "wrappers", twins)
        self.mutators: list[StepMutator] = _copies(function, "config_decorators", twins)


def _copies(function: Function, field: str, twins: dict[int, Any]) -> list[Any]:
    return [twins.setdefault(id(one), copy(one)) for one in getattr(function, field, ())]


def decoration_of(flow: type[FlowSpec], step: str) -> Decoration:
    """What the step wears in this flow."""
    worn: dict[str, Decoration] | None = flow.__dict__.get("_worn")
    if worn is None:
        worn = {}
        flow._worn = worn  # type: ignore[attr-defined]
    if step not in worn:
        worn[step] = Decoration(getattr(flow, step))
    return worn[step]


def decorators_of(flow: type[FlowSpec], step: str) -> list[StepDecorator]:
    """The decorators of a step, in the order in which they have their turns."""
    return decoration_of(flow, step).decorators


def policy_of(flow: type[FlowSpec], step: str) -> Policy:
    """What all decorators of a step together ask of the scheduler."""
    policy = Policy()
    for decorator in decorators_of(flow, step):
        policy = decorator.policy(policy)
    left = MAX_ATTEMPTS - 1 - policy.retries
    return policy._replace(fallbacks=min(policy.fallbacks, left))


def flow_decorators_of(flow: type[FlowSpec]) -> list[FlowDecorator]:
    """The decorators in force for a flow: inherited ones first, then in the order of applying."""
    kept: list[FlowDecorator] | None = flow.__dict__.get("_decorators_in_force")
    if kept is None:
        kept = []
        for cls in reversed(flow.__mro__):
            kept.extend(one.copied() for one in cls.__dict__.get("_flow_decorators", ()))
        flow._decorators_in_force = kept  # type: ignore[attr-defined]
    return kept


class StepMark:
    """A step decorator as users write it: `@retry`, `@retry()` or `@retry(times=2)`."""

    def __init__(self, kind: type[StepDecorator]) -> None:
        self.kind = kind
        self.__doc__ = kind.__doc__
        self.__name__ = kind.name

    @overload
    def __call__(self, function: F, /) -> F: ...

    @overload
    def __call__(self, **attributes: Any) -> Callable[[F], F]: ...

    def __call__(self, *functions: Any, **attributes: Any) -> Any:
        file, line = place_outside()
        decorator = self.kind(attributes, file=file, line=line)
        if not functions:
            return lambda function: self._put(decorator, function)
        if attributes or len(functions) > 1:
            raise _by_name(decorator)
        return self._put(decorator, functions[0])

    def _put(self, decorator: StepDecorator, function: Any) -> Any:
        name = decorator.name
        if isinstance(function, type):
            raise decorator.wrong(
                f"@{name} is for steps, and {function.__name__} is a class",
                hint=f"put @{name} above the @step of each step that needs it",
            )
        if not callable(function):
            raise _by_name(decorator)
        if getattr(function, "is_step", None) is not True:
            shown = getattr(function, "__name__", repr(function))
            raise decorator.wrong(
                f"@{name} is on '{shown}', which is not a step where it is applied",
                hint=f"put @step on the line just above the def, and @{name} above @step",
            )
        put = function.__dict__.setdefault("decorators", [])
        if not self.kind.many and any(other.name == name for other in put):
            raise decorator.wrong(
                f"step '{function.__name__}' has @{name} twice", hint="remove one of them"
            )
        put.append(decorator)
        return function

    def __repr__(self) -> str:
        return f"<decorator @{self.kind.name}>"


class FlowMark:
    """A flow decorator as users write it: `@project(name="fraud")` above the class."""

    def __init__(self, kind: type[FlowDecorator]) -> None:
        self.kind = kind
        self.__doc__ = kind.__doc__
        self.__name__ = kind.name

    @overload
    def __call__(self, flow: C, /) -> C: ...

    @overload
    def __call__(self, **attributes: Any) -> Callable[[C], C]: ...

    def __call__(self, *flows: Any, **attributes: Any) -> Any:
        file, line = place_outside()
        decorator = self.kind(attributes, file=file, line=line)
        if not flows:
            return lambda flow: self._put(decorator, flow)
        if attributes or len(flows) > 1:
            raise _by_name(decorator)
        return self._put(decorator, flows[0])

    def _put(self, decorator: FlowDecorator, flow: Any) -> Any:
        name = decorator.name
        if not (isinstance(flow, type) and issubclass(flow, FlowSpec)):
            if not callable(flow):
                raise _by_name(decorator)
            shown = getattr(flow, "__name__", repr(flow))
            raise decorator.wrong(
                f"@{name} is for flows, and '{shown}' is none",
                hint=f"put @{name} above the class: @{name}, `class MyFlow(FlowSpec):`",
            )
        worn = [one for cls in flow.__mro__ for one in cls.__dict__.get("_flow_decorators", ())]
        if not self.kind.many and any(other.name == name for other in worn):
            raise decorator.wrong(
                f"flow '{flow.__name__}' has or inherits @{name} already",
                hint="remove one of them",
            )
        own: list[FlowDecorator] = flow.__dict__.get("_flow_decorators", [])
        flow._flow_decorators = [*own, decorator]  # type: ignore[attr-defined]
        return flow

    def __repr__(self) -> str:
        return f"<decorator @{self.kind.name}>"


def place_outside() -> tuple[str | None, int | None]:
    """The file and line of the nearest caller that is not ours."""
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("mfv."):
        if frame.f_back is None:
            return None, None
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def _by_name(decorator: Decorator) -> FlowError:
    example = next(iter(decorator.defaults), "name")
    return decorator.wrong(
        f"@{decorator.name} takes its attributes by name",
        hint=f"write @{decorator.name}({example}=...)",
    )
