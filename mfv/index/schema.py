"""The tables of the index, and the version that changes with them."""

from __future__ import annotations

VERSION = 4

# Values that runs have under one name stand in a column of their own, `v0`, `v1`, …, added to
# `runs` when the name is first met: a query reads a million of them in a tenth of a second, and no
# index has to be there for the question that somebody happens to ask. What the log says of a run
# is large and seldom asked for; it stands elsewhere, so that the rows stay short.
TABLES = """
CREATE TABLE step_sets (id INTEGER PRIMARY KEY, steps TEXT NOT NULL UNIQUE);
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY,  -- number of the log entry that opened the run: the order of runs
    flow TEXT NOT NULL,
    number INTEGER NOT NULL,
    status TEXT NOT NULL,  -- as recorded; whether an open run goes on is not known here
    started INTEGER NOT NULL,  -- µs since 1970
    removed INTEGER NOT NULL,  -- into the trash, µs since 1970; 0: it is not there
    ended INTEGER,
    -- ids of words: few are different, and rows that are short are read sooner
    user INTEGER,
    host INTEGER,  -- where it ran
    commit_id INTEGER,
    branch INTEGER,
    failed_step INTEGER,
    failure INTEGER,  -- type of the exception
    step_set INTEGER,
    UNIQUE (flow, number)
);
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE states (
    seq INTEGER PRIMARY KEY,
    manifest BLOB,
    opening BLOB,
    state BLOB NOT NULL  -- what the log says of the run
);
CREATE TABLE tags (seq INTEGER, tag TEXT, PRIMARY KEY (seq, tag)) WITHOUT ROWID;
CREATE TABLE fields (  -- id of a field: of the column, `v` before it
    id INTEGER PRIMARY KEY, section TEXT, name TEXT, UNIQUE (section, name)
);
CREATE TABLE types (field INTEGER, type TEXT, PRIMARY KEY (field, type)) WITHOUT ROWID;
"""

# Made behind the rows of a new index: in order that is faster, and smaller.
INDEXES = """
CREATE INDEX runs_by_flow ON runs (flow);
CREATE INDEX runs_by_number ON runs (number);
CREATE INDEX runs_open ON runs (status) WHERE status = 'open';
CREATE INDEX runs_by_id ON states (manifest);
CREATE INDEX runs_by_opening ON states (opening);
CREATE INDEX tags_by_name ON tags (tag, seq);
"""

# SQLite takes 2,000 columns; what is beyond is looked up in the runs' own records.
MOST_COLUMNS = 1500


def column(field: int) -> str:
    """The column of `runs` with the values of a field."""
    return f"v{int(field)}"
