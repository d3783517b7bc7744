"""Following runs to those behind them."""

from __future__ import annotations

from mfv.lineage.runs import Known, Link, Named, follow, turn

A, B, C = (Named(f"F/{number}") for number in (1, 2, 3))


def lineage_of(links: dict[Named, list[Link]]) -> list[str]:
    made = follow(A, lambda run: Known(run, "ok", 1, tuple(links.get(run, ()))), back=True)
    return [known.run.name for known in made.runs]


def test_each_run_is_told_once_and_the_nearest_first() -> None:
    links = {
        A: [Link("resumed from", B), Link("read from", C)],
        B: [Link("read from", C), Link("cloned from", Named("G/1"))],
    }
    assert lineage_of(links) == ["F/1", "F/2", "F/3", "G/1"]


def test_runs_that_read_each_other_are_followed_to_an_end() -> None:
    assert lineage_of({A: [Link("read from", B)], B: [Link("read from", A)]}) == ["F/1", "F/2"]
    assert lineage_of({A: [Link("read from", A)]}) == ["F/1"]


def test_a_run_of_that_name_in_another_repository_is_another_run() -> None:
    assert lineage_of({A: [Link("read from", Named("F/1", "ab"))]}) == ["F/1", "F/1"]


def test_links_are_turned_to_those_that_took() -> None:
    links = [(B, Link("read from", A, artifacts=("s/1/x",))), (C, Link("resumed from", A, 2))]
    assert turn(links) == {
        A: [Link("read from", B, artifacts=("s/1/x",)), Link("resumed from", C, 2)]
    }
