"""Who reduces what: the types whose own pickling would copy their data into the stream.

Only the reduction differs: a pickle that comes of it names the library of the value and the
standard library, never mfv, and any pickle module loads it.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable
from operator import methodcaller
from typing import Any

from mfv.serde.lending import Lender

Reducer = Callable[[Any], Any]

# None of them imports its library: a value of its types is there, so it is loaded.
LIBRARIES = ("numpy", "torch", "pyarrow", "polars")

_own = methodcaller("__reduce_ex__", 5)


def reducers(lender: Lender) -> Reducers | None:
    """The table of one pickling; None where no library is loaded that would need one."""
    return Reducers(lender) if any(name in sys.modules for name in LIBRARIES) else None


class Reducers(dict[type, Reducer]):
    """A pickler's dispatch table that decides for a type when the first value of it comes.

    A table and not `reducer_override`, which Python would call for every object: this costs a
    list of a million small objects nothing.
    """

    def __init__(self, lender: Lender) -> None:
        super().__init__(copyreg.dispatch_table)
        self._lender = lender
        self._shared: dict[Any, Any] = {}

    def __missing__(self, kind: type) -> Reducer:
        if issubclass(kind, type):
            raise KeyError(kind)  # a class is pickled by its name
        self[kind] = reducer = self._find(kind) or _own
        return reducer

    def _find(self, kind: type) -> Reducer | None:
        for base in kind.__mro__:
            library = str(base.__module__).partition(".")[0]
            if library == "numpy":
                from mfv.serde.arrays import reducer_for
            elif library == "torch":
                from mfv.serde.tensors import reducer_for
            elif library in ("pyarrow", "polars", "pandas"):
                from mfv.serde.tables import reducer_for
            else:
                continue
            return reducer_for(kind, self._lender, self._shared)
        return None
