"""The index of one repository, asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mfv.errors import MfvError
from mfv.index import schema
from mfv.index.errors import UnusableError
from mfv.index.states import state_of
from mfv.repo.names import RunState

if TYPE_CHECKING:
    from mfv.query.fields import Catalog
    from mfv.query.sql import Stored

_MOST = (1 << 63) - 1  # what SQLite takes for a number


class Index:
    """The runs of a repository as of when it was opened."""

    def __init__(
        self, connection: sqlite3.Connection, renew: Callable[[], sqlite3.Connection]
    ) -> None:
        """`renew` makes it anew where it turns out to be damaged."""
        self._renew = renew
        self._trouble: MfvError | None = None  # of a pattern, of which SQLite only says that it was
        self._take(connection)

    def _take(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.create_function("regexp", 2, self._regexp, deterministic=True)

    def close(self) -> None:
        self._connection.close()

    def __len__(self) -> int:
        return self.count()

    def catalog(self) -> Catalog:
        """The names and types of the values that the runs have, and the columns with them."""
        from mfv.query.fields import Catalog

        types: dict[str, set[str]] = {}
        columns: dict[str, str] = {}
        sql = "SELECT id, section, name, type FROM fields LEFT JOIN types ON field = id"
        for field, section, name, kind in self.rows(sql):
            key = f"{section}.{name}"
            types.setdefault(key, set()).update([kind] if kind else [])
            if field < schema.MOST_COLUMNS:
                columns[key] = schema.column(field)
        return Catalog({name: frozenset(kinds) for name, kinds in types.items()}, columns)

    def select(
        self,
        where: str = "1",
        values: Sequence[Stored] = (),
        *,
        order: str = "seq DESC",
        limit: int | None = None,
        offset: int = 0,
    ) -> Iterator[RunState]:
        """The runs for which the SQL condition `where` is true, in the order asked for."""
        # Sorted are the short rows; the long ones are fetched of those that are wanted.
        sql = f"SELECT seq FROM runs WHERE {where} ORDER BY {order}"
        if limit is not None:
            sql += f" LIMIT {min(int(limit), _MOST)} OFFSET {min(int(offset), _MOST)}"
        for (seq,) in self.rows(sql, values):
            yield self._state(seq)

    def count(self, where: str = "1", values: Sequence[Stored] = ()) -> int:
        """How many runs `select` would give."""
        return int(self.rows(f"SELECT count(*) FROM runs WHERE {where}", values)[0][0])

    def rows(self, sql: str, values: Sequence[Stored] = ()) -> list[tuple[Any, ...]]:
        """What a statement of this room finds."""
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError:
            trouble, self._trouble = self._trouble, None
            if trouble is not None:
                raise trouble from None
            self._make_anew()
            return self._connection.execute(sql, values).fetchall()

    def _state(self, seq: int) -> RunState:
        sql = "SELECT state FROM states WHERE seq = ?"
        try:
            return state_of(self.rows(sql, (seq,))[0][0])
        except (UnusableError, LookupError, TypeError):
            self._make_anew()
            return state_of(self.rows(sql, (seq,))[0][0])

    def _make_anew(self) -> None:
        """SQLite notices damage when it reads the page."""
        self._connection.close()
        self._take(self._renew())

    def _regexp(self, pattern: str, text: object) -> bool:
        from mfv.query.patterns import is_in

        try:
            return isinstance(text, str) and is_in(pattern, text)
        except MfvError as error:
            self._trouble = error
            raise
