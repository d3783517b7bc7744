"""A step as mutators see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mfv.errors import FlowError
from mfv.flow.decorators.base import StepDecorator, StepMark, decoration_of
from mfv.flow.decorators.registry import STEP, step_mark, unknown
from mfv.flow.decorators.user.asked import asked
from mfv.flow.decorators.user.names import find_step_decorator, known_step_decorators
from mfv.flow.decorators.user.step import StepMutator, UserStepDecoratorBase
from mfv.flow.decorators.user.words import ERROR, IGNORE, OVERRIDE, DecoratorSpec, Specs, policy
from mfv.flow.spec import FlowSpec

if TYPE_CHECKING:
    from mfv.flow.decorators.user.flow import FlowMutator
    from mfv.flow.decorators.user.mutableflow import MutableFlow

Added = StepDecorator | UserStepDecoratorBase


class MutableStep(Specs):
    """One step of a flow; what is changed here is changed for this flow alone."""

    IGNORE, ERROR, OVERRIDE = IGNORE, ERROR, OVERRIDE

    def __init__(
        self,
        flow: type[FlowSpec],
        name: str,
        mutator: FlowMutator | StepMutator,
        *,
        early: bool,
    ) -> None:
        """`early`: in `pre_mutate`, where more is possible."""
        self._flow, self.name, self._mutator, self._early = flow, name, mutator, early
        self._worn = decoration_of(flow, name)

    @property
    def flow(self) -> MutableFlow:
        """The flow that the step belongs to."""
        from mfv.flow.decorators.user.mutableflow import MutableFlow

        return MutableFlow(self._flow, self._mutator, early=self._early)

    @property
    def decorator_specs(self) -> Iterator[DecoratorSpec]:
        """All decorators: name, full name, positional arguments, and attributes by name."""
        for one in self._worn.decorators:
            kind = type(one)
            yield one.name, f"{kind.__module__}.{kind.__qualname__}", [], dict(one.attributes)
        for own in self._own():
            yield own.shown, type(own).decorator_name, *own.get_args_kwargs()

    def add_decorator(
        self,
        deco_type: StepMark | type[UserStepDecoratorBase] | str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: dict[str, Any] | None = None,
        duplicates: int = IGNORE,
    ) -> Added | None:
        """Adds a decorator: itself, its class, or a text such as `"retry:times=2"`.

        `duplicates` says what happens if the step has it already: IGNORE keeps what is there,
        OVERRIDE puts the new one in its place, ERROR raises FlowError. Returns what was added, or
        None. Step mutators can be added in `pre_mutate` only.
        """
        kind, args, kwargs = asked(deco_type, deco_args, deco_kwargs, _find, self._wrong)
        if isinstance(kind, StepMark):
            return self._add_builtin(kind, args, kwargs, policy(duplicates))
        if isinstance(kind, type) and issubclass(kind, UserStepDecoratorBase):
            return self._add_own(kind, args, kwargs, policy(duplicates))
        raise TypeError(f"add_decorator takes a step decorator or its name, not {deco_type!r}")

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: dict[str, Any] | None = None,
    ) -> bool:
        """Removes the decorators of that name, or those with these very arguments.

        Returns whether there was any. Step mutators can be removed in `pre_mutate` only.
        """
        whole = deco_args is None and deco_kwargs is None
        wanted = (list(deco_args or ()), dict(deco_kwargs or {}))
        builtin = [
            one
            for one in self._worn.decorators
            if one.name == deco_name and (whole or ([], one.attributes) == wanted)
        ]
        kind = find_step_decorator(deco_name)
        own = [
            one
            for one in self._own()
            if type(one) is kind and (whole or one.get_args_kwargs() == wanted)
        ]
        if not self._early and any(isinstance(one, StepMutator) for one in own):
            raise self._too_late(f"the step mutator {deco_name} be removed")
        self._take_off([*builtin, *own])
        return bool(builtin or own)

    def _add_builtin(
        self, mark: StepMark, args: list[Any], kwargs: dict[str, Any], duplicates: int
    ) -> StepDecorator | None:
        name = mark.kind.name
        if args:
            raise self._wrong(
                f"@{name} takes its attributes by name", hint="give them in deco_kwargs"
            )
        there = [one for one in self._worn.decorators if one.name == name]
        if there and not mark.kind.many and not self._makes_room(name, there, duplicates):
            return None
        added = mark.kind(kwargs, file=self._mutator.file, line=self._mutator.line)
        added.statically_defined = self._mutator.statically_defined
        self._worn.decorators.append(added)
        return added

    def _add_own(
        self,
        kind: type[UserStepDecoratorBase],
        args: list[Any],
        kwargs: dict[str, Any],
        duplicates: int,
    ) -> UserStepDecoratorBase | None:
        if not self._early and issubclass(kind, StepMutator):
            raise self._too_late(f"the step mutator {kind.decorator_name} be added")
        there = [one for one in self._own() if type(one).decorator_name == kind.decorator_name]
        if there and not self._makes_room(kind.decorator_name, there, duplicates):
            return None
        added: UserStepDecoratorBase = kind(*args, **kwargs)
        added.statically_defined = self._mutator.statically_defined
        added.settle()
        added.put_on(self._worn)
        return added

    def _makes_room(self, name: str, there: Sequence[Added], duplicates: int) -> bool:
        """Whether one more of that name may be added, now."""
        if duplicates == ERROR and self._mutator.statically_defined:
            raise self._wrong(
                f"step '{self.name}' has @{name} already",
                hint="remove one, or add it with duplicates=MutableStep.OVERRIDE",
            )
        if duplicates != OVERRIDE:
            return False
        self._take_off(there)
        return True

    def _take_off(self, gone: Sequence[Added]) -> None:
        lists: list[list[Any]] = [self._worn.decorators, self._worn.wrappers, self._worn.mutators]
        for worn in lists:
            # In place: a loop over mutators may be under way.
            worn[:] = [one for one in worn if not any(one is other for other in gone)]

    def _own(self) -> list[UserStepDecoratorBase]:
        found: list[UserStepDecoratorBase] = [*self._worn.wrappers]
        return found + [one for one in self._worn.mutators if not any(one is o for o in found)]

    def _wrong(self, message: str, *, hint: str) -> FlowError:
        return self._mutator.wrong(f"@{self._mutator.shown}: {message}", hint=hint)

    def _too_late(self, what: str) -> FlowError:
        return self._wrong(
            f"only in pre_mutate can {what}", hint="move that line from mutate to pre_mutate"
        )


def _find(name: str) -> Any:
    kind = step_mark(name) or find_step_decorator(name)
    if kind is None:
        raise unknown(name, [*STEP, *known_step_decorators()], "step")
    return kind
