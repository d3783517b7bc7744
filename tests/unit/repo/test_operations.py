"""What was done to names is listed, and taken back as far as it is still so."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import FLOW, memory_repository, whole_run

from mfv.errors import ConflictError, NotFoundError
from mfv.repo import trash
from mfv.repo.entries import SweepRuns
from mfv.repo.names import RunState
from mfv.repo.operations import operations, undo, words
from mfv.repo.repository import Repository, note

RUNS = 3


@pytest.fixture
def repository() -> Repository:
    made = memory_repository()
    for _ in range(RUNS):
        whole_run(made, {})
    return made


def run(repository: Repository, number: int) -> RunState:
    found = repository.state.find(FLOW, number)
    assert found is not None
    return found


def names(repository: Repository) -> list[tuple[list[str], str, bool]]:
    """What people can change of each run."""
    runs = [run(repository, number) for number in range(1, RUNS + 1)]
    return [(sorted(one.tags), one.note, one.in_trash) for one in runs]


def test_operations_are_listed_in_words_the_newest_first(repository: Repository) -> None:
    repository.tag(add=[(run(repository, 1), "best")])
    note(repository, run(repository, 2), "said")
    trash.remove(repository, [run(repository, 1), run(repository, 3)], reason="mfv rm")
    trash.restore(repository, [run(repository, 3)])
    assert [words(entry) for entry in operations(repository, 10)] == [
        "restored TrainFlow/3",
        "put TrainFlow/1, TrainFlow/3 into the trash (mfv rm)",
        "noted on TrainFlow/2",
        "put best on TrainFlow/1",
    ]
    assert len(operations(repository, 2)) == 2


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["tag", "untag", "move", "note", "trash", "restore"]),
        st.integers(1, RUNS),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=6,
)


def act(repository: Repository, action: str, number: int, word: str) -> bool:
    """Does it; False where there was nothing to do."""
    one = run(repository, number)
    before = repository.state.number
    if action == "tag":
        repository.tag(add=[(one, word)])
    elif action == "untag" and word in one.tags:
        repository.tag(remove=[(one, word)])
    elif action == "move":
        bearers = [other for other in repository.state if word in other.tags and other is not one]
        repository.tag(add=[(one, word)], remove=[(other, word) for other in bearers])
    elif action == "note":
        note(repository, one, word)
    elif action == "trash":
        trash.remove(repository, [one], reason="mfv rm")
    elif action == "restore":
        trash.restore(repository, [one])
    return repository.state.number > before


@settings(max_examples=80, deadline=None)
@given(ACTIONS)
def test_taking_the_newest_back_leaves_all_names_as_they_were(
    actions: list[tuple[str, int, str]],
) -> None:
    repository = memory_repository()
    for _ in range(RUNS):
        whole_run(repository, {})
    for action in actions:
        before = names(repository)
        if not act(repository, *action):
            continue
        after = names(repository)
        if after == before:  # a tag that was there, a note that said so
            if action[0] != "note":
                with pytest.raises(ConflictError):
                    undo(repository)
            continue
        undo(repository)
        assert names(repository) == before
        undo(repository)
        assert names(repository) == after


def test_an_earlier_one_is_taken_back_by_its_number(repository: Repository) -> None:
    repository.tag(add=[(run(repository, 1), "best")])
    number = repository.state.number
    note(repository, run(repository, 1), "said")
    entry, _ = undo(repository, number)
    assert entry.number == number
    assert names(repository)[0] == ([], "said", False)
    with pytest.raises(ConflictError, match="not so any more"):
        undo(repository, number)


def test_what_was_swept_is_not_brought_back(repository: Repository) -> None:
    trash.remove(repository, [run(repository, 2)], reason="mfv rm")
    repository.log.append(lambda _: SweepRuns(((FLOW, 2),)))
    with pytest.raises(ConflictError, match="are gone"):
        undo(repository)


def test_what_is_no_operation_is_not_taken_back(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match="no operation to take back"):
        undo(repository)
    with pytest.raises(ConflictError, match="cannot be taken back"):
        undo(repository, 1)
    for number in (0, 10_000):
        with pytest.raises(NotFoundError):
            undo(repository, number)
