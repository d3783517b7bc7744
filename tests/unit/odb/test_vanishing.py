"""Packs that go between being listed and being looked into: what they held is found elsewhere."""

from __future__ import annotations

import pytest
from keeping import assert_holds, maintain, record
from making import memory_repository

from mfv.odb.packindex import FOLDER
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend
from mfv.storage.wrappers import Wrapper


class RepackedAfterEachList(Wrapper):
    """Whenever the packs were listed, all of them become one, some times over."""

    def __init__(self, inner: Backend, times: int) -> None:
        super().__init__(inner)
        self.left = times

    def list(self, prefix):  # type: ignore[no-untyped-def]
        found = list(self.inner.list(prefix))
        if prefix == FOLDER and self.left:
            self.left -= 1
            record(memory_repository(self.inner), 50 + self.left)
            maintain(self.inner)
        return iter(found)


@pytest.mark.parametrize("times", [1, 2, 3, 4, 9])
def test_a_reader_finds_all_however_often_it_is_repacked_before_its_eyes(times: int) -> None:
    repository = memory_repository()
    name = record(repository, 1)
    backend = RepackedAfterEachList(repository.backend, times)
    reader = Repository(backend)
    (state,) = (run for run in reader.state if run.name == name)
    assert_holds(reader, RunView(reader, state), 1)
    assert backend.left == 0
