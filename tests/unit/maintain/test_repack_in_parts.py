"""A repack with a deadline: each part is whole, and the next one goes on where it stopped."""

from __future__ import annotations

import math
import time

import pytest
from keeping import NOW, assert_well, assert_whole, count_packs, filled

from mfv.maintain import repack
from mfv.maintain.repack import plan, run, run_until
from mfv.repo.repository import Repository
from mfv.storage.base import Backend


def opened(backend: Backend) -> Repository:
    return Repository(backend, writer="eva@host")


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repack, "FULL", 8_000)


@pytest.mark.usefixtures("small_parts")
def test_all_parts_together_do_what_one_repack_does() -> None:
    backend, runs = filled(12)
    repository = opened(backend)
    planned = plan(repository, grace=NOW)
    done = run_until(repository, planned, math.inf, grace=NOW)
    assert done.planned.sources == planned.sources
    assert {one.pack for one in planned.sources} == set(done.condemned)
    assert len(done.written) > 1
    assert count_packs(backend) == planned.staying + len(done.written)
    assert_whole(backend, runs)
    assert_well(backend)


@pytest.mark.usefixtures("small_parts")
def test_after_the_deadline_no_part_is_begun_and_the_next_one_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend, runs = filled(12)
    before = count_packs(backend)
    clock = iter(range(1000))
    monkeypatch.setattr(repack.time, "monotonic", lambda: float(next(clock)))
    repository = opened(backend)
    planned = plan(repository, grace=NOW)
    done = run_until(repository, planned, 2.0, grace=NOW)
    assert 0 < len(done.planned.sources) < len(planned.sources)
    assert count_packs(backend) == before - len(done.condemned) + len(done.written)
    assert_whole(backend, runs)
    assert_well(backend)
    monkeypatch.undo()
    again = opened(backend)
    run(again, plan(again, grace=NOW), grace=NOW)
    assert count_packs(backend) == 1
    assert_whole(backend, runs)


def test_a_deadline_that_is_over_changes_nothing() -> None:
    backend, _ = filled(3)
    before = sorted(backend.list("packs/"))
    repository = opened(backend)
    planned = plan(repository, grace=NOW)
    done = run_until(repository, planned, time.monotonic() - 1, grace=NOW)
    assert (done.planned.sources, done.condemned, done.written) == ((), (), ())
    assert done.planned.staying == planned.staying + len(planned.sources)
    assert sorted(backend.list("packs/")) == before
