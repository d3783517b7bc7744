"""Runs the mutators of a flow: each phase once, those of the flow before those of its steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from mfv.errors import FlowError, MfvError
from mfv.flow.decorators.base import Decoration, decoration_of
from mfv.flow.decorators.user.flow import FlowMutator
from mfv.flow.decorators.user.mutableflow import MutableFlow
from mfv.flow.decorators.user.mutablestep import MutableStep
from mfv.flow.decorators.user.step import StepMutator
from mfv.flow.spec import FlowSpec, steps_of

M = TypeVar("M")


def mutators_of(flow: type[FlowSpec]) -> list[FlowMutator]:
    """The mutators in force for a flow: inherited ones first, then in the order of applying."""
    kept: list[FlowMutator] | None = flow.__dict__.get("_mutators_in_force")
    if kept is None:
        kept = [m for cls in reversed(flow.__mro__) for m in vars(cls).get("_flow_mutators", ())]
        flow._mutators_in_force = kept  # type: ignore[attr-defined]
    return kept


def pre_mutate(flow: type[FlowSpec]) -> None:
    """Before the flow's parameters are read. A mutator that one adds has its turn as well."""
    if not _first_time(flow, "pre_mutate"):
        return
    for mutator in _turns(mutators_of(flow)):
        with _told(mutator, "pre_mutate"):
            mutator.settle()
            mutator.pre_mutate(MutableFlow(flow, mutator, early=True))
    for name, worn in _steps(flow):
        for step_mutator in _turns(worn.mutators):
            with _told(step_mutator, "pre_mutate"):
                step_mutator.settle()
                step_mutator.pre_mutate(MutableStep(flow, name, step_mutator, early=True))


def mutate(flow: type[FlowSpec]) -> None:
    """When the command line is known."""
    if not _first_time(flow, "mutate"):
        return
    for mutator in mutators_of(flow):
        with _told(mutator, "mutate"):
            mutator.mutate(MutableFlow(flow, mutator, early=False))
    for name, worn in _steps(flow):
        for step_mutator in list(worn.mutators):
            with _told(step_mutator, "mutate"):
                step_mutator.settle()  # one that was typed
                step_mutator.mutate(MutableStep(flow, name, step_mutator, early=False))


@contextmanager
def _told(mutator: FlowMutator | StepMutator, phase: str) -> Iterator[None]:
    """Turns what the user's own code raises into one error, with the line where it was raised."""
    try:
        yield
    except MfvError:
        raise
    except Exception as error:
        file, line = mutator.file, mutator.line
        frames = error.__traceback__
        while frames is not None:
            if not frames.tb_frame.f_globals.get("__name__", "").startswith("mfv."):
                file, line = frames.tb_frame.f_code.co_filename, frames.tb_lineno
            frames = frames.tb_next
        raise FlowError(
            f"{phase} of @{mutator.shown} failed: {type(error).__name__}: {error}",
            file=file,
            line=line,
            hint="mend the mutator, or take it off",
        ) from error


def _turns(mutators: list[M]) -> Iterator[M]:
    """Each of them once, also those that come, while others go."""
    done: list[M] = []
    while waiting := [one for one in mutators if not any(one is other for other in done)]:
        done.append(waiting[0])
        yield waiting[0]


def _first_time(flow: type[FlowSpec], phase: str) -> bool:
    done: frozenset[str] = flow.__dict__.get("_phases_done", frozenset())
    flow._phases_done = done | {phase}  # type: ignore[attr-defined]
    return phase not in done


def _steps(flow: type[FlowSpec]) -> Iterator[tuple[str, Decoration]]:
    return ((name, decoration_of(flow, name)) for name in steps_of(flow))
