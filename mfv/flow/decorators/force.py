"""Puts a flow's decorators in force before it runs: what is written, typed, and added by mutators.

The order is Metaflow's: mutators look at the flow before its parameters are read (`pre_mutate`),
what was typed is added to the steps, mutators look again, attributes get their values, and every
decorator looks at its step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mfv.errors import FlowError
from mfv.flow.decorators.base import (
    Beginning,
    Decoration,
    FlowOption,
    StepDecorator,
    decoration_of,
    flow_decorators_of,
)
from mfv.flow.graph import Graph
from mfv.flow.spec import FlowSpec, steps_of

if TYPE_CHECKING:
    from mfv.flow.decorators.specs import Spec


class Typed(NamedTuple):
    """What the command line says of decorators."""

    specs: Sequence[str] = ()  # of --with, in order
    options: Mapping[str, Any] = {}  # of flow decorators, by name

    def words(self) -> Iterator[tuple[str, ...]]:
        """The words of each, as one would type them."""
        for spec in self.specs:
            yield "--with", spec
        for name, value in self.options.items():
            if value is True:
                yield (f"--{name}",)
            elif value:
                yield f"--{name}", str(value)


NOTHING_TYPED = Typed()


def pre_mutate(flow: type[FlowSpec]) -> None:
    """Lets mutators change the flow, once, before anything asks for its parameters."""
    if _has_mutators(flow):
        from mfv.flow.decorators.user.mutating import pre_mutate as run

        run(flow)


def options_of(flow: type[FlowSpec]) -> list[FlowOption]:
    """The options that the flow's decorators add to its command line."""
    return [option for one in flow_decorators_of(flow) for option in one.options]


def put_in_force(flow: type[FlowSpec], graph: Graph, user: str, typed: Typed) -> Beginning:
    """Settles every decorator of the flow and its steps; what they add to a run.

    Raises FlowError, or UsageError for what was typed. Done again it changes nothing.
    """
    for text in typed.specs:
        _attach(flow, graph, text)
    if _has_mutators(flow):
        from mfv.flow.decorators.user.mutating import mutate

        mutate(flow)
    for worn in _worn(flow, graph):
        for decorator in worn.decorators:
            decorator.settle()
        for wrapper in worn.wrappers:
            wrapper.settle()
    for node in graph:
        for decorator in decoration_of(flow, node.name).decorators:
            decorator.check(flow, graph, node)
    _check_gangs(flow, graph)
    return _begun(flow, graph, user, typed.options)


def _attach(flow: type[FlowSpec], graph: Graph, text: str) -> None:
    """Puts a typed decorator on every step that does not have it."""
    from mfv.flow.decorators.registry import step_mark
    from mfv.flow.decorators.specs import parse_spec

    spec = parse_spec(text)
    mark = step_mark(spec.name)
    if mark is None:
        _attach_user(flow, graph, spec)
        return
    if spec.positional:
        raise FlowError(
            f"@{spec.name} takes its attributes by name", hint=f"write {spec.name}:attribute=value"
        )
    for worn in _worn(flow, graph):
        decorator = mark.kind(spec.attributes)
        decorator.statically_defined = False
        if mark.kind.many or not _has(worn.decorators, spec.name):
            worn.decorators.append(decorator)


def _attach_user(flow: type[FlowSpec], graph: Graph, spec: Spec) -> None:
    from mfv.flow.decorators.registry import STEP, unknown
    from mfv.flow.decorators.user.names import find_step_decorator, known_step_decorators

    kind = find_step_decorator(spec.name)
    if kind is None:
        raise unknown(spec.name, [*STEP, *known_step_decorators()], "step")
    for worn in _worn(flow, graph):
        if not any(type(one) is kind for one in (*worn.wrappers, *worn.mutators)):
            decorator = kind(*spec.positional, **spec.attributes)
            decorator.statically_defined = False
            decorator.put_on(worn)


def _has(decorators: Sequence[StepDecorator], name: str) -> bool:
    return any(decorator.name == name for decorator in decorators)


def _check_gangs(flow: type[FlowSpec], graph: Graph) -> None:
    """What num_parallel leads to has to say that it is @parallel, as with Metaflow."""
    for node in graph:
        if not node.num_parallel:
            continue
        for name in node.next:
            if not any(one.gang for one in decoration_of(flow, name).decorators):
                raise FlowError(
                    f"step '{node.name}' leads by num_parallel to '{name}', which is no @parallel "
                    "step",
                    file=graph[name].file,
                    line=graph[name].line,
                    hint=f"put @parallel above the @step of '{name}'",
                )


def _begun(flow: type[FlowSpec], graph: Graph, user: str, options: Mapping[str, Any]) -> Beginning:
    facts: dict[str, object] = {}
    tags: list[str] = []
    notes: dict[str, None] = {}
    for decorator in flow_decorators_of(flow):
        decorator.settle()
        begun = decorator.begin(flow, user, options)
        facts.update(begun.facts)
        tags.extend(begun.tags)
        notes.update(dict.fromkeys(begun.notes))
    worn = [one for decoration in _worn(flow, graph) for one in decoration.decorators]
    for one in (*flow_decorators_of(flow), *worn):
        if one.instead:
            notes[f"@{one.name} ignored: {one.instead}"] = None
    return Beginning(facts, tuple(tags), tuple(notes))


def _worn(flow: type[FlowSpec], graph: Graph) -> Iterator[Decoration]:
    return (decoration_of(flow, name) for name in graph.nodes)


def _has_mutators(flow: type[FlowSpec]) -> bool:
    return any(vars(cls).get("_flow_mutators") for cls in flow.__mro__) or any(
        decoration_of(flow, step).mutators for step in steps_of(flow)
    )
