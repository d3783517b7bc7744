"""Runs looked up by what people type, in the index."""

from __future__ import annotations

from collections.abc import Collection

from mfv.index.index import Index
from mfv.query.expression import Plain
from mfv.repo.names import RunState

_NEAR = 1000  # names of runs, the newest, among which a mistyped one is looked for


class IndexNames:
    """What `mfv.repo.revision.Names` asks, answered without the other runs in memory."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def flows(self) -> Collection[str]:
        # One step down the tree a flow, where DISTINCT would read all rows.
        found: list[str] = []
        sql = "SELECT flow FROM runs WHERE flow > ? ORDER BY flow LIMIT 1"
        while rows := self._index.rows(sql, (found[-1] if found else "",)):
            found.append(rows[0][0])
        return found

    def tags(self) -> Collection[str]:
        sql = "SELECT DISTINCT tag FROM tags JOIN runs USING (seq) WHERE removed = 0"
        return {tag for (tag,) in self._index.rows(sql)}

    def some_runs(self) -> list[str]:
        sql = "SELECT flow || '/' || number FROM runs WHERE removed = 0 ORDER BY seq DESC LIMIT ?"
        return [name for (name,) in self._index.rows(sql, (_NEAR,))]

    def count(self, flow: str | None) -> int:
        if flow:
            return self._index.count("removed = 0 AND flow = ?", (flow,))
        return self._index.count("removed = 0")

    def bounds(self, flow: str) -> tuple[int, int]:
        sql = "SELECT min(number), max(number) FROM runs WHERE flow = ?"
        first, last = self._index.rows(sql, (flow,))[0]
        return int(first), int(last)

    def numbered(self, number: int, flow: str | None) -> list[RunState]:
        return self._of(flow, "number = ?", number)

    def bearing(self, tag: str, flow: str | None) -> RunState | None:
        where = "removed = 0 AND seq IN (SELECT seq FROM tags WHERE tag = ?)"
        return next(iter(self._of(flow, where, tag, limit=1)), None)

    def prefixed(self, prefix: str, flow: str | None) -> list[RunState]:
        low, high = _range_of(prefix)
        of = "SELECT seq FROM states WHERE {0} BETWEEN ? AND ?"
        both = f"seq IN ({of.format('manifest')} UNION {of.format('opening')})"
        return self._of(flow, both, low, high, low, high)

    def newest(self, flow: str | None, back: int) -> RunState | None:
        return next(iter(self._of(flow, "removed = 0", limit=1, offset=back)), None)

    def before(self, run: RunState, count: int) -> RunState | None:
        if count < 1:
            return run
        where, values = "removed = 0 AND flow = ? AND number < ?", (run.flow, run.number)
        found = self._index.select(
            where, values, order="number DESC", limit=1, offset=min(count, 1 << 40) - 1
        )
        return next(found, None)

    def _of(
        self,
        flow: str | None,
        where: str,
        *values: Plain | bytes,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[RunState]:
        if flow:
            where, values = f"flow = ? AND {where}", (flow, *values)
        return list(self._index.select(where, values, limit=limit, offset=offset))


def _range_of(prefix: str) -> tuple[bytes, bytes]:
    """The first and the last id that begin with these hex digits."""
    return bytes.fromhex(prefix.ljust(64, "0")), bytes.fromhex(prefix.ljust(64, "f"))
