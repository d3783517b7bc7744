"""fsck beside those who write, sweep, repack and collect, at every call that it makes."""

from __future__ import annotations

import pytest
from keeping import NOW, filled, maintain, record
from making import FLOW, memory_repository

from mfv.maintain import gc, sweep
from mfv.maintain.fsck import fsck
from mfv.maintain.retention import Policy
from mfv.repo import archive, trash
from mfv.repo.repository import Repository
from mfv.storage.base import Backend
from mfv.storage.wrappers import Wrapper


@pytest.fixture(autouse=True)
def small_archives(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a handful of entries fills archives."""
    monkeypatch.setattr(archive, "SIZES", (2, 4, 8, 16))


def write(backend: Backend) -> None:
    record(memory_repository(backend), 9)


def rewrite(backend: Backend) -> None:
    """A run, so that there is something to do, and `mfv gc --repack`."""
    write(backend)
    maintain(backend)


def sweep_all(backend: Backend) -> None:
    """Every run but those of now into the trash, out of it for good, and their bytes away."""
    repository = Repository(backend)
    trash.remove(repository, list(repository.state), reason="by the test")
    sweep.run(repository, sweep.plan(repository, Policy(), grace=NOW), Policy(), grace=NOW)
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)
    write(backend)


def drop(backend: Backend) -> None:
    """What runs hold goes, from the oldest on, and with it the packs that held it."""
    repository = Repository(backend)
    for number in (1, 2, 3):
        run = repository.state.find(FLOW, number)
        if run is not None and not run.in_trash:
            trash.remove(repository, [run], reason="by the test")
            break
    sweep.run(repository, sweep.plan(repository, Policy(), grace=NOW), Policy(), grace=NOW)
    maintain(backend)


class Beside(Wrapper):
    """Before the n-th call somebody else is there; `again`: and before every one after it."""

    def __init__(self, inner: Backend, act, at: int, *, again: bool) -> None:  # type: ignore[no-untyped-def]
        super().__init__(inner)
        self.act, self.at, self.again = act, at, again
        self.calls = 0
        self.acts = 0

    def before(self, verb: str, key: str) -> None:
        self.calls += 1
        # To read on in a log that grows with every look would never end.
        if self.calls == self.at or (self.again and self.calls > self.at and self.acts < 12):
            self.acts += 1
            self.act(self.inner)


@pytest.mark.parametrize("data", [False, True], ids=["quick", "data"])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
@pytest.mark.parametrize("act", [write, rewrite, sweep_all, drop])
def test_whatever_comes_and_goes_meanwhile_is_no_error(act, again: bool, data: bool) -> None:  # type: ignore[no-untyped-def]
    at = 0
    while True:
        start, _ = filled(3)
        beside = Beside(start, act, at, again=again)
        report = fsck(Repository(beside), data=data)
        assert [one for one in report.findings if one.severity != "note"] == [], f"at call {at}"
        if beside.calls < at:
            break
        at += 17 if again else 5
    assert at > 60, "it made hardly any call"
