"""Which earlier run a run's artifacts are stored after."""

from __future__ import annotations

import pytest

from mfv.odb.delta import MAX_DEPTH
from mfv.repo.lineage import BASES, ancestors


def depth(place: int) -> int:
    return 0 if place == 0 else 1 + depth(BASES[place])


def test_each_builds_on_one_before_it_and_none_leads_through_too_many() -> None:
    assert all(base < place for place, base in enumerate(BASES) if place)
    assert max(map(depth, range(len(BASES)))) == MAX_DEPTH


def test_the_first_run_of_a_generation_builds_on_none() -> None:
    assert ancestors(1) == ancestors(1 + len(BASES)) == ([], 0)


@pytest.mark.parametrize("number", [2, 3, 6, 16, 18, 31, 100])
def test_the_way_back_begins_at_the_run_before_and_leads_by_the_base(number: int) -> None:
    path, base = ancestors(number)
    assert path[0] == number - 1
    assert path == sorted(path, reverse=True)
    place = (number - 1) % len(BASES)
    assert path[base] == number - place + BASES[place]
    assert (path[-1] - 1) % len(BASES) == 0
