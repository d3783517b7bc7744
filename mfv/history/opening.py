"""Whether a question is asked of the records themselves, or of the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mfv.repo.log import read_tip
from mfv.repo.repository import Repository

if TYPE_CHECKING:
    from mfv.index.index import Index

# Entries of the log. SQLite takes 12 ms to be imported, the fold of a log 3 µs an entry, and a look
# at what a run was given and made 150 µs.
NAMES_FROM = 1500
QUERIES_FROM = 300


def index_from(repository: Repository, entries: int) -> Index | None:
    """The index, if the log has so many entries; None where it has not, or there can be none."""
    tip = read_tip(repository.backend)
    if repository.folder is None or tip is None or tip.number < entries:
        return None
    from mfv.index.opening import open_index

    return open_index(repository)
