"""`FlowMutator`: the base of decorators that users write for flows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mfv.errors import FlowError
from mfv.flow.decorators.base import place_outside
from mfv.flow.decorators.user.names import register_flow, short_name
from mfv.flow.delayed import resolve_delayed
from mfv.flow.spec import FlowSpec

if TYPE_CHECKING:
    from mfv.flow.decorators.user.mutableflow import MutableFlow


class _Kind(type):
    """Their class: calling one with a flow puts it on, so that no brackets are needed."""

    decorator_name: str

    def __init__(cls, name: str, bases: tuple[type, ...], space: dict[str, Any]) -> None:
        super().__init__(name, bases, space)
        cls.decorator_name = f"{cls.__module__}.{cls.__name__}"
        if not cls.__module__.startswith("mfv."):
            register_flow(cls)  # type: ignore[arg-type]

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], type) and issubclass(args[0], FlowSpec):
            return super().__call__(*args[1:], **kwargs)(args[0])
        return super().__call__(*args, **kwargs)

    def __str__(cls) -> str:
        return f"FlowMutator({cls.decorator_name})"


class FlowMutator(metaclass=_Kind):
    """Changes a flow before it runs: its parameters, its decorators, its steps' decorators.

    To be subclassed; flows that inherit from one that has it are changed as well.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.file, self.line = place_outside()
        self.statically_defined = True
        self._args, self._kwargs = list(args), kwargs
        self._is_settled = False

    def __call__(self, flow: Any) -> Any:
        """Puts it on a flow, and returns that flow."""
        if not (isinstance(flow, type) and issubclass(flow, FlowSpec)):
            raise self.wrong(
                f"@{self.shown} is for flows, and '{getattr(flow, '__name__', flow)}' is none",
                hint=f"put @{self.shown} above the class: `class MyFlow(FlowSpec):`",
            )
        own: list[FlowMutator] = flow.__dict__.get("_flow_mutators", [])
        flow._flow_mutators = [*own, self]  # type: ignore[attr-defined]
        return flow

    @property
    def shown(self) -> str:
        """The name that is enough to mean it."""
        return short_name(type(self))

    def get_args_kwargs(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments that it was given."""
        return list(self._args), dict(self._kwargs)

    def init(self, *args: Any, **kwargs: Any) -> None:
        """Takes the arguments, once the configs are known; to be written where there are any."""

    def settle(self) -> None:
        """Hands the arguments to `init`, once; FlowError if it has none."""
        if self._is_settled:
            return
        self._args = [resolve_delayed(value) for value in self._args]
        self._kwargs = resolve_delayed(self._kwargs)
        if (self._args or self._kwargs) and type(self).init is FlowMutator.init:
            raise self.wrong(
                f"@{self.shown} has arguments, and no `init` that takes them",
                hint=f"write `def init(self, *args, **kwargs):` in {type(self).__name__}",
            )
        self.init(*self._args, **self._kwargs)
        self._is_settled = True

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """As soon as the configs are known, and before the flow's parameters are read."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """When the command line is known: steps may be changed, the flow itself not any more."""

    def wrong(self, message: str, *, hint: str) -> FlowError:
        """The error for something about this mutator, at the line where it is used."""
        return FlowError(message, file=self.file, line=self.line, hint=hint)

    def __str__(self) -> str:
        return str(type(self))
