"""Flows, and the list of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from mfv.client.base import MetaflowObject, flow_runs, is_listed
from mfv.client.errors import MetaflowNamespaceMismatch
from mfv.client.namespaces import get_namespace
from mfv.client.place import open_place
from mfv.client.run import Run
from mfv.client.rundata import RunData, local_time


class Flow(MetaflowObject):
    """All runs of the flows of one name."""

    _DEPTH = 1
    _FORM = "Flow('FlowName')"

    def __iter__(self) -> Iterator[Run]:
        """The runs in the namespace, newest first by the repository's order."""
        return self._runs(self._all(), ())

    def __getitem__(self, run_id: str | int) -> Run:
        """The run of that number; KeyError, or MetaflowNamespaceMismatch."""
        return self._item(Run, run_id)

    def _ipython_key_completions_(self) -> list[str]:
        return [run.id for run in self]

    def __contains__(self, run_id: object) -> bool:
        return self._has(Run, run_id)

    def runs(self, *tags: str, where: str | None = None, sort: str | None = None) -> Iterator[Run]:
        """The runs in the namespace that bear all of `tags`, newest first.

        `where`: only those for which this query is true, as `mfv log --where` has it:
        `"lr < 0.01 and accuracy >= 0.9"`. `sort`: by fields, `"-accuracy,started"`. Raises
        QueryError, which points at what is wrong with it.
        """
        if where is None and sort is None:
            return self._runs(self._all(), tags)
        return self._runs(self._asked(where, sort), tags)

    @property
    def latest_run(self) -> Run | None:
        """The newest run in the namespace, in whatever state; None without any."""
        return next(iter(self), None)

    @property
    def latest_successful_run(self) -> Run | None:
        """The newest run in the namespace that succeeded; None without any."""
        return next((run for run in self if run.successful), None)

    @property
    def created_at(self) -> datetime:
        """When the first run that there is began, in local time."""
        return local_time(min(data.created for data in self._all()))

    def _all(self) -> Iterator[RunData]:
        """All runs, newest first."""
        states = flow_runs(self._place, self.id).values()
        for state in sorted(states, key=lambda state: (-state.opened, -state.number)):
            yield RunData(self._place, state)

    def _asked(self, where: str | None, sort: str | None) -> list[RunData]:
        from mfv.history import asking
        from mfv.history.history import History

        with self._place.lock:
            history = History(self._place.repository)
            asked = asking.expression(history, flow=self.id, where=where)
            keys = [] if sort is None else asking.sort_keys(history, sort)
            chosen = history.select(asked, keys)
            self._place.tell_damage()
        return [RunData(self._place, run.state) for run in chosen.runs]

    def _runs(self, found: Iterable[RunData], tags: tuple[str, ...]) -> Iterator[Run]:
        for data in found:
            if is_listed(data, self._namespace) and all(data.bears(tag) for tag in tags):
                run = Run.__new__(Run)
                run._data = data
                path = (self.id, str(data.number))
                run._attach(self._place, path, None, self._namespace)
                yield run

    def _is_in(self, namespace: str | None) -> bool:
        return any(is_listed(data, namespace) for data in self._all())

    def _look_up(self) -> None:
        flow_runs(self._place, self.id)


class Metaflow:
    """All flows of the repository."""

    def __init__(self) -> None:
        """The flows of the repository that is chosen now; MetaflowNotFound if there is none."""
        self._place = open_place()
        self._namespace = get_namespace()

    @property
    def flows(self) -> list[Flow]:
        """The flows that have a run in the namespace, the most recently run first."""
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        newest: dict[str, int] = {}
        with self._place.lock:
            state = self._place.state()
            for name in state.runs:
                if runs := state.listed(name):
                    newest[name] = max(run.opened for run in runs.values())
        for name in sorted(newest, key=lambda name: (-newest[name], name)):
            try:
                yield self[name]
            except MetaflowNamespaceMismatch:
                continue

    def __getitem__(self, name: str) -> Flow:
        """The flow of that name; MetaflowNotFound, or MetaflowNamespaceMismatch."""
        flow = Flow.__new__(Flow)
        flow._attach(self._place, (name,), None, self._namespace)
        flow._check_namespace()
        return flow

    def __contains__(self, name: object) -> bool:
        return bool(self._place.state().runs.get(str(name)))

    def __repr__(self) -> str:
        return "Metaflow()"
