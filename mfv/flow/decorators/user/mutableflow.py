"""A flow as mutators see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mfv.errors import FlowError
from mfv.flow.config import Config, collect_configs
from mfv.flow.decorators.base import FlowDecorator, FlowMark, flow_decorators_of
from mfv.flow.decorators.registry import FLOW, flow_mark, unknown
from mfv.flow.decorators.user.asked import asked
from mfv.flow.decorators.user.flow import FlowMutator
from mfv.flow.decorators.user.mutablestep import MutableStep
from mfv.flow.decorators.user.names import find_flow_mutator
from mfv.flow.decorators.user.words import ERROR, IGNORE, OVERRIDE, DecoratorSpec, Specs, policy
from mfv.flow.delayed import known
from mfv.flow.parameters import Parameter, collect
from mfv.flow.spec import FlowSpec, steps_of

if TYPE_CHECKING:
    from mfv.flow.decorators.user.step import StepMutator


class MutableFlow(Specs):
    """A flow that is about to run. Its steps, parameters and configs are attributes as well."""

    IGNORE, ERROR, OVERRIDE = IGNORE, ERROR, OVERRIDE

    def __init__(
        self, flow: type[FlowSpec], mutator: FlowMutator | StepMutator, *, early: bool
    ) -> None:
        """`early`: in `pre_mutate`, where the flow itself may be changed."""
        self._flow, self._mutator, self._early = flow, mutator, early

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """The steps by name."""
        for name in steps_of(self._flow):
            yield name, MutableStep(self._flow, name, self._mutator, early=self._early)

    @property
    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters, each with the attribute that it is kept in."""
        for parameter in collect(self._flow).values():
            yield parameter.attribute, parameter

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """The configs by name, with the values that steps see."""
        values = known() or {}
        for name in collect_configs(self._flow):
            yield name, values.get(name)

    @property
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """All decorators: name, full name, positional arguments, and attributes by name."""
        from mfv.flow.decorators.user.mutating import mutators_of

        for one in flow_decorators_of(self._flow):
            kind = type(one)
            yield one.name, f"{kind.__module__}.{kind.__qualname__}", [], dict(one.attributes)
        for mutator in mutators_of(self._flow):
            yield mutator.shown, type(mutator).decorator_name, *mutator.get_args_kwargs()

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Keeps the parameter `value` in the attribute `name`; in `pre_mutate` only."""
        self._need_early(f"the parameter '{name}' be added")
        if not isinstance(value, Parameter) or getattr(value, "IS_CONFIG_PARAMETER", False):
            raise self._wrong(
                f"add_parameter is given a {type(value).__name__}",
                hint=f'give it a Parameter("{name}", …) or an IncludeFile',
            )
        if hasattr(self._flow, name) and not overwrite:
            raise self._wrong(
                f"flow '{self._flow.__name__}' has '{name}' already",
                hint="choose another name, or write overwrite=True",
            )
        setattr(self._flow, name, value)
        value.__set_name__(self._flow, name)

    def remove_parameter(self, parameter_name: str) -> bool:
        """Removes the parameter whose option has that name; in `pre_mutate` only.

        Returns whether it was there.
        """
        self._need_early(f"the parameter '{parameter_name}' be removed")
        parameters = collect(self._flow)
        if parameter_name not in parameters:
            return False
        found = parameters[parameter_name]
        for cls in self._flow.__mro__:
            if vars(cls).get(found.attribute) is found:
                delattr(cls, found.attribute)
        return True

    def add_decorator(
        self,
        deco_type: FlowMark | type[FlowMutator] | str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: dict[str, Any] | None = None,
        duplicates: int = IGNORE,
    ) -> FlowDecorator | FlowMutator | None:
        """Adds a decorator of flows: itself, its class, or a text such as `"project:name=x"`.

        In `pre_mutate` only. `duplicates` is as for `MutableStep.add_decorator`. A mutator that is
        added has its turn after those that are there.
        """
        self._need_early("decorators of the flow be added")
        kind, args, kwargs = asked(deco_type, deco_args, deco_kwargs, _find, self._wrong)
        if isinstance(kind, FlowMark):
            return self._add_builtin(kind, args, kwargs, policy(duplicates))
        if isinstance(kind, type) and issubclass(kind, FlowMutator):
            return self._add_mutator(kind, args, kwargs, policy(duplicates))
        raise TypeError(f"add_decorator takes a flow decorator or its name, not {deco_type!r}")

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: dict[str, Any] | None = None,
    ) -> bool:
        """Removes the decorators of that name, or those with these very arguments.

        In `pre_mutate` only. Returns whether there was any. Mutators cannot be removed.
        """
        self._need_early("decorators of the flow be removed")
        if find_flow_mutator(deco_name) is not None:
            raise self._wrong(
                f"the mutator {deco_name} cannot be removed: mutators are having their turns",
                hint="take it off the flow's class",
            )
        whole = deco_args is None and deco_kwargs is None
        wanted = (list(deco_args or ()), dict(deco_kwargs or {}))
        worn = flow_decorators_of(self._flow)
        kept = [
            one
            for one in worn
            if one.name != deco_name or not (whole or ([], one.attributes) == wanted)
        ]
        removed = len(kept) < len(worn)
        worn[:] = kept
        return removed

    def __getattr__(self, name: str) -> Any:
        found = None if name.startswith("_") else getattr(self._flow, name, None)
        if getattr(found, "is_step", None) is True:
            return MutableStep(self._flow, name, self._mutator, early=self._early)
        if isinstance(found, Parameter):
            return found
        if isinstance(found, Config):
            specs = collect_configs(self._flow).values()
            return next(dict(self.configs)[one.name] for one in specs if one.attribute == name)
        raise AttributeError(
            f"flow '{self._flow.__name__}' has no step, parameter or config '{name}'"
        )

    def _add_builtin(
        self, mark: FlowMark, args: list[Any], kwargs: dict[str, Any], duplicates: int
    ) -> FlowDecorator | None:
        name = mark.kind.name
        if args:
            raise self._wrong(
                f"@{name} takes its attributes by name", hint="give them in deco_kwargs"
            )
        worn = flow_decorators_of(self._flow)
        if not mark.kind.many and any(one.name == name for one in worn):
            if not self._may_replace(name, duplicates):
                return None
            worn[:] = [one for one in worn if one.name != name]
        added = mark.kind(kwargs, file=self._mutator.file, line=self._mutator.line)
        worn.append(added)
        return added

    def _add_mutator(
        self, kind: type[FlowMutator], args: list[Any], kwargs: dict[str, Any], duplicates: int
    ) -> FlowMutator | None:
        from mfv.flow.decorators.user.mutating import mutators_of

        worn = mutators_of(self._flow)
        if any(type(one).decorator_name == kind.decorator_name for one in worn):
            if not self._may_replace(kind.decorator_name, duplicates):
                return None
            # In place: the loop over them is under way.
            worn[:] = [one for one in worn if type(one).decorator_name != kind.decorator_name]
        added: FlowMutator = kind(*args, **kwargs)
        added.settle()
        worn.append(added)
        return added

    def _may_replace(self, name: str, duplicates: int) -> bool:
        if duplicates == ERROR and self._mutator.statically_defined:
            raise self._wrong(
                f"flow '{self._flow.__name__}' has @{name} already",
                hint="remove one, or add it with duplicates=MutableFlow.OVERRIDE",
            )
        return duplicates == OVERRIDE

    def _need_early(self, what: str) -> None:
        if not self._early:
            raise self._wrong(
                f"only in pre_mutate can {what}", hint="move that line from mutate to pre_mutate"
            )

    def _wrong(self, message: str, *, hint: str) -> FlowError:
        return self._mutator.wrong(f"@{self._mutator.shown}: {message}", hint=hint)


def _find(name: str) -> Any:
    kind = flow_mark(name) or find_flow_mutator(name)
    if kind is None:
        raise unknown(name, list(FLOW), "flow")
    return kind
