"""A run as a row of the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from mfv.errors import CorruptError
from mfv.index.schema import MOST_COLUMNS, column
from mfv.query.fields import stored, type_of
from mfv.query.values import Values, values_of
from mfv.repo.names import RunState
from mfv.repo.repository import Repository

_OWN = (
    *(
        "seq",
        "flow",
        "number",
        "status",
        "started",
        "removed",
        "ended",
        "user",
        "host",
        "commit_id",
    ),
    *("branch", "failed_step", "failure", "step_set"),
)
_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(RunState)


class RowWriter:
    """Writes runs into one connection's tables, within its transaction."""

    def __init__(self, connection: sqlite3.Connection, repository: Repository) -> None:
        self._connection, self._repository = connection, repository
        self._fields: dict[tuple[str, str], int] = {
            (section, name): key
            for key, section, name in connection.execute("SELECT id, section, name FROM fields")
        }
        self._types: set[tuple[int, str]] = set(connection.execute("SELECT field, type FROM types"))
        self._step_sets: dict[str, int] = {
            steps: key for key, steps in connection.execute("SELECT id, steps FROM step_sets")
        }

    def write(self, states: Iterable[RunState]) -> None:
        """Puts the runs in, in place of what was said of them."""
        rows: list[tuple[tuple[object, ...], dict[int, object]]] = []
        kept: list[tuple[object, ...]] = []
        tags: list[tuple[int, str]] = []
        for state in states:
            rows.append(self._row(state))
            kept.append((state.opened, state.manifest, state.opening, _ENCODER.encode(state)))
            tags.extend((state.opened, tag) for tag in state.tags)
        run = self._connection.executemany
        run("DELETE FROM tags WHERE seq = ?", [(one[0],) for one in kept])
        used = sorted({field for _, values in rows for field in values})
        names = ", ".join([*_OWN, *map(column, used)])
        marks = ", ".join("?" * (len(_OWN) + len(used)))
        run(
            f"INSERT OR REPLACE INTO runs ({names}) VALUES ({marks})",
            [(*own, *map(values.get, used)) for own, values in rows],
        )
        run("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", kept)
        run("INSERT OR REPLACE INTO tags VALUES (?, ?)", tags)

    def _row(self, state: RunState) -> tuple[tuple[object, ...], dict[int, object]]:
        """The columns that every run has, and those of its values by field."""
        opening = manifest = None
        try:
            opening = self._repository.opening(state)
            manifest = self._repository.manifest(state)
        except CorruptError:
            pass  # the run stands in the list, and whoever looks at it is told
        values: Values = {}
        git = None
        if opening is not None:
            results = () if manifest is None else manifest.results
            values = values_of(opening.parameters, opening.constants, results)
            git = opening.git
        refs = state.tasks if manifest is None else manifest.tasks
        failure = None if manifest is None or manifest.failure is None else manifest.failure.type
        own = (
            state.opened,
            state.flow,
            state.number,
            state.status,
            state.time,
            state.removed,
            None if manifest is None else manifest.ended,
            None if opening is None else opening.user,
            None if opening is None else opening.host,
            None if git is None else git.commit,
            None if git is None else git.branch,
            None if manifest is None else manifest.failed_step,
            failure,
            self._step_set(sorted({ref.step for ref in refs})),
        )
        return own, self._columns(values)

    def _columns(self, values: Values) -> dict[int, object]:
        found: dict[int, object] = {}
        for section, named in values.items():
            for name, value in named.items():
                field = self._field(section, name)
                kind = type_of(value)
                if kind is not None and (field, kind) not in self._types:
                    self._types.add((field, kind))
                    self._connection.execute("INSERT INTO types VALUES (?, ?)", (field, kind))
                if field < MOST_COLUMNS:
                    found[field] = stored(value)
        return found

    def _field(self, section: str, name: str) -> int:
        field = self._fields.get((section, name))
        if field is None:
            field = self._fields[section, name] = len(self._fields)
            sql = "INSERT INTO fields (id, section, name) VALUES (?, ?, ?)"
            self._connection.execute(sql, (field, section, name))
            if field < MOST_COLUMNS:
                self._connection.execute(f"ALTER TABLE runs ADD COLUMN {column(field)}")
        return field

    def _step_set(self, steps: list[str]) -> int:
        text = msgspec.json.encode(steps).decode()
        if text not in self._step_sets:
            sql = "INSERT INTO step_sets (steps) VALUES (?) RETURNING id"
            self._step_sets[text] = self._connection.execute(sql, (text,)).fetchone()[0]
        return self._step_sets[text]


def state_of(data: bytes) -> RunState:
    """What the log says of a run, from the column `state`."""
    return _DECODER.decode(data)
