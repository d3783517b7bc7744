"""A run as a row of the index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from mfv.errors import CorruptError
from mfv.index.schema import MOST_COLUMNS, column
from mfv.index.states import data_of
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


class RowWriter:
    """Writes runs into one connection's tables, within its transaction."""

    def __init__(self, connection: sqlite3.Connection, repository: Repository) -> None:
        self._connection, self._repository = connection, repository
        self._fields: dict[tuple[str, str], int] = {
            (section, name): key
            for key, section, name in connection.execute("SELECT id, section, name FROM fields")
        }
        self._types: set[tuple[int, str]] = set(connection.execute("SELECT field, type FROM types"))
        self._step_sets = _Numbered(connection, "step_sets", "steps")
        self._words = _Numbered(connection, "words", "text")

    def write(self, states: Iterable[RunState]) -> None:
        """Puts the runs in, in place of what was said of them."""
        rows: list[tuple[tuple[object, ...], dict[int, object]]] = []
        kept: list[tuple[object, ...]] = []
        tags: list[tuple[int, str]] = []
        for state in states:
            rows.append(self._row(state))
            kept.append((state.opened, state.manifest, state.opening, data_of(state)))
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
            self._words[None if opening is None else opening.user],
            self._words[None if opening is None else opening.host],
            self._words[None if git is None else git.commit],
            self._words[None if git is None else git.branch],
            self._words[None if manifest is None else manifest.failed_step],
            self._words[failure],
            self._step_sets[_list_of(sorted({ref.step for ref in refs}))],
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


class _Numbered:
    """Texts that many runs share, by the number under which a table has them."""

    def __init__(self, connection: sqlite3.Connection, table: str, column: str) -> None:
        self._connection, self._table, self._column = connection, table, column
        self._known: dict[str, int] = {
            text: key for key, text in connection.execute(f"SELECT id, {column} FROM {table}")
        }

    def __getitem__(self, text: str | None) -> int | None:
        """The number of `text`, which is new if need be."""
        if text is None:
            return None
        found = self._known.get(text)
        if found is None:
            sql = f"INSERT INTO {self._table} ({self._column}) VALUES (?) RETURNING id"
            found = self._known[text] = int(self._connection.execute(sql, (text,)).fetchone()[0])
        return found


def _list_of(steps: list[str]) -> str:
    return msgspec.json.encode(steps).decode()
