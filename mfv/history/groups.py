"""Runs put together by what they have in common, and what their numbers are between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mfv.history.facts import RunFacts
from mfv.query.expression import Field, Plain
from mfv.query.fields import rank, type_of

Value = Plain | tuple[str, ...]


class Span(NamedTuple):
    """The numbers that the runs of a group left under one name."""

    low: float
    mean: float
    high: float
    runs: int  # that have one


class Group(NamedTuple):
    """Runs with the same values."""

    values: tuple[Value, ...]  # one for each field
    runs: int
    statuses: dict[str, int]
    newest: str  # name of a run
    metrics: dict[str, Span]


def grouped(facts: Iterable[RunFacts], fields: Sequence[Field]) -> list[Group]:
    """The groups, ordered by their values; `facts` come newest first."""
    members: dict[tuple[tuple[type, Value], ...], list[RunFacts]] = {}
    for one in facts:
        values = tuple(one.value(field) for field in fields)
        # 1, 1.0 and True are equal, and True is something else.
        key = tuple((bool if isinstance(value, bool) else object, value) for value in values)
        members.setdefault(key, []).append(one)
    found = [_group(tuple(value for _, value in key), some) for key, some in members.items()]
    return sorted(found, key=lambda group: [_rank(value) for value in group.values])


def _group(values: tuple[Value, ...], members: list[RunFacts]) -> Group:
    statuses: dict[str, int] = {}
    numbers: dict[str, list[float]] = {}
    for one in members:
        statuses[one.run.status] = statuses.get(one.run.status, 0) + 1
        for name, value in one.values.get("metrics", {}).items():
            if type_of(value) == "number":
                numbers.setdefault(name, []).append(value)  # type: ignore[arg-type]
    spans = {
        name: Span(min(some), sum(some) / len(some), max(some), len(some))
        for name, some in numbers.items()
    }
    return Group(values, len(members), statuses, members[0].run.name, spans)


def _rank(value: Value) -> tuple[int, float | str]:
    return (1, " ".join(value)) if isinstance(value, tuple) else rank(value)
