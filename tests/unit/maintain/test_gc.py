"""gc: finds what nothing leads to, condemns it, deletes it, and never anything else."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from lookups import Watched
from making import damage, memory_repository, opening_of, whole_run

from mfv.errors import CorruptError, StorageError
from mfv.ids import BlobId, PackId
from mfv.maintain.gc import plan, run
from mfv.maintain.marks import Marks
from mfv.manifest.records import GivenFile, Opening
from mfv.odb.layer import assemble
from mfv.odb.layercache import FOLDER
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo.archive import key_of as entry_key
from mfv.repo.archive import list_entries
from mfv.repo.entries import Condemn
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend

NOW = 0.0  # seconds of grace
HOUR = 3600.0


def payload(number: int) -> bytes:
    """2 kB that no compression shrinks, the same for the same number."""
    return random.Random(number).randbytes(2000)


def orphan(repository: Repository, *numbers: int) -> set[PackId]:
    """Writes payloads as a command would that was stopped before its log entry."""
    writer = Writer(repository.database)
    for number in numbers:
        writer.add_blob(payload(number))
    return {receipt.pack for receipt in writer.flush().receipts}


def packs(repository: Repository) -> set[PackId]:
    return set(list_packs(repository.backend))


@pytest.fixture(params=["memory", "local"])
def backend_repository(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Repository]:
    """A repository with one run."""
    made = (
        memory_repository()
        if request.param == "memory"
        else Repository.create(tmp_path / ".mfv", writer="ana@host")
    )
    whole_run(made, {"value": 1, "data": payload(0)})
    yield made


def test_a_repository_of_runs_alone_has_nothing_to_delete(backend_repository: Repository) -> None:
    before = packs(backend_repository)
    planned = plan(backend_repository, grace=NOW)
    assert (planned.doomed, planned.leftover, planned.spared, planned.runs) == ((), (), 0, 1)
    assert (planned.kept, planned.size) == (len(before), 0)
    entries = list_entries(backend_repository.backend)
    run(backend_repository, planned, grace=NOW)
    assert packs(backend_repository) == before
    assert list_entries(backend_repository.backend) == entries


def test_a_lookup_cache_that_denies_what_is_there_dooms_nothing(
    backend_repository: Repository,
) -> None:
    backend = backend_repository.backend
    liar = assemble([(pack, 0) for pack in packs(backend_repository)], 8, bytes(4 * 257), b"", b"")
    backend.put(f"{FOLDER}0123456789abcdef", [liar.data])
    fresh = Repository(backend, writer="ana@host")
    assert fresh.database.index.find(BlobId.of(payload(0))) == []
    planned = plan(fresh, grace=NOW)
    assert (planned.doomed, planned.kept) == ((), len(packs(fresh)))


def test_what_is_to_be_deleted_is_told_by_the_packs_themselves_and_never_by_the_cache() -> None:
    made = memory_repository()
    whole_run(made, {"data": payload(0)})
    watched = Watched(made.backend)
    plan(memory_repository(watched), grace=NOW)
    assert watched.read[FOLDER] == 0
    assert watched.read["packs/"] > 0


def test_the_files_that_a_run_was_given_are_kept(backend_repository: Repository) -> None:
    lost = orphan(backend_repository, 1)

    def make(writer: Writer) -> Opening:
        given = GivenFile(("table",), "a.csv", bytes(BlobId.of(payload(1))), 2000)
        return msgspec.structs.replace(opening_of()(writer), given=(given,))

    RunRecorder(backend_repository, make).seal("ok", ended=1)
    assert plan(backend_repository, grace=NOW).doomed == ()
    assert lost <= packs(backend_repository)


def test_what_nothing_leads_to_is_condemned_and_then_deleted(
    backend_repository: Repository,
) -> None:
    before = packs(backend_repository)
    lost = orphan(backend_repository, 1, 2)
    planned = plan(backend_repository, grace=NOW)
    assert {PackId(one.pack) for one in planned.doomed} == lost
    assert planned.doomed[0].objects == 2
    assert planned.size == sum(backend_repository.backend.stat(key_of(p)).size for p in lost)
    assert packs(backend_repository) == before | lost
    done = run(backend_repository, planned, grace=NOW)
    assert done == planned
    assert packs(backend_repository) == before
    assert backend_repository.state.condemned == set(map(bytes, lost))


def test_the_grace_spares_what_is_young(backend_repository: Repository) -> None:
    lost = orphan(backend_repository, 1)
    planned = run(backend_repository, plan(backend_repository, grace=HOUR), grace=HOUR)
    assert (planned.doomed, planned.spared) == ((), 1)
    assert lost <= packs(backend_repository)


def test_the_grace_is_over_when_the_pack_is_old_enough(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / ".mfv")
    (lost,) = orphan(made, 1)
    path = tmp_path / ".mfv" / key_of(lost)
    modified = path.stat().st_mtime - HOUR - 1
    os.utime(path, (modified, modified))
    run(made, plan(made, grace=HOUR), grace=HOUR)
    assert packs(made) == set()


def test_a_pack_from_a_clock_that_is_ahead_goes_without_grace(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / ".mfv")
    (lost,) = orphan(made, 1)
    path = tmp_path / ".mfv" / key_of(lost)
    os.utime(path, (path.stat().st_mtime + HOUR, path.stat().st_mtime + HOUR))
    run(made, plan(made, grace=NOW), grace=NOW)
    assert packs(made) == set()


def test_an_interrupted_gc_is_finished_by_the_next() -> None:
    inner = MemoryBackend()
    whole_run(memory_repository(inner), {})
    before = packs(memory_repository(inner))
    lost = orphan(memory_repository(inner), 1)
    writes_of_the_entry = 2  # the entry and the tip
    failing = FailingBackend(inner, writes_of_the_entry, for_good=True)
    stopped = Repository(failing)
    with pytest.raises(StorageError, match="injected"):
        run(stopped, plan(stopped, grace=NOW), grace=NOW)
    assert packs(memory_repository(inner)) == before | lost
    again = memory_repository(inner)
    planned = plan(again, grace=HOUR)
    assert (planned.doomed, planned.leftover) == ((), tuple(map(bytes, lost)))
    run(again, planned, grace=HOUR)
    assert packs(again) == before


@pytest.mark.parametrize("at", range(4))
@pytest.mark.parametrize("happened", [False, True])
def test_a_gc_that_fails_at_any_write_loses_no_run(at: int, happened: bool) -> None:
    inner = MemoryBackend()
    whole_run(memory_repository(inner), {"data": payload(0)})
    orphan(memory_repository(inner), 1)
    orphan(memory_repository(inner), 2)
    hurt = Repository(FailingBackend(inner, at, happened=happened, for_good=True))
    with contextlib.suppress(StorageError):
        run(hurt, plan(hurt, grace=NOW), grace=NOW)
    whole = memory_repository(inner)
    run(whole, plan(whole, grace=NOW), grace=NOW)
    assert plan(whole, grace=NOW).doomed == ()
    assert_readable(whole)


def assert_readable(repository: Repository) -> None:
    for state in repository.state:
        view = RunView(repository, state)
        for file in view.tree.files:
            assert BlobId.of(repository.database.read_blob(BlobId(file.blob))) == file.blob
        for step in view.steps():
            for task in view.tasks(step):
                for artifact in task.artifacts:
                    for frame in artifact.frames:
                        repository.database.read_blob(frame.id)


def test_a_log_that_went_on_since_the_plan_makes_a_new_plan(
    backend_repository: Repository,
) -> None:
    lost = orphan(backend_repository, 7)
    planned = plan(backend_repository, grace=NOW)
    assert {PackId(one.pack) for one in planned.doomed} == lost
    recorder = RunRecorder(backend_repository, opening_of(script=payload(7)))
    recorder.seal("ok", ended=1)
    done = run(backend_repository, planned, grace=NOW)
    assert done.doomed == ()
    assert_readable(Repository(backend_repository.backend, folder=backend_repository.folder))


def other_process(repository: Repository) -> Repository:
    """The same repository, opened anew."""
    if repository.folder is None:
        return memory_repository(repository.backend)
    return Repository.open(repository.folder, writer="ben@host")


def use(repository: Repository, number: int) -> None:
    """A run of another process that builds on the payload of that number, wherever it lies."""
    recorder = RunRecorder(other_process(repository), opening_of(script=payload(number)))
    recorder.seal("ok", ended=1)


@pytest.fixture
def no_second_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it planned anew")

    monkeypatch.setattr("mfv.maintain.gc.plan", refuse)


@pytest.mark.usefixtures("no_second_plan")
def test_what_came_since_the_plan_is_spared_and_the_rest_goes(
    backend_repository: Repository,
) -> None:
    marks = Marks(backend_repository)
    used, unused = orphan(backend_repository, 7), orphan(backend_repository, 8)
    planned = plan(backend_repository, grace=NOW, marks=marks)
    assert {PackId(one.pack) for one in planned.doomed} == used | unused
    use(backend_repository, 7)
    done = run(backend_repository, planned, grace=NOW, marks=marks)
    assert {PackId(one.pack) for one in done.doomed} == unused
    assert packs(backend_repository) & (used | unused) == used
    assert_readable(other_process(backend_repository))


@pytest.mark.usefixtures("no_second_plan")
def test_a_gc_whose_whole_plan_is_needed_by_now_condemns_nothing(
    backend_repository: Repository,
) -> None:
    marks = Marks(backend_repository)
    used = orphan(backend_repository, 7)
    planned = plan(backend_repository, grace=NOW, marks=marks)
    use(backend_repository, 7)
    before = other_process(backend_repository).state.number
    assert run(backend_repository, planned, grace=NOW, marks=marks).doomed == ()
    assert other_process(backend_repository).state.number == before
    assert used <= packs(backend_repository)
    assert_readable(other_process(backend_repository))


def test_a_pack_that_came_between_the_marking_and_the_listing_is_spared_if_it_is_used(
    backend_repository: Repository,
) -> None:
    marks = Marks(backend_repository)
    marks.catch_up()
    # Unknown to the lookup of this process, and yet in the plan.
    late = orphan(other_process(backend_repository), 7)
    planned = plan(other_process(backend_repository), grace=NOW)
    assert {PackId(one.pack) for one in planned.doomed} == late
    use(backend_repository, 7)
    assert run(backend_repository, planned, grace=NOW, marks=marks).doomed == ()
    assert late <= packs(backend_repository)
    assert_readable(other_process(backend_repository))


class Overtaken(Watched):
    """Before each of the first entries that come this way, another process adds one."""

    def __init__(self, inner: Backend) -> None:
        super().__init__(inner)
        self.left = 0

    def before(self, verb: str, key: str) -> None:
        super().before(verb, key)
        if verb == "create" and key.startswith("log/") and self.left:
            self.left -= 1
            opening = opening_of(script=payload(100 + self.left))
            RunRecorder(memory_repository(self.inner), opening)


@pytest.mark.usefixtures("no_second_plan")
def test_a_gc_that_others_are_always_ahead_of_looks_at_what_came_and_never_at_all_packs() -> None:
    backend = Overtaken(MemoryBackend())
    repository = memory_repository(backend)
    whole_run(repository, {"value": 1, "data": payload(0)})
    marks = Marks(repository)
    lost = orphan(repository, 7)
    planned = plan(repository, grace=NOW, marks=marks)
    backend.left = 5
    backend.read.clear()
    done = run(repository, planned, grace=NOW, marks=marks)
    assert backend.left == 0
    assert {PackId(one.pack) for one in done.doomed} == lost
    assert backend.read["packs/"] == 0
    assert_readable(memory_repository(backend.inner))


@pytest.mark.usefixtures("no_second_plan")
def test_what_another_gc_condemned_since_the_plan_is_left_to_that(
    backend_repository: Repository,
) -> None:
    marks = Marks(backend_repository)
    lost = orphan(backend_repository, 7)
    planned = plan(backend_repository, grace=NOW, marks=marks)
    condemned = tuple(map(bytes, lost))
    other_process(backend_repository).log.append(lambda _: Condemn(condemned))
    before = other_process(backend_repository).state.number
    assert run(backend_repository, planned, grace=NOW, marks=marks).doomed == ()
    assert other_process(backend_repository).state.number == before


def hurt_record(backend: Backend) -> None:
    """Damages the opening of the first run."""
    made = memory_repository(backend)
    state = next(iter(made.state))
    assert state.opening is not None
    (location,) = made.database.index.find(state.opening)
    damage(backend, key_of(location.pack), location.record.offset + 3)


def hurt_index(backend: Backend) -> None:
    damage(backend, key_of(next(list_packs(backend))), -70)


def hurt_entry(backend: Backend) -> None:
    damage(backend, entry_key(2), 5)


def lose_pack(backend: Backend) -> None:
    backend.delete(key_of(next(list_packs(backend))))


@pytest.mark.parametrize("hurt", [hurt_record, hurt_index, hurt_entry, lose_pack])
def test_where_anything_cannot_be_read_nothing_is_deleted(hurt: object) -> None:
    backend = MemoryBackend()
    made = memory_repository(backend)
    whole_run(made, {"data": payload(0)})
    assert callable(hurt)
    hurt(backend)
    orphan(memory_repository(backend), 1)
    before = {key: backend.get(key) for key in backend.list("")}
    with pytest.raises(CorruptError):
        plan(memory_repository(backend), grace=NOW)
    assert {key: backend.get(key) for key in backend.list("")} == before


def test_a_damaged_pack_that_was_condemned_is_swept_all_the_same() -> None:
    backend = MemoryBackend()
    made = memory_repository(backend)
    whole_run(made, {})
    (lost,) = orphan(made, 1)
    made.log.append(lambda _: Condemn((bytes(lost),)))
    damage(backend, key_of(lost), -70)
    again = memory_repository(backend)
    run(again, plan(again), grace=HOUR)
    assert lost not in packs(again)


def test_condemned_twice_is_a_conflict_that_ends_in_a_plan_anew() -> None:
    backend = MemoryBackend()
    first, second = memory_repository(backend), memory_repository(backend)
    orphan(first, 1)
    plans = plan(first, grace=NOW), plan(second, grace=NOW)
    assert run(first, plans[0], grace=NOW).doomed
    assert run(second, plans[1], grace=NOW).doomed == ()
    assert packs(first) == set()


class Collecting(RuleBasedStateMachine):
    """Runs, orphans and gcs in any order. A model says which packs are left after each gc."""

    numbers = st.integers(0, 5)

    def __init__(self) -> None:
        super().__init__()
        self.backend = MemoryBackend()
        self.runs: dict[str, int] = {}  # name to payload
        self.of_runs: set[PackId] = set()
        self.holds: dict[PackId, set[int]] = {}  # payloads in the packs of stopped commands
        memory_repository(self.backend)

    def repository(self) -> Repository:
        """As another process sees it: nothing cached."""
        return memory_repository(self.backend)

    def collect(self, grace: float = NOW) -> None:
        repository = self.repository()
        run(repository, plan(repository, grace=grace), grace=grace)

    def survivors(self) -> set[PackId]:
        """What a gc without grace must leave: the packs of runs, and those that runs built on."""
        live = set(self.runs.values())
        return self.of_runs | {pack for pack, held in self.holds.items() if held & live}

    def record(self, number: int, *, collect_inside: bool) -> None:
        before = packs(self.repository())
        calls = 0

        def make(writer: Writer) -> Opening:
            nonlocal calls
            calls += 1
            opening = opening_of(script=payload(number))(writer)
            if collect_inside and calls == 1:
                self.collect()
            return opening

        recorder = RunRecorder(self.repository(), make)
        after = packs(self.repository())
        recorder.seal("ok", ended=1)
        after = packs(self.repository())
        self.runs[recorder.name] = number
        self.holds = {pack: held for pack, held in self.holds.items() if pack in after}
        self.of_runs |= after - before

    @rule(number=numbers)
    def record_a_run(self, number: int) -> None:
        self.record(number, collect_inside=False)

    @rule(number=numbers)
    def record_a_run_while_a_gc_runs(self, number: int) -> None:
        self.record(number, collect_inside=True)

    @rule(chosen=st.sets(numbers, min_size=1, max_size=3))
    def stop_before_the_entry(self, chosen: set[int]) -> None:
        repository = self.repository()
        there = {n for n in chosen if repository.database.index.find(BlobId.of(payload(n)))}
        for pack in orphan(repository, *sorted(chosen)):
            self.holds[pack] = chosen - there

    @rule()
    def collect_with_grace(self) -> None:
        before = packs(self.repository())
        self.collect(HOUR)
        assert packs(self.repository()) == before

    @rule()
    @precondition(lambda self: self.holds or self.runs)
    def collect_now(self) -> None:
        expected = self.survivors()
        self.collect()
        assert packs(self.repository()) == expected
        self.holds = {pack: held for pack, held in self.holds.items() if pack in expected}

    @invariant()
    def every_run_reads_back(self) -> None:
        repository = self.repository()
        assert {state.name for state in repository.state} == set(self.runs)
        for state in repository.state:
            (file,) = RunView(repository, state).tree.files
            data = repository.database.read_blob(BlobId(file.blob))
            assert bytes(data) == payload(self.runs[state.name])


Collecting.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
TestCollecting = Collecting.TestCase
