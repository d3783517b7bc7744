"""What is wrong with a query, shown under the place where it is."""

from __future__ import annotations

from mfv.errors import UsageError

_SHOWN = 60  # characters of the query on either side


class QueryError(UsageError):
    """A query that cannot be read, or that asks what nobody can answer.

    `column` (from 0) is where in `query` it went wrong.
    """

    code = "query"

    def __init__(self, message: str, query: str, column: int, *, hint: str | None = None) -> None:
        start = max(0, column - _SHOWN)
        shown = query[start : column + _SHOWN].replace("\n", " ").replace("\t", " ")
        pointer = " " * (column - start) + "^"
        super().__init__(f"{message}\n  {shown}\n  {pointer}", hint=hint)
        self.query = query
        self.column = column
