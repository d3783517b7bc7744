"""Recording runs: the order of writing, racing writers, and crashes at every write."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from making import (
    FLOW,
    MOMENT,
    SCRIPT,
    finished,
    memory_repository,
    open_run,
    opening_of,
    whole_run,
)
from racing import race

from mfv.errors import ConflictError, CorruptError, StorageError
from mfv.ids import BlobId, PackId, RunId
from mfv.manifest.records import Failure
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo.archive import list_entries
from mfv.repo.artifacts import load, store
from mfv.repo.entries import Condemn, TagRuns
from mfv.repo.log import CondemnedError
from mfv.repo.names import RunState
from mfv.repo.publish import publish
from mfv.repo.recorder import RunRecorder, close_crashed
from mfv.repo.repository import CRASHED, Repository
from mfv.storage.base import Backend
from mfv.storage.held import hold, is_abandoned
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend

VALUES = {"accuracy": 0.75, "name": "x", "weights": list(range(5000)), "blob": os.urandom(300_000)}


def find(repository: Repository, number: int, flow: str = FLOW) -> RunState:
    run = repository.state.find(flow, number)
    assert run is not None
    return run


def values_of(repository: Repository, run: RunState) -> dict[str, object]:
    """Every artifact of every task of `run`, loaded."""
    found: dict[str, object] = {}
    for ref in repository.tasks(run):
        for artifact in repository.task(ref).artifacts:
            found[artifact.name] = load(repository.database, artifact)
    return found


def check_whole(repository: Repository) -> list[str]:
    """Reads all that the names lead to; returns the runs with their status."""
    told = []
    for run in repository.state:
        opening = repository.opening(run)
        (file,) = repository.tree(opening).files
        script = bytes(repository.database.read_blob(BlobId(file.blob)))
        assert script == SCRIPT or script.startswith(b"# run after ")
        assert repository.environment(opening).cpu_count == 2
        values = values_of(repository, run)
        assert values in ({}, VALUES)
        if run.status == "ok":
            assert values == VALUES
        told.append(f"{run.name} {run.status}")
    assert repository.log.damaged == {}
    return told


def test_a_recorded_run_is_read_back_from_the_backend_alone() -> None:
    repository = memory_repository()
    whole_run(repository, VALUES)
    again = Repository(repository.backend)
    run = find(again, 1)
    assert (run.name, run.status, run.host) == ("TrainFlow/1", "ok", socket.gethostname())
    manifest = again.manifest(run)
    assert manifest is not None
    assert (manifest.flow, manifest.number, manifest.status) == (FLOW, 1, "ok")
    assert manifest.origin == again.format.repository
    assert manifest.ended == MOMENT + 10
    assert values_of(again, run) == VALUES
    assert again.opening(run).argv == ("flow.py", "run")
    assert check_whole(again) == ["TrainFlow/1 ok"]


def test_the_true_name_of_a_run_is_the_id_of_its_manifest() -> None:
    repository = memory_repository()
    run = open_run(repository)
    run_id = run.seal("failed", ended=MOMENT, failed_step="start", failure=Failure("E", "m", "t"))
    state = find(repository, 1)
    assert state.run_id == run_id
    assert RunId.of(repository.database.read_record(run_id)) == run_id
    manifest = repository.manifest(state)
    assert manifest is not None
    assert manifest.failure == Failure("E", "m", "t")


def test_an_open_run_shows_its_tasks_as_they_are_committed() -> None:
    repository, reader = memory_repository(), None
    run = open_run(repository)
    reader = Repository(repository.backend)
    assert reader.tasks(find(reader, 1)) == ()
    one = run.commit([finished(repository.database, run, 1, {"x": 1})])
    two = run.commit([finished(repository.database, run, n, {"x": n}, step="fit") for n in (2, 3)])
    assert [ref.id for ref in (*one, *two)] == [1, 2, 3]
    assert reader.tasks(find(reader, 1)) == (*one, *two)
    assert reader.manifest(find(reader, 1)) is None
    run.seal("ok", ended=MOMENT)
    assert reader.tasks(find(reader, 1)) == (*one, *two)
    assert find(reader, 1).tasks == []


def test_an_attempt_is_one_entry_and_many_attempts_are_one_entry_too() -> None:
    repository = memory_repository()
    run = open_run(repository)
    before = len(list_entries(repository.backend))
    run.commit([finished(repository.database, run, n, {"x": "y" * 5000}) for n in range(20)])
    assert len(list_entries(repository.backend)) == before + 1
    assert len(list(list_packs(repository.backend))) == 2


def test_short_logs_stand_in_the_record_and_long_ones_are_blobs() -> None:
    repository = memory_repository()
    run = open_run(repository)
    line = b"%016d hello\n" % MOMENT
    short, long = line * 3, line * 5000
    refs = run.commit(
        [finished(repository.database, run, len(out), {}, stdout=out) for out in (short, long)]
    )
    one, two = (repository.task(ref).stdout for ref in refs)
    assert (one.size, one.lines, one.text, one.blob) == (len(short), 3, short, None)
    assert (two.size, two.lines, two.text, two.blob) == (len(long), 5000, None, BlobId.of(long))
    assert repository.database.read_blob(BlobId(two.blob or b"")) == long


def test_the_same_values_again_add_only_records() -> None:
    repository = memory_repository()
    whole_run(repository, VALUES)

    def size() -> int:
        return sum(repository.backend.stat(key_of(p)).size for p in list_packs(repository.backend))

    before = size()
    whole_run(repository, VALUES)
    assert size() - before < 5000


def test_the_last_tasks_and_the_seal_are_one_entry_and_one_pack() -> None:
    repository = memory_repository()
    run = open_run(repository)
    run.commit([finished(repository.database, run, 1, {"x": "y" * 5000})])
    entries, packs = list_entries(repository.backend), list(list_packs(repository.backend))
    last = finished(repository.database, run, 2, {"z": "y" * 6000}, step="end")
    run.seal("ok", ended=MOMENT, finished=[last])
    assert len(list_entries(repository.backend)) == len(entries) + 1
    assert len(list(list_packs(repository.backend))) == len(packs) + 1
    assert sorted(run.refs) == [1, 2]
    again = Repository(repository.backend)
    sealed = find(again, 1)
    assert [ref.id for ref in again.tasks(sealed)] == [1, 2]
    assert again.task(again.tasks(sealed)[1]).step == "end"


def test_a_run_is_sealed_once() -> None:
    repository = memory_repository()
    run = open_run(repository)
    run.seal("ok", ended=MOMENT)
    with pytest.raises(ConflictError, match="sealed already"):
        run.seal("failed", ended=MOMENT)
    assert find(repository, 1).status == "ok"


def test_numbers_are_counted_for_each_flow() -> None:
    repository = memory_repository()
    names = [open_run(repository, flow).name for flow in ("A", "B", "A", "A", "B")]
    assert names == ["A/1", "B/1", "A/2", "A/3", "B/2"]


def test_sixteen_processes_that_open_runs_at_once_get_one_to_sixteen(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    Repository.create(folder)

    def act(_: int) -> int:
        repository = Repository.open(folder)
        run = open_run(repository)
        run.commit([finished(repository.database, run, 1, {"x": run.number})])
        run.seal("ok", ended=MOMENT)
        return run.number

    assert sorted(race(16, act)) == list(range(1, 17))
    repository = Repository.open(folder)
    for run in repository.state:
        assert run.status == "ok"
        assert values_of(repository, run) == {"x": run.number}


def test_a_run_in_a_local_repository_holds_its_lease_until_it_is_sealed(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    run = open_run(repository)
    lease = repository.lease_path(find(repository, 1).lease)
    assert not is_abandoned(lease)
    assert repository.status(find(repository, 1)) == "open"
    run.seal("ok", ended=MOMENT)
    assert not Path(lease).exists()
    assert repository.status(find(repository, 1)) == "ok"


def test_a_run_that_could_not_be_opened_gives_its_lease_back(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")

    def fail(_: Writer) -> Any:
        raise StorageError("no code here")

    before = len(os.listdir("/dev/fd"))
    with pytest.raises(StorageError):
        RunRecorder(repository, fail)
    assert len(os.listdir("/dev/fd")) <= before
    assert os.listdir(tmp_path / ".mfv" / "tmp") == []


def test_a_run_whose_process_was_killed_has_crashed_and_keeps_its_tasks(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    Repository.create(folder)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        repository = Repository.open(folder)
        run = open_run(repository)
        run.commit([finished(repository.database, run, 1, VALUES)])
        theirs.send(b".")
        signal.pause()
        os._exit(0)
    ours.recv(1)
    repository = Repository.open(folder)
    assert repository.status(find(repository, 1)) == "open"
    assert close_crashed(repository) == []
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert repository.status(find(repository, 1)) == CRASHED
    assert find(repository, 1).status == "open"  # looking seals nothing
    assert open_run(repository).number == 2  # the next run closes it
    assert find(repository, 1).status == CRASHED
    manifest = repository.manifest(find(repository, 1))
    assert manifest is not None
    assert (manifest.status, manifest.ended) == (CRASHED, max(manifest.started, MOMENT + 2))
    assert values_of(repository, find(repository, 1)) == VALUES


def test_a_crashed_run_is_closed_once_by_many_that_notice(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    open_run(Repository.create(folder)).close()
    closed = race(6, lambda _: close_crashed(Repository.open(folder)))
    assert sorted(name for names in closed for name in names) == ["TrainFlow/1"]


def test_a_run_of_another_machine_is_not_judged_from_here(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    open_run(repository).close()
    run = find(repository, 1)
    assert repository.status(run) == CRASHED
    run.host = "another.example"
    assert repository.status(run) == "open"


@pytest.mark.parametrize("lease", ["../../evil", "", "a/b", "a.b", ".."])
def test_a_lease_that_is_no_plain_name_is_refused(tmp_path: Path, lease: str) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    with pytest.raises(CorruptError):
        repository.lease_path(lease)


def condemn(backend: Backend, packs: set[PackId], *, sweep: bool) -> None:
    """What a gc does: says in the log which packs go, then deletes them."""
    names = tuple(map(bytes, packs))
    Repository(backend).log.append(lambda _: Condemn(names))
    for pack in packs if sweep else ():
        backend.delete(key_of(pack))


@pytest.mark.parametrize("sweep", [False, True])
def test_a_pack_condemned_between_writing_and_committing_is_stored_anew(sweep: bool) -> None:
    repository = memory_repository()
    whole_run(repository, VALUES)
    old = set(list_packs(repository.backend))
    filled: list[int] = []

    def fill(writer: Writer) -> Any:
        filled.append(1)
        store(writer, "weights", VALUES["weights"])
        store(writer, "blob", VALUES["blob"])
        if len(filled) == 1:
            condemn(repository.backend, old, sweep=sweep)
        return lambda state, packs: TagRuns((), ((FLOW, 1, f"fills-{len(filled)}"),))

    publish(repository.database, repository.log, fill)
    assert len(filled) == 2
    for pack in old:
        repository.backend.delete(key_of(pack))
    fresh = Repository(repository.backend)
    assert find(fresh, 1).tags == ["fills-2"]
    assert bytes(fresh.database.read_blob(BlobId.of(VALUES["blob"]))) == VALUES["blob"]  # type: ignore[arg-type]


def test_a_pack_of_the_commit_itself_that_is_condemned_is_stored_anew() -> None:
    repository = memory_repository()
    run = open_run(repository)
    known = set(list_packs(repository.backend))
    made: list[set[PackId]] = []
    real = repository.backend

    class GcAfterFirstPack(FailingBackend):
        def after(self, verb: str, key: str) -> None:
            super().after(verb, key)
            if verb == "put" and key.startswith("packs/") and not made:
                made.append(set(list_packs(real)) - known)
                condemn(real, made[0], sweep=True)

    racing = Repository(GcAfterFirstPack(real, -1))
    run._repository = racing
    run.commit([finished(racing.database, run, 1, {"weights": VALUES["weights"]})])
    assert made[0] - set(list_packs(real)) == made[0]
    fresh = Repository(real)
    assert values_of(fresh, find(fresh, 1)) == {"weights": VALUES["weights"]}


def test_a_condemned_pack_of_another_process_is_left_to_that_process() -> None:
    repository = memory_repository()
    run = open_run(repository)
    attempt = finished(repository.database, run, 1, VALUES)
    assert attempt.receipts
    condemn(repository.backend, {attempt.receipts[0].pack}, sweep=True)
    entries = list_entries(repository.backend)
    with pytest.raises(CondemnedError):
        run.commit([attempt])
    assert list_entries(repository.backend) == entries
    run.commit([finished(Repository(repository.backend).database, run, 1, VALUES)])
    run.seal("ok", ended=MOMENT)
    assert check_whole(Repository(repository.backend)) == ["TrainFlow/1 ok"]


class GoneError(Exception):
    """The process is gone at this write."""


def record(backend: Backend) -> None:
    repository = memory_repository(backend)
    script = b"# run after %d others" % len(list(repository.state))  # so that all is new in each
    run = RunRecorder(repository, opening_of(script=script))
    run.commit([finished(repository.database, run, 1, VALUES)])
    run.commit([finished(repository.database, run, 2, {}, step="end")])
    run.seal("ok", ended=MOMENT)
    repository.tag(add=[(find(repository, run.number), "best")])


def writes_of_a_run() -> int:
    counting = FailingBackend(MemoryBackend(), -1)
    record(counting)
    return counting.calls


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("error", [GoneError, lambda: StorageError("no space left")])
def test_a_crash_at_any_write_leaves_a_repository_that_opens_and_runs_whole_or_absent(
    happened: bool, error: Any
) -> None:
    total = writes_of_a_run()
    assert total > 10
    seen = set()
    for at in range(total):
        disk = MemoryBackend()
        record(disk)
        try:
            record(FailingBackend(disk, at, error, happened=happened, for_good=True))
            crashed = False  # the write was of a hint, which may fail
        except (GoneError, StorageError):
            crashed = True
        after = check_whole(Repository(disk))
        assert after[-1] == "TrainFlow/1 ok"
        assert len(after) <= 2
        if not crashed:
            assert after == ["TrainFlow/2 ok", "TrainFlow/1 ok"]
        seen.add(tuple(after))
        record(disk)
        number = len(after) + 1
        assert check_whole(Repository(disk))[0] == f"TrainFlow/{number} ok"
        assert find(Repository(disk), number).tags == ["best"]
    assert seen == {
        ("TrainFlow/1 ok",),
        ("TrainFlow/2 open", "TrainFlow/1 ok"),
        ("TrainFlow/2 ok", "TrainFlow/1 ok"),
    }


@pytest.mark.parametrize("happened", [False, True])
def test_a_crash_at_any_write_of_the_very_first_run_leaves_a_repository_or_none(
    happened: bool,
) -> None:
    for at in range(writes_of_a_run()):
        disk = MemoryBackend()
        crashing = FailingBackend(disk, at, GoneError, happened=happened, for_good=True)
        with contextlib.suppress(GoneError):
            record(crashing)
        record(disk)
        told = check_whole(Repository(disk))
        assert told[0] in ("TrainFlow/1 ok", "TrainFlow/2 ok")


def test_a_commit_that_failed_after_it_was_made_is_part_of_the_run_that_is_sealed() -> None:
    disk = memory_repository().backend
    failing = FailingBackend(disk, -1, happened=True, verbs=("create",))
    repository = memory_repository(failing)
    run = open_run(repository)
    failing.at = failing.calls
    with pytest.raises(StorageError):
        run.commit([finished(repository.database, run, 1, VALUES)])
    run.seal("ok", ended=MOMENT)
    fresh = Repository(disk)
    assert [ref.id for ref in fresh.tasks(find(fresh, 1))] == [1]


def test_opening_needs_no_flow_and_may_be_described_again() -> None:
    repository = memory_repository()
    run = RunRecorder(repository, opening_of("ByHand", SCRIPT))
    assert run.opening.flow == "ByHand"
    assert repository.opening(find(repository, 1, "ByHand")) == run.opening


def test_a_lease_of_the_living_survives_the_runs_of_others(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    fd = hold(tmp_path / ".mfv" / "tmp" / "other")
    open_run(repository).seal("ok", ended=MOMENT)
    assert (tmp_path / ".mfv" / "tmp" / "other").exists()
    os.close(fd)
    open_run(repository).seal("ok", ended=MOMENT)
    assert not (tmp_path / ".mfv" / "tmp" / "other").exists()
