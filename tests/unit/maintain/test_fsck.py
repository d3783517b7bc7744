"""fsck: every kind of damage has its finding, which names the runs; and it never writes."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from making import damage, finished, memory_repository, open_run, opening_of, whole_run
from racing import Holder

from mfv.errors import MfvError, StorageError
from mfv.ids import BlobId, PackId
from mfv.maintain.fsck import Finding, Report, fsck
from mfv.odb.layer import assemble
from mfv.odb.layercache import FOLDER
from mfv.odb.packindex import Location, key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo.archive import key_of as entry_key
from mfv.repo.artifacts import load
from mfv.repo.entries import TagRuns
from mfv.repo.log import CHECKPOINT_EVERY, Tip, checkpoint_key, write_tip
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import ReadOnlyBackend, Wrapper

DATA = random.Random(1).randbytes(40_000)


def two_runs() -> MemoryBackend:
    """TrainFlow/1 with a large value, OtherFlow/1 with a small one."""
    backend = MemoryBackend()
    made = memory_repository(backend)
    whole_run(made, {"data": DATA, "value": 1})
    whole_run(made, {"value": 2}, flow="OtherFlow")
    return backend


def check(backend: Backend, *, data: bool = False) -> Report:
    return fsck(Repository(ReadOnlyBackend(backend)), data=data)


def only(report: Report) -> Finding:
    (finding,) = report.findings
    return finding


def location_of(backend: Backend, object_id: bytes) -> Location:
    (location,) = memory_repository(backend).database.index.find(object_id)
    return location


def hurt(backend: Backend, object_id: bytes) -> None:
    location = location_of(backend, object_id)
    damage(backend, key_of(location.pack), location.record.offset + location.record.stored // 2)


def run_of(backend: Backend, flow: str = "TrainFlow") -> RunView:
    made = memory_repository(backend)
    state = made.state.find(flow, 1)
    assert state is not None
    return RunView(made, state)


def records(backend: Backend) -> dict[str, bytes]:
    """The records of TrainFlow/1 by kind; the environment and the tree it shares."""
    view = run_of(backend)
    assert view.state.opening is not None
    assert view.state.manifest is not None
    return {
        "opening": view.state.opening,
        "run": view.state.manifest,
        "tree": view.opening.tree,
        "environment": view.opening.environment,
        "task": view.refs[0].manifest,
    }


@pytest.mark.parametrize("data", [False, True])
def test_a_whole_repository_has_no_findings(data: bool) -> None:
    backend = two_runs()
    report = check(backend, data=data)
    assert (report.findings, report.errors, report.runs) == ((), 0, 2)
    assert report.packs == len(list(list_packs(backend)))
    assert report.objects > 0
    assert (report.bytes_read > 0) == data


@pytest.mark.parametrize(
    ("kind", "runs"),
    [
        ("opening", {"TrainFlow/1"}),
        ("run", {"TrainFlow/1"}),
        ("task", {"TrainFlow/1"}),
        ("tree", {"TrainFlow/1", "OtherFlow/1"}),
        ("environment", {"TrainFlow/1", "OtherFlow/1"}),
    ],
)
def test_a_damaged_record_is_found_without_reading_data(kind: str, runs: set[str]) -> None:
    backend = two_runs()
    hurt(backend, records(backend)[kind])
    report = check(backend)
    assert {run for finding in report.findings for run in finding.runs} == runs
    assert {(finding.severity, finding.kind) for finding in report.findings} <= {
        ("error", "run"),
        ("note", "garbage"),  # what only the damaged record leads to
    }


def test_neither_a_lying_lookup_cache_nor_none_changes_what_is_reported() -> None:
    backend = two_runs()
    liar = assemble([(pack, 0) for pack in list_packs(backend)], 8, bytes(4 * 257), b"", b"")
    before = fsck(Repository(backend))
    backend.put(f"{FOLDER}0123456789abcdef", [liar.data])
    keys = list(backend.list(""))
    assert fsck(Repository(backend)) == before
    assert before.findings == ()
    assert list(backend.list("")) == keys


def test_damaged_data_is_found_where_the_data_is_read() -> None:
    backend = two_runs()
    task = run_of(backend).tasks("start")[0]
    frame = next(frame for artifact in task.artifacts for frame in artifact.frames)
    large = max((f for a in task.artifacts for f in a.frames), key=lambda f: f.size)
    assert large.size >= len(DATA) >= frame.size or large.size >= len(DATA)
    chunk = memory_repository(backend).database.chunk_ids(large.id)[0]
    hurt(backend, chunk)
    assert check(backend).findings == ()
    report = check(backend, data=True)
    assert {(f.severity, f.kind, f.runs) for f in report.findings} == {
        ("error", "object", ("TrainFlow/1",))
    }


def test_a_missing_pack_is_named_with_the_runs_that_need_it() -> None:
    backend = two_runs()
    pack = run_of(backend, "OtherFlow").state.pack
    assert pack is not None
    backend.delete(key_of(PackId(pack)))
    report = check(backend)
    assert {(f.severity, f.kind) for f in report.findings} >= {("error", "pack"), ("error", "run")}
    assert any(pack.hex() in f.message for f in report.findings)
    assert {run for f in report.findings for run in f.runs} == {"OtherFlow/1"}


@pytest.mark.parametrize("at", [0, 20, -1, -40, -70])
def test_a_pack_with_a_damaged_frame_or_index_is_named(at: int) -> None:
    backend = two_runs()
    pack = run_of(backend).state.opening_pack
    assert pack is not None
    damage(backend, key_of(PackId(pack)), at)
    report = check(backend)
    assert any(f.kind == "pack" and pack.hex() in f.message for f in report.findings)
    assert {run for f in report.findings for run in f.runs} == {"TrainFlow/1", "OtherFlow/1"}


def test_a_damaged_entry_is_named_by_its_number() -> None:
    backend = two_runs()
    damage(backend, entry_key(2), 9)
    report = check(backend)
    assert "log entry 2 is damaged" in [f.message for f in report.findings]
    assert report.errors


def test_missing_entries_are_named_by_their_numbers() -> None:
    backend = two_runs()
    for number in (2, 3):
        backend.delete(entry_key(number))
    assert "log entries 2 to 3 are missing" in [f.message for f in check(backend).findings]


def test_a_log_whose_tail_is_gone_is_told() -> None:
    backend = two_runs()
    backend.delete(entry_key(6))
    report = check(backend)
    assert "the log ends at entry 5, but 6 was seen before" in [
        finding.message for finding in report.findings if finding.severity == "error"
    ]


def test_an_entry_that_does_not_follow_is_told() -> None:
    backend, other = two_runs(), two_runs()
    backend.put(entry_key(4), [other.get(entry_key(4))])
    messages = [finding.message for finding in check(backend).findings]
    assert "log entry 4 does not follow the one before" in messages


def test_a_damaged_checkpoint_is_a_warning_for_the_log_says_the_same() -> None:
    backend = MemoryBackend()
    made = memory_repository(backend)
    whole_run(made, {})
    for number in range(CHECKPOINT_EVERY):
        made.log.append(lambda _, n=number: TagRuns((), (("TrainFlow", 1, f"t{n}"),)))  # type: ignore[misc]
    assert check(backend).findings == ()
    damage(backend, checkpoint_key(CHECKPOINT_EVERY), 30)
    finding = only(check(backend))
    assert (finding.severity, finding.kind) == ("warning", "checkpoint")


def test_a_tip_that_was_set_back_to_a_checkpoint_that_is_gone_is_no_trouble() -> None:
    backend = MemoryBackend()
    repository = memory_repository(backend)
    whole_run(repository, {"x": 1})
    repository.log.write_checkpoint()
    write_tip(backend, Tip(1, 1))
    (finding,) = check(backend).findings
    assert (finding.severity, finding.kind) == ("note", "checkpoint")


def test_a_checkpoint_of_another_log_is_an_error() -> None:
    backend = two_runs()
    foreign = MemoryBackend()
    made = memory_repository(foreign)
    for number in range(CHECKPOINT_EVERY):
        made.log.append(lambda _, n=number: TagRuns((), (("Flow", 1, f"t{n}"),)))  # type: ignore[misc]
    mine = memory_repository(backend)
    for number in range(CHECKPOINT_EVERY):
        mine.log.append(lambda _, n=number: TagRuns((), (("TrainFlow", 1, f"t{n}"),)))  # type: ignore[misc]
    backend.put(checkpoint_key(CHECKPOINT_EVERY), [foreign.get(checkpoint_key(CHECKPOINT_EVERY))])
    write_tip(backend, Tip(6 + CHECKPOINT_EVERY, CHECKPOINT_EVERY))
    assert ("error", "checkpoint") in {(f.severity, f.kind) for f in check(backend).findings}


def test_what_no_run_leads_to_is_a_note() -> None:
    backend = two_runs()
    writer = Writer(memory_repository(backend).database)
    blob = writer.add_blob(b"left behind" * 100)
    writer.flush()
    finding = only(check(backend))
    assert (finding.severity, finding.kind, finding.runs) == ("note", "garbage", ())
    hurt(backend, blob)
    assert {f.severity for f in check(backend, data=True).findings} == {"note"}


def test_what_only_a_damaged_record_leads_to_is_not_said_to_be_for_gc() -> None:
    backend = two_runs()
    hurt(backend, records(backend)["run"])
    findings = check(backend, data=True).findings
    assert {finding.severity for finding in findings} == {"error", "note"}
    assert not any("mfv gc" in finding.message for finding in findings)


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_damaged_object_is_named_with_its_pack(at: int) -> None:
    backend = memory_repository().backend
    value = b"".join(b"line %d\n" % number for number in range(1000))
    whole_run(memory_repository(backend), {"data": value})
    blob = BlobId.of(value)
    pack, record = location_of(backend, blob)
    assert record.stored < record.size  # it is compressed, and may not even unpack
    damage(backend, key_of(pack), record.offset + at)
    messages = [finding.message for finding in check(backend, data=True).findings]
    assert any(f"{blob.hex()[:12]} in pack {pack} is damaged" in message for message in messages)


def test_damage_of_one_copy_where_another_is_whole_is_a_warning() -> None:
    backend = two_runs()
    script = opening_of()
    blob = run_of(backend).tree.files[0].blob
    alone = MemoryBackend()
    recorder = RunRecorder(memory_repository(alone), script)
    recorder.seal("ok", ended=1)
    for pack in list_packs(alone):
        backend.put(key_of(pack), [alone.get(key_of(pack))])
    copies = memory_repository(backend).database.index.find(blob)
    assert len(copies) == 2
    damage(backend, key_of(copies[0].pack), copies[0].record.offset)
    report = check(backend, data=True)
    assert report.errors == 0
    assert [f.kind for f in report.findings if f.severity == "warning"] == ["object"]
    assert "another copy of it is whole" in report.findings[0].message


def test_a_run_whose_process_is_gone_is_a_note(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    holder = Holder(lambda: open_run(Repository.create(folder)))
    assert fsck(Repository.open(folder)).findings == ()
    holder.kill()
    finding = only(fsck(Repository.open(folder)))
    assert (finding.severity, finding.kind, finding.runs) == ("note", "crashed", ("TrainFlow/1",))


def test_a_pack_that_cannot_be_read_is_a_finding_and_the_rest_is_checked() -> None:
    backend = two_runs()
    pack = run_of(backend).state.pack
    assert pack is not None

    class Broken(Wrapper):
        def before(self, verb: str, key: str) -> None:
            if verb == "get" and key == key_of(PackId(pack)):
                raise StorageError(f"cannot read {key}: Input/output error")

    report = fsck(Repository(Broken(backend)), data=True)
    assert {run for f in report.findings for run in f.runs} == {"TrainFlow/1"}
    assert any("Input/output error" in f.message for f in report.findings)


@pytest.mark.parametrize(
    "harm",
    [
        lambda backend: None,
        lambda backend: damage(backend, entry_key(2), 9),
        lambda backend: backend.delete(entry_key(6)),
        lambda backend: backend.delete(key_of(next(list_packs(backend)))),
    ],
)
def test_fsck_never_writes(tmp_path: Path, harm: Callable[[Backend], None]) -> None:
    folder = tmp_path / ".mfv"
    made = Repository.create(folder)
    whole_run(made, {"data": DATA})
    whole_run(made, {"data": DATA[:30_000]})
    harm(made.backend)
    before = snapshot(folder)
    for data in (False, True):
        fsck(Repository.open(folder), data=data)
    assert snapshot(folder) == before


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file and folder with its content and time of change."""
    return {
        os.fspath(path.relative_to(folder)): (
            path.read_bytes() if path.is_file() else b"",
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    }


def everything(folder: Path) -> dict[str, object]:
    """All that can be read of every run; what is damaged is left out."""
    found: dict[str, object] = {}
    try:
        made = Repository.open(folder)
        runs = list(made.state)
    except MfvError:
        return found

    def note(name: str, read: Callable[[], object]) -> None:
        try:
            found[name] = read()
        except MfvError:
            return

    for state in runs:
        view = RunView(made, state)
        note(f"{view.name} tags", lambda view=view: view.tags)  # type: ignore[misc]
        note(f"{view.name} opening", lambda view=view: view.opening)  # type: ignore[misc]
        note(f"{view.name} manifest", lambda view=view: view.manifest)  # type: ignore[misc]
        note(f"{view.name} environment", lambda view=view: view.environment)  # type: ignore[misc]
        note(f"{view.name} code", lambda view=view: code_of(view))  # type: ignore[misc]
        note(f"{view.name} values", lambda view=view: values_of(view))  # type: ignore[misc]
    return found


def code_of(view: RunView) -> dict[bytes, bytes]:
    read = view.repository.database.read_blob
    return {file.path: bytes(read(BlobId(file.blob))) for file in view.tree.files}


def values_of(view: RunView) -> dict[str, object]:
    return {
        f"{task.pathspec}/{artifact.name}": load(view.repository.database, artifact)
        for step in view.steps()
        for task in view.tasks(step)
        for artifact in task.artifacts
    }


def test_a_flipped_bit_anywhere_is_found_or_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    made = Repository.create(folder)
    for number in (1, 2):
        run = open_run(made)
        values = {"data": DATA[number * 9000 :], "value": number, "words": ["a", "b", number]}
        run.commit([finished(made.database, run, 1, values, stdout=b"1" * 16 + b" hello\n")])
        run.seal("ok", ended=number)
    state = made.state.find("TrainFlow", 1)
    assert state is not None
    made.tag(add=[(state, "best")])
    shutil.rmtree(folder / "cache", ignore_errors=True)
    truth = everything(folder)
    assert len(truth) == 2 * 6
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    chance = random.Random(7)
    # Every file is hit alike: the many bits of the large ones would hide the small ones.
    for _ in range(300):
        path = chance.choice(files)
        whole = path.read_bytes()
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        try:
            noticed = fsck(Repository.open(folder), data=True).errors > 0
        except MfvError:
            noticed = True
        read = everything(folder)
        place = f"bit {bit} of byte {at} of {path.relative_to(folder)}"
        assert noticed or read == truth, place
        # What the log says of a run's tags and end is gone with its entry; no value is ever wrong.
        stored = {name for name in read if not name.endswith(("tags", "manifest"))}
        assert {name: read[name] for name in stored} == {name: truth[name] for name in stored}, (
            place
        )
        path.write_bytes(whole)
