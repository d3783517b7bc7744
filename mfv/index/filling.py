"""Reading on in the log, into the index."""

from __future__ import annotations

import sqlite3
from typing import Any

from mfv.ids import EntryId
from mfv.index.errors import DamagedLogError
from mfv.index.rows import RowWriter
from mfv.index.states import state_of
from mfv.repo.entries import Entry
from mfv.repo.log import Log
from mfv.repo.names import RunState, State
from mfv.repo.repository import Repository

_AT_ONCE = 2000  # runs that changed, kept in memory before they are written


class _Filling(State):
    """The fold of the log, of which only the runs that changed are in memory."""

    connection: Any = None  # sqlite3.Connection
    writer: Any = None  # RowWriter
    changed: int = 0

    def apply(self, entry: Entry, seal: bytes) -> None:
        super().apply(entry, seal)
        self.condemned.clear()
        if self.changed >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes the runs that changed."""
        runs = (run for numbers in self.runs.values() for run in numbers.values())
        self.writer.write(sorted(runs, key=lambda run: run.opened))
        self.runs, self.changed = {}, 0

    def _run(self, flow: str, number: int) -> RunState:
        numbers = self.runs.setdefault(flow, {})
        if number not in numbers:
            sql = "SELECT state FROM runs JOIN states USING (seq) WHERE flow = ? AND number = ?"
            row = self.connection.execute(sql, (flow, number)).fetchone()
            numbers[number] = RunState(flow, number) if row is None else state_of(row[0])
            self.changed += 1
        return numbers[number]


def fill(
    connection: sqlite3.Connection, repository: Repository, number: int, head: bytes
) -> tuple[int, bytes]:
    """Takes the entries behind `number`, whose seal is `head`, in; returns where that ended.

    Raises DamagedLogError where an entry is damaged or missing, or does not follow `head`.
    """
    writer = RowWriter(connection, repository)
    state = _Filling(number, head, connection=connection, writer=writer)
    log = Log(repository.backend, state=state)
    log.catch_up()
    if log.damaged:
        raise DamagedLogError
    state.flush()
    return state.number, EntryId(state.head)
