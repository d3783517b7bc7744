"""Writers, readers, gc, people and fsck on one repository at once, killed and stopped at random.

Two machines share the folder, and no two clocks agree.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from pathlib import Path

from crowd import TROUBLE, Clock, Crowd, Machine, Member
from keeping import NOW, assert_holds, commit, open_run_of, payload
from making import FLOW, MOMENT

from mfv.errors import ConflictError, CorruptError
from mfv.ids import RECORD_TYPES, BlobId
from mfv.maintain import gc, logarchive, repack, sweep
from mfv.maintain.fsck import fsck
from mfv.maintain.marks import Marks
from mfv.maintain.retention import Policy
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo import trash
from mfv.repo.archive import read_log
from mfv.repo.entries import TrashRuns
from mfv.repo.log import decode_entry
from mfv.repo.names import OPEN, RunState
from mfv.repo.recorder import close_crashed
from mfv.repo.repository import Repository, note
from mfv.repo.view import RunView

DAY = 86400.0
HERE = Machine("here", Clock(jumps=3 * DAY))
THERE = Machine("there", Clock(ahead=-400 * DAY))
AHEAD = Machine("here", Clock(ahead=90 * DAY))
CONTENTS = 60  # different ones, so that most of a run was there before, as garbage or not


def write(member: Member) -> None:
    """Some runs by one process, each told once it is sealed."""
    repository = Repository.open(member.folder, writer="ana@host")
    for _ in range(member.random.randrange(1, 6)):
        number = member.random.randrange(1, CONTENTS)
        run = open_run_of(repository, payload(number))
        commit(repository, run, {1: {"data": payload(number), "n": number}})
        commit(repository, run, {2: {"more": payload(-number)}})
        status = member.random.choice(["ok", "ok", "failed"])
        run.seal(status, ended=MOMENT)  # type: ignore[arg-type]
        member.report(run.number, number, status)


def read(member: Member) -> None:
    """Every byte of some runs, by a process that knows nothing."""
    repository = Repository.open(member.folder)
    runs = [run for run in repository.state if run.status in ("ok", "failed") and not run.swept]
    for state in member.random.sample(runs, min(8, len(runs))):
        try:
            assert_reads_back(repository, state)
        except CorruptError:
            if not state_of(Repository.open(member.folder), state.number).swept:
                raise
        member.report(state.name)


def assert_reads_back(repository: Repository, state: RunState) -> int:
    """A run says itself what it holds; returns that."""
    view = RunView(repository, state)
    values = {a.name: a.value for task in view.tasks("start") for a in task.artifacts}
    number = values["n"]
    assert isinstance(number, int)
    assert_holds(repository, view, number)
    return number


def collect(member: Member) -> None:
    """`mfv gc --prune now`, and now and then `--repack`."""
    repository = Repository.open(member.folder, writer="eva@host")
    planned = sweep.plan(repository, Policy(), grace=NOW)
    swept = sweep.run(repository, planned, Policy(), grace=NOW)
    marks = Marks(repository)
    done = gc.run(repository, gc.plan(repository, grace=NOW, marks=marks), grace=NOW, marks=marks)
    rewritten = 0
    if member.random.random() < 0.4:
        todo = repack.plan(repository, grace=NOW, marks=marks)
        rewritten = len(repack.run(repository, todo, grace=NOW, marks=marks).condemned)
        logarchive.run(repository)
    member.report(len(done.doomed), rewritten, len(swept))
    time.sleep(member.random.uniform(0, 0.5))


def name(member: Member) -> None:
    """People: tags on and off, notes, runs into the trash and out of it."""
    repository = Repository.open(member.folder, writer="ida@host")
    runs = [run for run in repository.state if run.status != OPEN]
    if not runs:
        return
    run = member.random.choice(runs)
    match member.random.randrange(5):
        case 0 | 1:
            repository.tag(add=[(run, member.random.choice(["best", "prod"]))])
        case 2:
            note(repository, run, f"seen {member.random.random()}")
        case 3:
            trash.remove(repository, [run], reason="by the test")
        case 4:
            with contextlib.suppress(ConflictError):  # a gc has swept it
                trash.restore(repository, [run])
    member.report("named")


def check(member: Member) -> None:
    """fsck beside all that: nothing that comes and goes is an error."""
    report = fsck(Repository.open(member.folder), data=member.random.random() < 0.5)
    errors = [one.message for one in report.findings if one.severity != "note"]
    assert not errors, errors
    member.report(report.runs, report.packs)


def state_of(repository: Repository, number: int) -> RunState:
    found = repository.state.find(FLOW, number)
    assert found is not None, f"run {number} is lost"
    return found


def test_sixteen_writers_and_all_others_at_once_lose_nothing(tmp_path: Path, long: bool) -> None:
    folder = tmp_path / ".mfv"
    Repository.create(folder)
    crowd = Crowd(folder, tmp_path / "said", seed=7)
    for number in range(16 if long else 4):
        crowd.add(f"writer {number}", write, (HERE, THERE, AHEAD)[number % 3])
    for number in range(4 if long else 2):
        crowd.add(f"reader {number}", read, (HERE, THERE)[number % 2])
    for machine, where in ((HERE, "here"), (THERE, "there")):
        crowd.add(f"gc {where}", collect, machine)
        crowd.add(f"people {where}", name, machine)
    crowd.add("fsck", check, AHEAD)
    seconds = float(os.environ.get("MFV_TEST_SECONDS", 600)) if long else 8
    kill_every, longest_stop = (0.6, 15.0) if long else (0.15, 2.0)
    kinds = ("writer", "reader", "gc", "people", "fsck")
    disturbed = crowd.run(seconds, kill_every=kill_every, longest_stop=longest_stop, kinds=kinds)

    troubles = [line[1:] for line in crowd.reports("") if line[0] == TROUBLE]
    assert not troubles, "\n".join(" ".join(words) for words in troubles[:3])
    assert disturbed.kills > 5 and disturbed.stops > 2
    saved = [(int(number), int(held), status) for number, held, status in crowd.reports("writer")]
    packs, rewritten, swept = map(
        sum, zip(*(map(int, one) for one in crowd.reports("gc")), strict=True)
    )
    assert packs and rewritten and swept, "no gc ever found anything to do"
    reads = Counter(one for (one,) in crowd.reports("reader"))
    assert reads and list(crowd.reports("people")) and list(crowd.reports("fsck"))

    finish(folder)
    assert_all_there(folder, saved)
    ratio = size_of_packs(folder) / size_of_copy(folder, tmp_path / "copy")
    gcs, fscks = len(list(crowd.reports("gc"))), len(list(crowd.reports("fsck")))
    print(
        f"{seconds:.0f} s: {len(saved)} saves, {sum(reads.values())} reads, {fscks} fscks, "
        f"{gcs} gcs, {packs} packs collected, {rewritten} rewritten, {swept} runs swept, "
        f"{disturbed.kills} kills, {disturbed.stops} stops, none lost, "
        f"space {ratio:.4f} of a fresh copy"
    )
    assert ratio < 1.02


def finish(folder: Path) -> None:
    """Whoever died here or there is closed by the next run there; then a last gc."""
    for machine in (HERE, THERE):
        pid = os.fork()
        if not pid:
            machine.become(0)
            close_crashed(Repository.open(folder))
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    repository = Repository.open(folder)
    planned = sweep.plan(repository, Policy(), grace=NOW)
    sweep.run(repository, planned, Policy(), grace=-1000 * DAY)
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)
    logarchive.run(repository)


def assert_all_there(folder: Path, saved: list[tuple[int, int, str]]) -> None:
    """Every run that was told is there, and all that it holds unless people removed it."""
    repository = Repository.open(folder)
    assert fsck(repository, data=True).findings == ()
    numbers = sorted(run.number for run in repository.state)
    assert numbers == list(range(1, len(numbers) + 1)), "numbers are unique and without a gap"
    assert len({number for number, _, _ in saved}) == len(saved), "no number was given twice"
    assert {run.status for run in repository.state} <= {"ok", "failed", "crashed"}
    removed = {
        number
        for place, data in read_log(repository.backend)
        if isinstance(body := decode_entry(place, data)[0].body, TrashRuns)
        for _, number in body.runs
    }
    for number, held, status in saved:
        state = state_of(repository, number)
        assert state.status == status
        if state.swept:
            assert number in removed, f"run {number} is gone, and nobody removed it"
        else:
            assert assert_reads_back(repository, state) == held


def size_of_packs(folder: Path) -> int:
    backend = Repository.open(folder).backend
    return sum(backend.stat(key_of(pack)).size for pack in list_packs(backend))


def size_of_copy(folder: Path, copy: Path) -> int:
    """Bytes of packs where all that is kept is written anew by a writer, each object once.

    To run the runs again would give other records (their times are in them), and to copy packs
    would copy what is wrong with them.
    """
    repository, other = Repository.open(folder), Repository.create(copy)
    marks = Marks(repository)
    marks.catch_up()
    writer, done = Writer(other.database), set[bytes]()
    for _, record in repository.database.index:
        if record.id not in marks.objects or record.id in done:
            continue
        done.add(record.id)
        kind = RECORD_TYPES.get(record.kind)
        if kind is None:
            writer.add_blob(repository.database.read_blob(BlobId(record.id)))
        else:
            writer.add_record(kind(record.id), repository.database.read_record(kind(record.id)))
    writer.flush()
    return size_of_packs(copy)
