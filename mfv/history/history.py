"""The runs that a question is about, in the order that it asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from mfv.history.opening import NAMES_FROM, QUERIES_FROM, index_from
from mfv.repo.names import RunState
from mfv.repo.repository import Repository
from mfv.repo.revision import Names
from mfv.repo.statenames import StateNames
from mfv.repo.view import RunView

if TYPE_CHECKING:
    from mfv.history.facts import RunFacts
    from mfv.index.index import Index
    from mfv.query.expression import Expression, Field
    from mfv.query.fields import Catalog


class SortKey(NamedTuple):
    """Runs by one field; those that have none come last either way."""

    field: Field
    descending: bool = False


class Selection(NamedTuple):
    """The first runs that were asked for, and how many there are behind them."""

    runs: list[RunView]
    count_left: Callable[[], int]


class History:
    """All runs of a repository. Nothing is read before it is asked for."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._opened: Index | None = None

    @cached_property
    def names(self) -> Names:
        """Where runs are looked up by name."""
        index = self._index(NAMES_FROM)
        if index is None:
            return StateNames(self.repository.state)
        from mfv.index.names import IndexNames

        return IndexNames(index)

    @cached_property
    def catalog(self) -> Catalog:
        """The names and types of the values that the runs have."""
        index = self._index(QUERIES_FROM)
        if index is not None:
            return index.catalog()
        from mfv.query.fields import catalog_of

        return catalog_of(facts.values for facts in self._all)

    def select(
        self,
        where: Expression | None = None,
        sort: Sequence[SortKey] = (),
        limit: int | None = None,
        *,
        trash: bool = False,
    ) -> Selection:
        """The runs for which `where` holds, sorted; of equal ones, and without a key, newest first.

        `limit`: at most so many. `trash`: those in the trash, else those that are not.
        """
        asks = where is not None or bool(sort)
        index = self._index(QUERIES_FROM if asks else NAMES_FROM)
        if index is not None:
            return self._by_index(index, where, sort, limit, trash)
        if not asks:
            states = (state for state in self.repository.state if state.in_trash == trash)
            return _taken(map(self._view, states), limit)
        facts = (one for one in self._all if one.run.state.in_trash == trash)
        return self._looked_through(facts, where, sort, limit)

    def before(self, run: RunView) -> RunView | None:
        """The run of its flow before this one; None for the first."""
        state = self.names.before(run.state, 1)
        return None if state is None else self._view(state)

    def facts_of(self, run: RunView) -> RunFacts:
        """What a query sees of a run."""
        from mfv.history.facts import RunFacts

        return RunFacts(run, lambda: self.names)

    @cached_property
    def _all(self) -> list[RunFacts]:
        return [self.facts_of(self._view(state)) for state in self.repository.state]

    def _view(self, state: RunState) -> RunView:
        return RunView(self.repository, state)

    def _index(self, entries: int) -> Index | None:
        """The index, opened once, if the log has so many entries."""
        if self._opened is None:
            self._opened = index_from(self.repository, entries)
        return self._opened

    def _by_index(
        self,
        index: Index,
        where: Expression | None,
        sort: Sequence[SortKey],
        limit: int | None,
        trash: bool,
    ) -> Selection:
        from mfv.query import sql

        catalog = self.catalog
        condition = sql.Condition("1") if where is None else sql.condition(where, catalog)
        # SQLite tests one after the other: what is true of nearly all runs comes last.
        both = ["removed != 0", condition.sql] if trash else [condition.sql, "removed = 0"]
        condition = condition._replace(sql=" AND ".join(both))
        orders = [sql.order(key.field, catalog) for key in sort]
        if not condition.exact or None in orders:
            found = index.select(condition.sql, condition.values)
            facts = (self.facts_of(self._view(state)) for state in found)
            return self._looked_through(facts, where, sort, limit)
        by = [
            f"{order} IS NULL, {order} {'DESC' if key.descending else 'ASC'}"
            for key, order in zip(sort, orders, strict=True)
        ]
        order = ", ".join([*by, "seq DESC"])
        states = index.select(condition.sql, condition.values, order=order, limit=limit)
        runs = [self._view(state) for state in states]
        return Selection(runs, lambda: index.count(condition.sql, condition.values) - len(runs))

    def _looked_through(
        self,
        facts: Iterable[RunFacts],
        where: Expression | None,
        sort: Sequence[SortKey],
        limit: int | None,
    ) -> Selection:
        from mfv.query.evaluate import holds, value_of
        from mfv.query.fields import rank

        found: Iterator[RunFacts] = (one for one in facts if where is None or holds(where, one))
        if sort:
            ordered = list(found)
            for field, descending in reversed(sort):
                ordered.sort(key=lambda one: rank(value_of(field, one)), reverse=descending)
                ordered.sort(key=lambda one: value_of(field, one) is None)
            found = iter(ordered)
        return _taken((one.run for one in found), limit)


def _taken(runs: Iterator[RunView], limit: int | None) -> Selection:
    taken = list(islice(runs, None if limit is None else min(limit, sys.maxsize)))
    return Selection(taken, lambda: sum(1 for _ in runs))
