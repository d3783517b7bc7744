"""Entries, tips, checkpoints and archives that are sealed, and say what never happened."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence

import msgspec
import pytest
from forge import FLOW, MOMENT, STEP, Forge
from sites import Row, Site, try_row

from mfv.ids import EntryId, Seal
from mfv.manifest.records import TaskRef
from mfv.repo.archive import archive_key, head_of, key_of
from mfv.repo.entries import (
    Body,
    Condemn,
    DropArtifacts,
    NoteRun,
    OpenRun,
    PackMade,
    Repack,
    RestoreRuns,
    SealRun,
    SweepRuns,
    TagRuns,
    Tasks,
    TrashRuns,
)
from mfv.repo.log import checkpoint_key
from mfv.repo.names import RunState, State

CORRUPT = 5
HASH, PACK = bytes(range(32)), bytes(range(16))
BIG = 2**63 - 1
TAIL = {"log": CORRUPT, "fsck": CORRUPT}


def then(*bodies: Body, **more: object) -> Callable[[Forge], None]:
    """Two honest runs, then these entries."""

    def forge(made: Forge) -> None:
        made.run()
        made.run()
        for body in bodies:
            made.append(body, **more)  # type: ignore[arg-type]
        made.tip()

    return forge


def raw(change: Callable[[dict[str, object]], object]) -> Callable[[Forge], None]:
    """Two honest runs, then an entry of which the fields are changed."""

    def forge(made: Forge) -> None:
        made.run()
        made.run()
        fields = {
            "number": made.number + 1,
            "previous": made.head,
            "time": MOMENT,
            "writer": "ana@host",
            "body": {"type": "note", "flow": FLOW, "number": 1, "text": "hello"},
        }
        found = change(fields)
        data = found if isinstance(found, bytes) else msgspec.msgpack.encode(found)
        made.append(raw=data)
        made.tip()

    return forge


def with_body(**fields: object) -> Callable[[Forge], None]:
    return raw(lambda entry: {**entry, "body": fields})


def opened(flow: str, number: int, lease: str = "", host: str = "elsewhere") -> OpenRun:
    return OpenRun(flow, number, HASH, PACK, lease, host, ())


def same_run_twice(made: Forge) -> None:
    made.run(number=1)
    made.run(number=1)
    made.run(number=2)
    made.tip()


def sealed_again(made: Forge) -> None:
    """A run is sealed once more, by the manifest of another."""
    made.run()
    made.run()
    last = msgspec.msgpack.decode(made.backend.get(key_of(made.number))[:-32])["body"]
    made.append(SealRun(FLOW, 1, "failed", last["manifest"], last["pack"], ()))
    made.tip()


def with_this_host(lease: str) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.run()
        made.run()
        made.append(opened(FLOW, 3, lease, os.uname().nodename))
        made.tip()

    return forge


def many_runs(flows: int) -> Callable[[Forge], None]:
    """So many runs that were only opened, each of a flow of its own, by so many entries."""
    return then(*(opened(f"Flow{place}", 1) for place in range(flows)))


def tags(count: int, width: int = 5) -> Callable[[Forge], None]:
    return lambda made: then(
        TagRuns((), tuple((FLOW, 1, f"t{place:0{width}}") for place in range(count)))
    )(made)


def forked(made: Forge) -> None:
    made.run()
    made.run()
    made.append(NoteRun(FLOW, 1, "one"), previous=HASH)
    made.tip()


def renumbered(made: Forge) -> None:
    made.run()
    made.run()
    made.append(NoteRun(FLOW, 1, "one"), says=99)
    made.tip()


def far_away(made: Forge) -> None:
    """An entry whose file has the highest number that there can be."""
    made.run()
    made.run()
    made.append(NoteRun(FLOW, 1, "one"), at=99_999_999)


def gap(made: Forge) -> None:
    made.run()
    made.run()
    made.append(NoteRun(FLOW, 1, "one"), at=made.number + 5)
    made.tip()


def entry_of(size: int) -> Callable[[Forge], None]:
    """The file of an entry that has so many bytes, all of them holes."""

    def forge(made: Forge) -> None:
        then(NoteRun(FLOW, 1, "x"))(made)
        os.truncate(made.folder / key_of(made.number), size)

    return forge


def many_entries_of(size: int, count: int) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        then()(made)
        for place in range(1, count):
            path = made.folder / key_of(made.number + place)
            path.write_bytes(b"")
            os.truncate(path, size)

    return forge


def file_of(name: str, size: int, data: bytes = b"") -> Callable[[Forge], None]:
    """A file of the repository is so large, and hardly takes any room."""

    def forge(made: Forge) -> None:
        then()(made)
        path = made.folder / name
        if data:
            path.write_bytes(data)
        os.truncate(path, size)

    return forge


def tip_of(number: int, checkpoint: int = 0) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        then()(made)
        made.tip(number, checkpoint)

    return forge


def checkpoint(state: Callable[[Forge], object], at: int | None = None) -> Callable[[Forge], None]:
    """A checkpoint that is sealed, and of which the tip knows."""

    def forge(made: Forge) -> None:
        then()(made)
        number = made.number if at is None else at
        found = state(made)
        data = found if isinstance(found, bytes) else msgspec.msgpack.encode(found)
        made.backend.put(checkpoint_key(number), [data, Seal.of(data)])
        made.tip(max(number, made.number), number)

    return forge


def fold(made: Forge, **runs: RunState) -> State:
    return State(made.number, made.head, {FLOW: {run.number: run for run in runs.values()}})


def state_map(**fields: object) -> Callable[[Forge], object]:
    return lambda made: {
        "number": made.number,
        "head": made.head,
        "runs": {},
        "condemned": [],
        **fields,
    }


def archive(
    lengths: Sequence[int], entries: bytes = b"", head: bytes | None = None
) -> Callable[[Forge], None]:
    """An archive of the first sixteen entries, before which no other counts."""

    def forge(made: Forge) -> None:
        for _ in range(6):
            made.run()
        made.tip()
        start = head_of(1, lengths) if head is None else head + Seal.of(head)
        made.backend.put(archive_key(1, 16), [start, entries])

    return forge


def archive_of_others(made: Forge) -> None:
    """An archive of honest entries, in which one is another than that in the file of its own."""
    for _ in range(6):
        made.run()
    made.tip()
    entries = [made.backend.get(key_of(number)) for number in range(1, 17)]
    entries[2], entries[3] = entries[3], entries[2]
    made.backend.put(archive_key(1, 16), [head_of(1, [len(one) for one in entries]), *entries])


TASKS = (TaskRef(STEP, 1, 0, "ok", MOMENT, MOMENT, HASH, PACK),)
ROWS = [
    # What an entry says of runs.
    Row("opening-not-there", then(opened(FLOW, 3)), {"show": CORRUPT, "fsck": CORRUPT}),
    Row("same-number-twice", same_run_twice, {"log": 0}),
    Row("sealed-again-by-another", sealed_again, {"fsck": CORRUPT}),
    Row("seal-of-no-run", then(SealRun("None", 7, "ok", HASH, PACK, ())), {"fsck": CORRUPT}),
    Row("tasks-of-no-run", then(Tasks("None", 7, TASKS, ())), {"fsck": CORRUPT}),
    Row("tag-on-no-run", then(TagRuns((), (("None", 7, "best"),))), {"fsck": CORRUPT}),
    Row("tag-off-no-run", then(TagRuns((("None", 7, "best"),), ())), {"fsck": CORRUPT}),
    Row("note-on-no-run", then(NoteRun("None", 7, "hello")), {"fsck": CORRUPT}),
    Row("trash-of-no-run", then(TrashRuns((("None", 7),), "")), {"log": 0}),
    Row("restore-of-no-run", then(RestoreRuns((("None", 7),))), {"fsck": CORRUPT}),
    Row("sweep-of-a-run-in-use", then(SweepRuns(((FLOW, 1), (FLOW, 2)))), {"log": 0, "show": 0}),
    Row("drop-of-names-that-are-not", then(DropArtifacts(FLOW, 2, ("../x", "", "a/b/c"))), {"show": 0}),
    Row("number-2^63", then(opened(FLOW, BIG)), {"fsck": CORRUPT}),
    Row("number-2^64", then(opened(FLOW, 2**64 - 1)), {"fsck": CORRUPT}),
    Row("number-negative", then(opened(FLOW, -7)), {"fsck": CORRUPT}),
    Row("number-0", then(opened(FLOW, 0)), {"fsck": CORRUPT}),
    Row("flow-empty", then(opened("", 1)), {"fsck": CORRUPT}),
    Row("flow-with-slashes", then(opened("../../etc/x", 1)), {"fsck": CORRUPT}),
    Row("flow-like-an-option", then(opened("--help", 1)), {"fsck": CORRUPT}),
    Row("flow-of-1-MB", then(opened("F" * 1_000_000, 1)), {"fsck": CORRUPT}),
    Row("flow-with-nul-and-escapes", then(opened("a\0b\x1b[31m\n\u202e", 1)), {"fsck": CORRUPT}),
    Row("5000-flows", many_runs(5000), {"log": CORRUPT, "ls": 0}, commands=("log", "ls", "tag", "rev-parse @")),
    Row("50000-tags", tags(50_000), {"tag": 0, "show": 0}, commands=("log", "show", "tag", "fsck")),
    Row("tag-of-1-MB", tags(1, 1_000_000), {"tag": 0, "log": 0}),
    Row("note-of-10-MB", lambda made: then(NoteRun(FLOW, 2, "x" * 10_000_000))(made), {"show": 0}),
    Row("reason-of-1-MB", then(TrashRuns(((FLOW, 2),), "r" * 1_000_000)), {"log": 0}),
    Row("time-2^64", then(NoteRun(FLOW, 1, "x"), time=2**64 - 1), {"op": 0, "log": 0}),
    Row("time-negative", then(NoteRun(FLOW, 1, "x"), time=-(2**63)), {"op": 0, "log": 0}),
    Row("writer-of-1-MB", then(NoteRun(FLOW, 1, "x"), writer="w" * 1_000_000), {"op": 0}),
    Row("lease-that-leads-out", with_this_host("../../home/.bashrc"), {"show": CORRUPT}),
    Row("lease-absolute", with_this_host("/etc/passwd"), {"show": CORRUPT}),
    Row("lease-empty", with_this_host("")),
    Row("lease-with-nul", with_this_host("a\0b"), {"show": CORRUPT}),
    Row("lease-of-1-MB", with_this_host("a" * 1_000_000)),
    # What it says of packs.
    Row("pack-that-is-not-there", then(Repack((), (PackMade(PACK, BIG, HASH),))), {"fsck": CORRUPT}),
    Row("pack-of-negative-size", then(Repack((), (PackMade(PACK, -5, HASH),))), {"fsck": CORRUPT}),
    Row("condemns-what-is-not-there", then(Condemn((PACK,) * 1000)), {"show": 0}),
    Row("condemns-100000", then(Condemn(tuple(place.to_bytes(16, "big") for place in range(100_000)))), {"show": 0}),
    # What an entry is.
    Row("entry-of-another-kind", with_body(type="sudo", command="rm -rf /"), TAIL),
    Row("entry-without-a-kind", with_body(flow=FLOW), TAIL),
    Row("entry-kind-a-number", with_body(type=7), TAIL),
    Row("entry-body-a-list", raw(lambda e: {**e, "body": []}), TAIL),
    Row("entry-more-fields", raw(lambda e: {**e, "more": 1}), TAIL),
    Row("entry-fewer-fields", raw(lambda e: {k: v for k, v in e.items() if k != "writer"}), TAIL),
    Row("entry-other-order", raw(lambda e: dict(reversed(e.items()))), TAIL),
    Row("entry-version-999", raw(lambda e: {"version": 999, **e}), TAIL),
    Row("entry-no-map", raw(lambda e: b"\xc0"), TAIL),
    Row("entry-empty", raw(lambda e: b""), TAIL),
    Row("entry-deep", raw(lambda e: b"\x91" * 100_000), TAIL),
    Row("entry-claims-4e9", raw(lambda e: b"\xdd\xff\xff\xff\xff"), TAIL),
    Row("entry-of-6e6-rows", lambda made: with_body(type="condemn", condemned=[b""] * 6_000_000)(made), TAIL, commands=("log", "show", "fsck")),
    Row("entry-previous-short", raw(lambda e: {**e, "previous": b"x"}), TAIL),
    Row("entry-does-not-follow", forked, TAIL),
    Row("entry-under-another-number", renumbered, TAIL),
    Row("entry-far-away", far_away, {"log": CORRUPT}),
    Row("entries-missing", gap, TAIL),
    Row("entry-of-1-TiB", entry_of(1 << 40), TAIL),
    Row("60-entries-of-60-MiB", many_entries_of(60 << 20, 60), {"fsck": CORRUPT}, commands=("log -n 1", "fsck"), heavy=True),
    # Files that are far too large.
    Row("format-of-1-TiB", file_of("format", 1 << 40), {"log": CORRUPT, "fsck": CORRUPT}),
    Row("format-version-999", file_of("format", 27, b"mfv repository\nversion 999\n"), {"log": CORRUPT}, "newer"),
    Row("format-empty", file_of("format", 0), {"log": CORRUPT}),
    Row("format-version-of-many-digits", file_of("format", 100_000, b"mfv repository\nversion " + b"9" * 9000 + b"\n"), {"log": CORRUPT}),
    Row("tip-of-1-TiB", file_of("tip", 1 << 40, b"x"), {"log": 0}),
    Row("config-of-1-TiB", file_of("config.toml", 1 << 40), {"log": 2}),
    # Hints that lie.
    Row("tip-2^64", tip_of(2**64 - 1), TAIL),
    Row("tip-too-high", tip_of(1000), TAIL),
    Row("tip-too-low", tip_of(1), {"log": 0, "fsck": 0}),
    Row("tip-checkpoint-not-there", tip_of(6, 5), {"log": 0}),
    Row("tip-checkpoint-2^64", tip_of(6, 2**64 - 1), {"log": 0}),
    Row("checkpoint-of-another-log", checkpoint(lambda m: State(m.number, HASH, {})), {"fsck": CORRUPT}),
    Row("checkpoint-that-invents-a-run", checkpoint(lambda m: fold(m, evil=RunState(FLOW, 9, 9, manifest=HASH, pack=PACK))), {"fsck": CORRUPT}),
    Row("checkpoint-ids-too-short", checkpoint(lambda m: fold(m, evil=RunState(FLOW, 9, 9, manifest=b"x", pack=b"y", opening=b"")))),
    Row("checkpoint-run-under-another-name", checkpoint(lambda m: fold(m, evil=RunState("Other", 9, -5, status="unheard-of"))), {"fsck": CORRUPT}),
    Row("checkpoint-no-map", checkpoint(lambda m: b"\x93\x01\x02\x03"), {"log": 0}),
    Row("checkpoint-deep", checkpoint(lambda m: b"\x91" * 100_000), {"log": 0}),
    Row("checkpoint-claims-4e9", checkpoint(lambda m: b"\xdf\xff\xff\xff\xff"), {"log": 0}),
    Row("checkpoint-condemned-a-map", checkpoint(state_map(condemned={"a": 1})), {"log": 0}),
    Row("checkpoint-of-16-MB", lambda made: checkpoint(state_map(condemned=[b""] * 16_000_000))(made), {"log": 0}),
    Row("checkpoint-of-a-higher-entry", checkpoint(state_map(number=500), 500), {"fsck": CORRUPT}),
    Row("checkpoint-number-negative", checkpoint(state_map(number=-1)), {"log": 0}),
    # Archives that lie.
    Row("archive-of-4-GiB-entries", archive([2**32 - 1] * 16), TAIL),
    Row("archive-of-nothing", archive([0] * 16), TAIL),
    Row("archive-cut-short", archive([500] * 16, b"x" * 700), TAIL),
    Row("archive-of-garbage", archive([500] * 16, b"x" * 8000), TAIL),
    Row("archive-version-99", archive([], head=struct.pack("<7sBQQ", b"MFVLOGS", 99, 1, 16) + bytes(64)), {"log": CORRUPT}, "newer"),
    Row("archive-of-other-numbers", archive([], head=struct.pack("<7sBQQ", b"MFVLOGS", 1, 17, 16) + bytes(64)), TAIL),
    Row("archive-that-swaps-entries", archive_of_others, TAIL),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_an_entry_or_a_hint_that_lies_is_told_or_harmless(site: Site, row: Row, long: bool) -> None:
    done = try_row(site, row, long)
    for line in {"log", "tag"} & set(done):
        assert len(done[line].out) < 2_000_000


def test_nothing_is_appended_behind_an_entry_that_does_not_follow(site: Site) -> None:
    forked(site.forge())
    done = site.visit([["tag", "best", "@"], ["note", "@", "-m", "x"], ["gc"]])
    assert {one.status for one in done.values()} == {CORRUPT}


def test_an_entry_sealed_by_another_hash_is_damaged(site: Site) -> None:
    made = site.forge()
    then(NoteRun(FLOW, 1, "x"))(made)
    data = made.backend.get(key_of(made.number))
    made.backend.put(key_of(made.number), [data[:-32], EntryId.of(b"other")])
    assert site.visit([["log"]])["log"].status == CORRUPT
