"""One attempt of a step of a flow that is written in a test, without a repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from dictstore import DictStore

from mfv.errors import FlowError
from mfv.flow.current import current
from mfv.flow.decorators.base import Beginning
from mfv.flow.decorators.force import Typed, pre_mutate, put_in_force
from mfv.flow.graph import read_graph
from mfv.flow.order import Frame, Gang, Order, Report
from mfv.flow.spec import FlowSpec
from mfv.flow.task import Attempt, FlowRun


class Tried(NamedTuple):
    """What an attempt left."""

    report: Report
    values: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.report.status == "ok"

    @property
    def message(self) -> str:
        assert self.report.failure is not None
        return self.report.failure.message


def begin(flow: type[FlowSpec], *specs: str, user: str = "ana", **options: Any) -> Beginning:
    """Puts the decorators of `flow` in force, with --with `specs` and the flow's `options`."""
    pre_mutate(flow)
    return put_in_force(flow, read_graph(flow), user, Typed(specs, options))


def refusal(flow: type[FlowSpec], *specs: str, **options: Any) -> FlowError:
    """Why `flow` cannot be started."""
    try:
        begin(flow, *specs, **options)
    except FlowError as error:
        return error
    raise AssertionError(f"{flow.__name__} was not refused")


def attempt(
    flow: type[FlowSpec],
    step: str = "start",
    number: int = 0,
    *,
    parents: Sequence[Mapping[str, object]] = (),
    gang: Gang | None = None,
    facts: Mapping[str, object] | None = None,
) -> Tried:
    """Runs attempt `number` of a step whose parents left these values."""
    begin(flow)
    store = DictStore()
    graph = read_graph(flow)
    before = graph[step].previous[0] if graph[step].previous else "start"
    refs = [
        store.add_task(Order(1, place, before), values) for place, values in enumerate(parents, 1)
    ]
    frames = (Frame("start", 1, 0, 1, "items", "", refs[0]),) if len(refs) == 1 else ()
    order = Order(1, 9, step, tuple(refs), frames, number, gang)
    run = FlowRun(flow, graph, {}, {}, facts or {"username": "ana"})
    tried = Attempt(run, order, store)
    try:
        tried.run()
        report = tried.report()
    finally:
        current._set()
    return Tried(report, {a.name: store.values[a.id] for a in report.artifacts})


@contextmanager
def nothing_left_in(environ: Any) -> Iterator[None]:
    """Puts the environment back as it was: what a task sets there ends with its process."""
    before = dict(environ)
    try:
        yield
    finally:
        environ.clear()
        environ.update(before)
