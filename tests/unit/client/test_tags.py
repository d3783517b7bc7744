"""Tags: Metaflow's rules, through the repository's log."""

from __future__ import annotations

from pathlib import Path

import pytest
from racing import race

from mfv.client import Flow, MetaflowTaggingError, Run
from mfv.errors import UsageError
from mfv.repo.repository import Repository

pytestmark = pytest.mark.usefixtures("own")


@pytest.fixture
def run(own: Path) -> Run:
    """A run without tags of its user's."""
    return Run("DemoFlow/4")


def test_a_tag_shows_at_once_everywhere(run: Run) -> None:
    step = run["work"]
    run.add_tag("best")
    assert run.user_tags == step.user_tags == Run("DemoFlow/4").user_tags == {"best"}
    assert list(Flow("DemoFlow").runs("best")) == [run]


def test_a_tag_changes_neither_the_order_nor_the_times(run: Run) -> None:
    first = Run("DemoFlow/1")
    before = first.created_at
    first.add_tag("best")
    assert Flow("DemoFlow").latest_run == run
    assert Run("DemoFlow/1").created_at == before


def test_several_tags_come_on_and_off(run: Run) -> None:
    run.add_tags(["a", "b", b"c"])
    assert run.user_tags == {"a", "b", "c"}
    run.remove_tags(["a", "c"])
    assert run.user_tags == {"b"}
    run.remove_tag("b")
    assert run.user_tags == frozenset()


def test_a_tag_is_replaced_in_one_step(run: Run, own: Path) -> None:
    run.add_tag("old")
    before = Repository.open(own).state.number
    run.replace_tag("old", "new")
    assert run.user_tags == {"new"}
    run.replace_tags(["new", "other"], ["x", "y"])
    assert run.user_tags == {"x", "y"}
    assert Repository.open(own).state.number == before + 2


def test_removal_comes_before_addition(run: Run) -> None:
    run.replace_tags(["a"], ["a"])
    assert run.user_tags == {"a"}
    run.replace_tags(["a"], ["a", "b"])
    assert run.user_tags == {"a", "b"}


def test_what_is_so_already_is_no_change(run: Run, own: Path) -> None:
    run.add_tag("a")
    before = Repository.open(own).state.number
    run.add_tag("a")
    run.add_tag("runtime:dev")
    run.remove_tag("never there")
    assert run.user_tags == {"a"}
    assert Repository.open(own).state.number == before


def test_a_system_tag_stays_and_nothing_of_the_call_is_applied(run: Run) -> None:
    run.add_tag("a")
    with pytest.raises(MetaflowTaggingError, match="user:ana cannot be removed"):
        run.replace_tags(["a", "user:ana"], ["b"])
    assert run.user_tags == {"a"}
    assert "user:ana" in run.system_tags


@pytest.mark.parametrize("change", [[], (), {}])
def test_an_empty_change_is_refused(run: Run, change: list[str]) -> None:
    with pytest.raises(MetaflowTaggingError):
        run.add_tags(change)
    with pytest.raises(MetaflowTaggingError):
        run.remove_tags(change)


@pytest.mark.parametrize("tag", ["", "x" * 501, b"\xff", b"", 3, None])
def test_what_is_no_tag_is_refused_and_nothing_of_the_call_is_applied(
    run: Run, tag: object
) -> None:
    with pytest.raises(MetaflowTaggingError):
        run.add_tags(["good", tag])  # type: ignore[list-item]
    assert run.user_tags == frozenset()


def test_neither_a_tag_nor_several_is_refused(run: Run) -> None:
    with pytest.raises(MetaflowTaggingError):
        run.add_tag(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", ["latest", "42", "a b", "../x", "@x"])
def test_a_name_that_the_command_line_would_misread_is_refused(run: Run, tag: str) -> None:
    with pytest.raises(UsageError, match="cannot be a tag"):
        run.add_tags(["good", tag])
    assert run.user_tags == frozenset()


def test_a_run_bears_fifty_tags(run: Run) -> None:
    with pytest.raises(MetaflowTaggingError, match="51 tags"):
        run.add_tags([f"t{n}" for n in range(51)])
    run.add_tags([f"t{n}" for n in range(50)])
    assert len(run.user_tags) == 50
    with pytest.raises(MetaflowTaggingError, match="51 tags"):
        run.add_tag("one-more")
    run.add_tag("t0")
    run.remove_tag("t0")
    run.add_tag("one-more")
    assert len(run.user_tags) == 50


def test_processes_that_remove_one_tag_at_the_same_moment_all_succeed(run: Run) -> None:
    def act(place: int) -> list[str]:
        mine = Run("DemoFlow/4")
        for n in range(10):
            mine.replace_tag(f"old{n}", f"new{n}-{place}")
        return sorted(mine.user_tags)

    run.add_tags([f"old{n}" for n in range(10)])
    race(4, act)
    assert run.user_tags == {f"new{n}-{place}" for n in range(10) for place in range(4)}


def test_two_handles_do_not_undo_each_other(run: Run) -> None:
    other = Run("DemoFlow/4")
    run.add_tag("mine")
    other.add_tag("theirs")
    assert run.user_tags == other.user_tags == {"mine", "theirs"}
