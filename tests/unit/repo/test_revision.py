"""What a person types to mean one run."""

from __future__ import annotations

import sqlite3

import pytest
from making import memory_repository

from mfv.errors import AmbiguousError, NotFoundError, UsageError
from mfv.index import schema
from mfv.index.index import Index
from mfv.index.names import IndexNames
from mfv.index.rows import RowWriter
from mfv.repo.names import RunState, State
from mfv.repo.revision import Names, resolve, resolve_target
from mfv.repo.statenames import StateNames

IDS = {
    ("TrainFlow", 1): "3fa9c1aa",
    ("TrainFlow", 2): "3fa9c1bb",
    ("EvalFlow", 1): "beef0000",
    ("TrainFlow", 3): "1234abcd",
}
TAGS = {("TrainFlow", 1): ["prod", "old"], ("TrainFlow", 3): ["prod", "beef"]}


def index_of(state: State) -> IndexNames:
    """The same runs in an index."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(schema.TABLES + schema.INDEXES)
    RowWriter(connection, memory_repository()).write(state)
    return IndexNames(Index(connection, lambda: connection))


@pytest.fixture(params=[StateNames, index_of])
def names(request: pytest.FixtureRequest) -> Names:
    """Every way in which runs are looked up."""
    made: Names = request.param(all_runs())
    return made


def all_runs() -> State:
    made = State()
    for opened, ((flow, number), prefix) in enumerate(IDS.items(), 1):
        run = RunState(flow, number, opened)
        run.manifest = bytes.fromhex(prefix.ljust(64, "0"))
        run.opening = bytes.fromhex(f"{opened:x}".rjust(4, "d").ljust(64, "0"))
        run.tags = TAGS.get((flow, number), [])
        made.runs.setdefault(flow, {})[number] = run
    return made


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2", "TrainFlow/2"),
        ("TrainFlow/1", "TrainFlow/1"),
        ("EvalFlow/1", "EvalFlow/1"),
        ("TrainFlow@latest", "TrainFlow/3"),
        ("TrainFlow@", "TrainFlow/3"),
        ("TrainFlow@{-1}", "TrainFlow/2"),
        ("TrainFlow@{0}", "TrainFlow/3"),
        ("EvalFlow@latest", "EvalFlow/1"),
        ("@", "TrainFlow/3"),
        ("@latest", "TrainFlow/3"),
        ("@{-1}", "EvalFlow/1"),
        ("@{-3}", "TrainFlow/1"),
        ("prod", "TrainFlow/3"),
        ("old", "TrainFlow/1"),
        ("TrainFlow/old", "TrainFlow/1"),
        ("1234", "TrainFlow/3"),
        ("3fa9c1a", "TrainFlow/1"),
        ("3fa9c1bb" + "0" * 56, "TrainFlow/2"),
        ("ddd4", "TrainFlow/3"),
        ("3~1", "TrainFlow/2"),
        ("3~", "TrainFlow/2"),
        ("3~~", "TrainFlow/1"),
        ("3~2", "TrainFlow/1"),
        ("3~0", "TrainFlow/3"),
        ("prod~1", "TrainFlow/2"),
        ("@~2", "TrainFlow/1"),
        ("TrainFlow/3~1~1", "TrainFlow/1"),
        ("TrainFlow@latest~1", "TrainFlow/2"),
        ("3fa9c1bb~1", "TrainFlow/1"),
    ],
)
def test_every_form_means_its_run(names: Names, text: str, name: str) -> None:
    assert resolve(names, text).name == name


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("2/start", "TrainFlow/2", ("start",)),
        ("TrainFlow/2/start/3/model", "TrainFlow/2", ("start", "3", "model")),
        ("prod/end", "TrainFlow/3", ("end",)),
        ("TrainFlow@latest/end/1", "TrainFlow/3", ("end", "1")),
        ("@~1/end", "TrainFlow/2", ("end",)),
        ("TrainFlow/2", "TrainFlow/2", ()),
    ],
)
def test_a_path_may_follow_what_means_a_run(
    names: Names, text: str, name: str, path: tuple[str, ...]
) -> None:
    target = resolve_target(names, text)
    assert (target.run.name, target.path) == (name, path)


def test_a_path_where_a_run_is_wanted_is_refused_with_the_run(names: Names) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(names, "TrainFlow/2/start")
    assert "TrainFlow/2" in (caught.value.hint or "")


def test_a_flow_alone_is_no_run(names: Names) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(names, "TrainFlow")
    assert "TrainFlow@latest" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("1", {"TrainFlow/1", "EvalFlow/1"}),
        ("3fa9", {"TrainFlow/1", "TrainFlow/2"}),
        ("beef", {"TrainFlow/3", "EvalFlow/1"}),
    ],
)
def test_what_means_several_runs_is_refused_with_all_of_them(
    names: Names, text: str, candidates: set[str]
) -> None:
    with pytest.raises(AmbiguousError) as caught:
        resolve(names, text)
    assert set(caught.value.candidates) == candidates
    assert caught.value.exit_status == 4


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("prd", "'prod'"),
        ("TrainFlw/1", "TrainFlow"),
        ("TrainFlw@latest", "TrainFlow"),
        ("TrainFlow/9", "1 to 3"),
        ("3fa", "4 digits"),
        ("nothing like it", "mfv log"),
    ],
)
def test_what_names_nothing_is_not_found_with_what_is_near(
    names: Names, text: str, hint: str
) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(names, text)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "~",
        "~1",
        "@{1}",
        "@{-99}",
        "@@",
        "3~9",
        "3~-1",
        "TrainFlow/",
        "TrainFlow//1",
        "TrainFlow/1~5",
        "../../x",
        "٣",
        "-1",
        "9" * 5000,
        "1" + "~" * 5000,
        "1~999999999",
        "\x1b[31m",
    ],
)
def test_nonsense_is_not_found_and_nothing_worse(names: Names, text: str) -> None:
    with pytest.raises(NotFoundError):
        resolve(names, text)


@pytest.mark.parametrize("text", ["1", "@", "prod", "abcd", "Flow@latest"])
def test_where_there_are_no_runs_the_hint_says_how_to_make_one(text: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        resolve(StateNames(State()), text)
    assert text == "Flow@latest" or "mfv run" in (caught.value.hint or "")
