"""A repository that is hurt, too new, missing or read-only: what can be read is still read."""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, mfv_command, python
from making import damage

from mfv.history.find import find_object, find_run
from mfv.ids import PackId, Seal
from mfv.odb.packindex import key_of
from mfv.repo.archive import key_of as entry_key
from mfv.repo.archive import list_entries
from mfv.repo.entries import SealRun
from mfv.repo.log import decode_entry
from mfv.repo.repository import Repository

CORRUPT, NOT_FOUND = 5, 3
READERS = [
    "log",
    "show",
    "diff TrainFlow/2",
    "tag",
    "fsck",
    "fsck --data",
    "gc --dry-run",
    "gc --repack --dry-run",
    "logs TrainFlow/2",
]
WRITERS = ["tag best", "gc", "gc --repack", "run train.py"]


def opened(project: Path) -> Repository:
    return Repository.open(project / ".mfv")


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, for a comparison."""
    return {
        os.fspath(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def seal_entry(repo: Repository, flow: str, number: int) -> int:
    """The number of the log entry that sealed a run."""
    for entry in list_entries(repo.backend):
        body = decode_entry(entry, repo.backend.get(entry_key(entry)))[0].body
        if isinstance(body, SealRun) and (body.flow, body.number) == (flow, number):
            return entry
    raise AssertionError(f"{flow}/{number} is not sealed")


def damage_artifact(project: Path, name: str) -> None:
    """Flips a byte of the stored value of an artifact."""
    repo = opened(project)
    artifact = find_object(repo, name).artifact
    assert artifact is not None
    location = repo.database.index.find(bytes(artifact.frames[0].id))[0]
    damage(repo.backend, key_of(location.pack), location.record.offset + 1)


def damage_sealing(project: Path) -> None:
    repo = opened(project)
    damage(repo.backend, entry_key(seal_entry(repo, "TrainFlow", 1)), 40)


def remove_manifest_pack(project: Path) -> None:
    repo = opened(project)
    pack = find_run(repo, "TrainFlow/1").state.pack
    assert pack is not None
    repo.backend.delete(key_of(PackId(pack)))


def remove_entry(project: Path) -> None:
    repo = opened(project)
    repo.backend.delete(entry_key(seal_entry(repo, "TrainFlow", 1)))


def cut_tail(project: Path) -> None:
    repo = opened(project)
    repo.backend.delete(entry_key(list_entries(repo.backend)[-1]))


def test_a_damaged_value_costs_that_value_alone(copy: Path) -> None:
    damage_artifact(copy, "TrainFlow/1/pick/model")
    for line in ("log", "show TrainFlow/1", "show TrainFlow/1/pick/model", "fsck"):
        assert mfv_command(copy, *line.split()).status == 0, line
    read = mfv_command(copy, "cat", "--raw", "TrainFlow/1/pick/model")
    assert (read.status, read.out) == (CORRUPT, "")
    assert "is damaged" in read.err
    assert "mfv fsck" in read.err
    assert mfv_command(copy, "cat", "--raw", "TrainFlow/2/pick/model").status == 0
    found = mfv_command(copy, "fsck", "--data", "--json")
    assert found.status == CORRUPT
    touched = [run for one in found.json["findings"] for run in one["runs"]]
    assert set(touched) == {"TrainFlow/1"}


@pytest.mark.parametrize("hurt", [damage_sealing, remove_manifest_pack, remove_entry, cut_tail])
def test_damage_is_told_and_costs_only_the_run_that_it_touches(
    copy: Path, hurt: Callable[[Path], None]
) -> None:
    hurt(copy)
    log = mfv_command(copy, "log")
    assert log.status == CORRUPT
    assert "warning: " in log.err
    assert all(name in log.out for name in ("TrainFlow/1", "TrainFlow/2", "BreakFlow/1"))
    listed = mfv_command(copy, "log", "--json").lines
    assert {one["run"] for one in listed} == {"TrainFlow/1", "TrainFlow/2", "BreakFlow/1"}
    for run in ("TrainFlow/2", "BreakFlow/1"):
        shown = mfv_command(copy, "show", run)
        assert (shown.status, shown.err) == (0, "")
    fsck = mfv_command(copy, "fsck")
    assert fsck.status == CORRUPT
    assert "error: " in fsck.out
    if hurt is remove_manifest_pack:
        assert "TrainFlow/1" in fsck.out
        assert "damaged: " in log.out


@pytest.mark.parametrize("line", WRITERS)
@pytest.mark.parametrize("hurt", [damage_sealing, remove_entry, cut_tail])
def test_nothing_is_written_to_a_damaged_log(
    copy: Path, hurt: Callable[[Path], None], line: str
) -> None:
    hurt(copy)
    before = contents(copy / ".mfv" / "log")
    ended = mfv_command(copy, *line.split())
    assert ended.status == CORRUPT
    assert "error: " in ended.err
    assert "hint: " in ended.err
    assert contents(copy / ".mfv" / "log") == before


def test_gc_deletes_nothing_where_a_record_cannot_be_read(copy: Path) -> None:
    remove_manifest_pack(copy)
    before = contents(copy / ".mfv")
    ended = mfv_command(copy, "gc", "--prune", "now")
    assert ended.status == CORRUPT
    assert contents(copy / ".mfv") == before


def test_gc_repack_tells_what_is_damaged_keeps_it_and_rewrites_the_rest(copy: Path) -> None:
    damage_artifact(copy, "TrainFlow/1/pick/model")
    before = {path.name for path in (copy / ".mfv" / "packs").iterdir()}
    ended = mfv_command(copy, "gc", "--repack")
    assert ended.status == CORRUPT
    assert "damaged: " in ended.out
    assert "has no whole copy; 1 pack kept as is" in ended.out
    after = {path.name for path in (copy / ".mfv" / "packs").iterdir()}
    assert len(after & before) == len(after - before) == 1
    told = mfv_command(copy, "gc", "--repack", "--json")
    assert told.status == CORRUPT
    assert len(told.json["repack"]["damaged"]) == 1
    assert mfv_command(copy, "cat", "--raw", "TrainFlow/2/pick/model").status == 0


@pytest.mark.parametrize("line", READERS + WRITERS)
def test_a_newer_format_is_named_and_nothing_is_touched(copy: Path, line: str) -> None:
    body = b"mfv repository\nversion 999\n"
    (copy / ".mfv" / "format").write_bytes(body + f"seal {Seal.of(body)}\n".encode())
    before = contents(copy / ".mfv")
    ended = mfv_command(copy, *line.split())
    assert ended.status == CORRUPT
    assert "999" in ended.err
    assert "newer" in ended.err
    assert contents(copy / ".mfv") == before


@pytest.mark.parametrize("line", READERS)
def test_without_a_repository_the_error_says_how_to_make_one(tmp_path: Path, line: str) -> None:
    ended = mfv_command(tmp_path, *line.split())
    assert (ended.status, ended.out) == (NOT_FOUND, "")
    assert "no mfv repository" in ended.err
    assert "mfv init" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_mfv_dir_that_leads_nowhere_is_named(project: Path, tmp_path: Path) -> None:
    ended = mfv_command(project, "log", env={"MFV_DIR": os.fspath(tmp_path / "gone")})
    assert ended.status == NOT_FOUND
    assert os.fspath(tmp_path / "gone") in ended.err


def test_a_file_in_place_of_the_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("nothing")
    ended = mfv_command(tmp_path, "log", env={"MFV_DIR": "file"})
    assert ended.status == NOT_FOUND


def powerless(folder: Path, *words: str) -> Ended:
    """`mfv WORDS` by somebody whom file modes bind, which they do not bind root."""
    return mfv_command(folder, *words, preexec_fn=_drop_power if os.geteuid() == 0 else None)


def _drop_power() -> None:
    libc: Any = ctypes.CDLL(None)
    drop_from_bounding_set, override, read_search = 24, 1, 2
    for capability in (override, read_search):
        assert libc.prctl(drop_from_bounding_set, capability, 0, 0, 0) == 0


@pytest.fixture
def read_only(copy: Path) -> Path:
    """The project, where nobody may write."""
    places = [copy, *copy.rglob("*")]
    for place in places:
        place.chmod(0o555 if place.is_dir() else 0o444)
    return copy


def test_a_read_only_repository_is_read_and_left_as_it_is(read_only: Path) -> None:
    before = contents(read_only)
    for line in [*READERS, "cat TrainFlow/1/accuracy", "show TrainFlow/1 --json"]:
        ended = powerless(read_only, *line.split())
        assert (ended.status, ended.err.count("error")) == (0, 0), (line, ended)
    assert contents(read_only) == before


@pytest.mark.parametrize("line", ["tag best", "run train.py", "init below", "clone prod out"])
def test_writing_where_one_may_not_is_one_clear_error(read_only: Path, line: str) -> None:
    before = contents(read_only)
    ended = powerless(read_only, *line.split())
    assert ended.status == 1
    assert "Permission denied" in ended.err
    assert contents(read_only) == before


def test_a_repository_that_may_not_be_read_is_one_clear_error(copy: Path) -> None:
    for path in (copy / ".mfv").rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IWUSR)
    ended = powerless(copy, "log")
    assert ended.status == 1
    assert "Permission denied" in ended.err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_a_full_disk_under_the_output_is_one_clear_error(project: Path) -> None:
    with open("/dev/full", "wb") as full:
        ended = mfv_command(project, "log", stdout=full)
    assert ended.status == 1
    assert "No space left on device" in ended.err


@pytest.mark.parametrize("line", ["log", "log --json", "show", "fsck --json", "show --env"])
def test_a_reader_that_has_enough_ends_the_command_in_silence(project: Path, line: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = mfv_command(project, *line.split(), stdout=writer)
    finally:
        os.close(writer)
    assert (ended.status, ended.err) == (141, "")


def test_a_run_whose_output_nobody_reads_is_recorded_all_the_same(copy: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ended = python(copy, "train.py", "run", stdout=writer)
    finally:
        os.close(writer)
    assert ended.status == 0
    assert mfv_command(copy, "log", "--json", "-n", "1").json["status"] == "ok"


def test_a_repository_that_is_a_symbolic_link_is_not_written_through(copy: Path) -> None:
    real = copy.parent / "elsewhere"
    shutil.move(copy / ".mfv" / "log", real)
    (copy / ".mfv" / "log").symlink_to(real)
    before = contents(real)
    ended = mfv_command(copy, "tag", "best", "TrainFlow/1")
    assert ended.status != 0
    assert contents(real) == before
