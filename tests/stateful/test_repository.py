"""A repository over its life: whatever is done in whatever order, its names and bytes hold.

Beside it stands what it is to hold (`expecting`), from which follows what a gc deletes. Whatever
the clock says, whoever has it open, and whatever was lost of hints and caches.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import expecting
import hypothesis.strategies as st
import pytest
from expecting import ExpectedRun, Key
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from keeping import NOW, add_pack, commit, count_packs, maintain
from making import MOMENT, damage, memory_repository, open_run

from mfv.errors import ConflictError, CorruptError, NotFoundError, StorageError
from mfv.ids import ChunkId
from mfv.maintain import gc, logarchive, repack, sweep
from mfv.maintain.fsck import Finding, fsck
from mfv.maintain.retention import Policy
from mfv.odb import denser, whereabouts
from mfv.odb.packindex import Location, key_of
from mfv.repo import archive, log, trash
from mfv.repo.archive import read_log
from mfv.repo.artifacts import load
from mfv.repo.log import TIP, Log
from mfv.repo.names import RunState
from mfv.repo.operations import undo
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository, note
from mfv.repo.view import RunView
from mfv.storage import memory
from mfv.storage.memory import MemoryBackend
from mfv.storage.wrappers import FailingBackend

flows = st.sampled_from(["A", "B"])
tags = st.sampled_from(["best", "prod", "old"])
small = st.integers() | st.text(max_size=8) | st.binary(max_size=40)
large = st.builds(bytes.__mul__, st.sampled_from([b"\0\7", b"xyz"]), st.integers(0, 60_000))
_DRAW = random.Random(1)
_LINES = [b"%d,%.12f\n" % (n, _DRAW.random()) for n in range(301)]
# Of a few kilobytes, of which any two are alike, so that a repack writes one after the other.
alike = st.builds(lambda n: b"".join(_LINES[:n] + _LINES[n + 1 :]), st.integers(0, 300))
names = st.sampled_from(["x", "y", "data"])
values = st.dictionaries(names, small | large | alike | st.lists(small, max_size=3), max_size=3)
handles = st.integers(0, 2)

DAY = 86400.0
_TOLD_TIME = (log, sweep, gc, repack, memory)  # modules that ask for the time


class Handle(FailingBackend):
    """What one process sees of the storage; `at` says which of its writes fails."""

    def view(self, key: str, start: int, length: int) -> memoryview:
        found: memoryview = self.inner.view(key, start, length)  # type: ignore[attr-defined]
        return found

    def fail(self, at: int, *, happened: bool) -> None:
        """Has the write after `at` others fail; none any more where that is negative."""
        self.calls, self.at, self.happened = 0, at, happened


class Life(RuleBasedStateMachine):
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(archive, "SIZES", (2, 4, 8, 16))
        self._patch.setattr(whereabouts, "MANY_PACKS", 3)
        self._patch.setattr(denser, "SMALL", 4096)  # beyond, it is taken for a part of something
        self.now = MOMENT / 1e6
        clock = SimpleNamespace(time=lambda: self.now, time_ns=lambda: round(self.now * 1e9))
        for module in _TOLD_TIME:
            self._patch.setattr(module, "time", clock)
        self.backend = MemoryBackend()
        memory_repository(self.backend)
        self.disks = [Handle(self.backend, -1) for _ in range(3)]
        self.handles = [Repository(disk, writer="ana@host") for disk in self.disks]
        self.expected: dict[Key, ExpectedRun] = {}
        # What to expect once the newest operation was taken back; None: it cannot be.
        self.undone: Callable[[], None] | None = None
        self.has_operations = False

    def teardown(self) -> None:
        self._patch.undo()

    # Runs

    @initialize(target=runs, flow=flows)
    def begin(self, flow: str) -> RunRecorder:
        return self.open_run(flow, 0)

    @rule(target=runs, flow=flows, handle=handles)
    def open(self, flow: str, handle: int) -> RunRecorder:
        return self.open_run(flow, handle)

    def open_run(self, flow: str, handle: int) -> RunRecorder:
        repository = self.handles[handle]
        run = open_run(repository, flow)
        assert (run.flow, run.number) not in self.expected
        records = expecting.records_of(repository, run)
        self.expected[run.flow, run.number] = ExpectedRun(len(self.expected), records)
        return run

    @rule(run=runs, batch=st.lists(values, min_size=1, max_size=3))
    def commit_tasks(self, run: RunRecorder, batch: list[dict[str, Any]]) -> None:
        numbered = self._numbered(run, batch)
        commit(run._repository, run, numbered)
        self._note_tasks(run, numbered)

    @rule(run=runs, batch=st.lists(values, min_size=1, max_size=2), at=st.integers(0, 3))
    def commit_fails(self, run: RunRecorder, batch: list[dict[str, Any]], at: int) -> None:
        """At the n-th write, before it or right after: all of it is there or nothing."""
        disk = run._repository.backend
        assert isinstance(disk, Handle)
        numbered = self._numbered(run, batch)
        disk.fail(at, happened=bool(at % 2))
        with contextlib.suppress(StorageError):
            commit(run._repository, run, numbered)
        disk.fail(-1, happened=False)
        there = {ref.id for ref in self.fresh().tasks(self._state((run.flow, run.number)))}
        assert not there & set(numbered) or there >= set(numbered), "half of it is there"
        if there >= set(numbered):
            self._note_tasks(run, numbered)

    @rule(run=consumes(runs), status=st.sampled_from(["ok", "failed", "interrupted"]))
    def seal(self, run: RunRecorder, status: Any) -> None:
        expected = self.expected[run.flow, run.number]
        expected.sealed = run.seal(status, ended=MOMENT)
        expected.status = status
        expected.records.add(bytes(expected.sealed))

    def _numbered(self, run: RunRecorder, batch: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
        known = self.expected[run.flow, run.number].tasks
        return {len(known) + place: one for place, one in enumerate(batch, 1)}

    def _note_tasks(self, run: RunRecorder, numbered: dict[int, dict[str, Any]]) -> None:
        key = (run.flow, run.number)
        found = expecting.tasks_of(self.fresh(), self._state(key), numbered)
        assert set(found) == set(numbered)
        self.expected[key].tasks.update(found)

    # What people do to them

    @rule(data=st.data(), tag=tags, handle=handles)
    def tag(self, data: st.DataObject, tag: str, handle: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        run = self.expected[key]
        had = tag in run.tags
        self.handles[handle].tag(add=[(self._state(key), tag)])
        run.tags.add(tag)
        self._did(None if had else lambda: run.tags.discard(tag))

    @precondition(lambda self: any(one.tags for one in self.expected.values()))
    @rule(data=st.data(), handle=handles)
    def untag(self, data: st.DataObject, handle: int) -> None:
        tagged = sorted((key, tag) for key, one in self.expected.items() for tag in one.tags)
        key, tag = data.draw(st.sampled_from(tagged))
        self.handles[handle].tag(remove=[(self._state(key), tag)])
        run = self.expected[key]
        run.tags.remove(tag)
        self._did(lambda: run.tags.add(tag))

    @rule(data=st.data(), text=st.sampled_from(["", "seen", "good"]), handle=handles)
    def note(self, data: st.DataObject, text: str, handle: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        run, before = self.expected[key], self.expected[key].note
        note(self.handles[handle], self._state(key), text)
        run.note = text
        self._did(lambda: setattr(run, "note", before))

    @rule(data=st.data(), handle=handles)
    def remove(self, data: st.DataObject, handle: int) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        run = self.expected[key]
        if run.status == "open":
            with pytest.raises(ConflictError):
                trash.remove(self.handles[handle], [self._state(key)], reason="test")
            return
        was_there = run.removed
        removed = trash.remove(self.handles[handle], [self._state(key)], reason="test")
        assert bool(removed) == (not was_there)
        if removed:
            self._into_the_trash([run])

    def _into_the_trash(self, runs: list[ExpectedRun]) -> None:
        for run in runs:
            run.removed = round(self.now * 1e6)

        def back() -> None:
            if any(run.swept for run in runs):
                raise ConflictError("it was swept")
            for run in runs:
                run.removed = 0

        self._did(back)

    @precondition(lambda self: any(one.removed for one in self.expected.values()))
    @rule(data=st.data(), handle=handles)
    def restore(self, data: st.DataObject, handle: int) -> None:
        removed = sorted(key for key, one in self.expected.items() if one.removed)
        key = data.draw(st.sampled_from(removed))
        run = self.expected[key]
        if run.swept:
            with pytest.raises(ConflictError):
                trash.restore(self.handles[handle], [self._state(key)])
            return
        trash.restore(self.handles[handle], [self._state(key)])
        run.removed = 0

        def again() -> None:
            run.removed = round(self.now * 1e6)

        self._did(again)

    @rule(data=st.data(), handle=handles)
    def drop(self, data: st.DataObject, handle: int) -> None:
        """`mfv rm RUN --artifact NAME`."""
        key = data.draw(st.sampled_from(sorted(self.expected)))
        name = data.draw(names)
        run, repository = self.expected[key], self.handles[handle]
        view = RunView(repository, self._state(key))
        refused = run.status == "open" or name not in run.names_with_bytes()
        with pytest.raises((ConflictError, NotFoundError)) if refused else contextlib.nullcontext():
            trash.drop(view, [name])
        if not refused:
            run.dropped.add(name)

    @rule(handle=handles)
    def undo(self, handle: int) -> None:
        """Takes the newest operation back, which is the newest one then."""
        if not self.has_operations:
            with pytest.raises(NotFoundError):
                undo(self.handles[handle])
            return
        before = {key: (set(r.tags), r.note, r.removed) for key, r in self.expected.items()}
        try:
            if self.undone is None:
                raise ConflictError("nothing of it is left")
            self.undone()
        except ConflictError:
            with pytest.raises(ConflictError):
                undo(self.handles[handle])
            return
        undo(self.handles[handle])

        def redo() -> None:
            for key, (had, text, removed) in before.items():
                run = self.expected[key]
                if removed and not run.removed:
                    run.removed = round(self.now * 1e6)
                elif run.removed and not removed:
                    if run.swept:
                        raise ConflictError("it was swept")
                    run.removed = 0
                run.tags, run.note = set(had), text

        self._did(redo)

    def _did(self, undone: Callable[[], None] | None) -> None:
        self.undone, self.has_operations = undone, True

    # What maintains it

    @rule(
        last=st.none() | st.integers(0, 2),
        tagged=st.booleans(),
        successful=st.booleans(),
        handle=handles,
        grace=st.sampled_from([NOW, DAY, 30 * DAY]),
    )
    def sweep(
        self, last: int | None, tagged: bool, successful: bool, handle: int, grace: float
    ) -> None:
        """By rules into the trash, and what has been there for long out of it for good."""
        policy = Policy(last=last, tagged=tagged, successful=successful)
        leaving = self._left_by(policy) if policy else []
        repository = self.handles[handle]
        sweep.run(repository, sweep.plan(repository, policy, grace=grace), policy, grace=grace)
        if leaving:
            self._into_the_trash(leaving)
        for run in self.expected.values():
            if run.removed and run.removed <= (self.now - grace) * 1e6:
                run.swept = True

    def _left_by(self, policy: Policy) -> list[ExpectedRun]:
        """The runs that none of the rules keeps, worked out in another way than mfv does."""
        left = []
        for flow in ("A", "B"):
            newest = sorted(
                (
                    one.place
                    for (f, _), one in self.expected.items()
                    if f == flow and not one.removed
                ),
                reverse=True,
            )
            for (f, _), run in self.expected.items():
                among_last = run.place in newest[: policy.last or 0]
                asked = (policy.tagged and run.tags) or (policy.successful and run.status == "ok")
                if (
                    f == flow
                    and not run.removed
                    and run.status != "open"
                    and not among_last
                    and not asked
                ):
                    left.append(run)
        return left

    @rule(handle=handles)
    def collect(self, handle: int) -> None:
        """A gc deletes just the packs that the runs of `expected` do not lead to."""
        repository = self.handles[handle]
        before = expecting.held(self.backend)
        condemned = repository.state.condemned
        gone = expecting.doomed(self.backend, self.expected.values(), condemned)
        planned = gc.plan(repository, grace=NOW)
        assert {one.pack for one in planned.doomed} | set(planned.leftover) == gone
        gc.run(repository, planned, grace=NOW)
        assert set(expecting.held(self.backend)) == set(before) - gone

    @rule()
    def keep_in_order(self) -> None:
        """`mfv gc --repack` by another process; those that were open go on."""
        done = maintain(self.backend)
        assert done.damaged == ()
        assert count_packs(self.backend) == 1
        (objects,) = expecting.held(self.backend).values()
        live = set[bytes]().union(*(run.needs() for run in self.expected.values()))
        assert objects >= live
        planned = repack.plan(self.fresh(), grace=NOW)
        assert not planned.sources, "what is dead inside the one pack is less than half of it"

    @rule()
    def leave_garbage(self) -> None:
        """What a writer leaves that dies before its entry, some of it what others will want."""
        add_pack(self.backend, b"xyz" * 700, b"nobody's")

    @rule(handle=handles)
    def archive_the_log(self, handle: int) -> None:
        logarchive.run(self.handles[handle])

    @rule(handle=handles)
    def write_a_checkpoint(self, handle: int) -> None:
        self.handles[handle].log.catch_up()
        self.handles[handle].log.write_checkpoint()

    # What happens to it

    @rule(handle=handles)
    def reopen(self, handle: int) -> None:
        """Another process; open runs go on in the old one."""
        disk = Handle(self.backend, -1)
        self.disks[handle] = disk
        self.handles[handle] = Repository(disk, writer="eva@elsewhere")

    @rule()
    def lose_the_hints(self) -> None:
        for key in [TIP, *(key for key in self.backend.list("log/") if "checkpoint" in key)]:
            self.backend.delete(key)

    @rule(how=st.sampled_from(["lost", "damaged"]))
    def lose_the_cache(self, how: str) -> None:
        for key in self.backend.list("cache/"):
            if how == "lost":
                self.backend.delete(key)
            else:
                damage(self.backend, key, self.backend.stat(key).size // 2)

    @rule(seconds=st.sampled_from([1.0, 3 * DAY, 400 * DAY, -1.0, -3 * DAY, -400 * DAY]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.now += seconds

    @rule(data=st.data(), handle=handles)
    def damage_is_found_and_heals(self, data: st.DataObject, handle: int) -> None:
        """One stored value is damaged, then all are saved again by somebody who has them."""
        kept = [
            (key, number, name)
            for key, run in sorted(self.expected.items())
            for number, task in run.tasks.items()
            for name in sorted(run.kept(task))
            if task.frames[name]
        ]
        if not kept:
            return
        key, number, name = data.draw(st.sampled_from(kept))
        which = data.draw(st.integers(0, 99))
        # How many copies there are hangs on the names of packs, which differ from time to time.
        copies = self._chunks(self.expected[key].tasks[number].frames[name])
        if not copies:
            return
        chosen = copies[which % len(copies)]
        # With its first byte all of a range is lost, whatever its codec.
        damage(self.backend, key_of(chosen.pack), chosen.record.offset)
        with pytest.raises(CorruptError):
            self.fresh().database.verify(chosen)
        # What is compressed together with it, or after it, may be lost with it.
        lost = {one.record.id for one in self.fresh().database.index} - self._whole()
        errors = [one for one in self._findings(data=True) if one.severity == "error"]
        touched = {run for one in errors for run in one.runs}
        assert touched == {run for one in lost for run in self._names_that_need(one)}
        run = self.open_run("A", handle)
        self.commit_tasks(run, self._all_values())
        self.seal(run, "ok")
        assert chosen.record.id in self._whole()
        assert [one for one in self._findings(data=True) if one.severity == "error"] == []
        self.keep_in_order()
        assert self._troubles(data=True) == []

    def _chunks(self, objects: set[bytes]) -> list[Location]:
        found = [
            one
            for one in self.fresh().database.index
            if one.record.id in objects and one.record.kind == ChunkId.kind and one.record.stored
        ]
        return sorted(found, key=lambda one: (one.record.id, one.pack))

    def _whole(self) -> set[bytes]:
        """The objects of which some copy can be read."""
        database, found = self.fresh().database, set[bytes]()
        for one in database.index:
            with contextlib.suppress(CorruptError):
                database.verify(one)
                found.add(one.record.id)
        return found

    def _all_values(self) -> list[dict[str, Any]]:
        """Of all runs, a task each: what is saved must not hang on which copy was damaged."""
        kept = [
            {name: task.values[name] for name in sorted(run.kept(task)) if task.frames[name]}
            for run in self.expected.values()
            for task in run.tasks.values()
        ]
        return list({repr(values): values for values in kept if values}.values())

    def _names_that_need(self, object_id: bytes) -> set[str]:
        return {f"{f}/{n}" for (f, n), run in self.expected.items() if object_id in run.needs()}

    # What holds all the time

    @invariant()
    def numbers_are_dense_and_the_runs_are_those_expected(self) -> None:
        for repository in self.handles:
            state = repository.state
            assert {(run.flow, run.number) for run in state} == set(self.expected)
            order = [self.expected[run.flow, run.number].place for run in state]
            assert order == sorted(order, reverse=True), "the order is the log's"
        for numbers in state.runs.values():
            assert sorted(numbers) == list(range(1, len(numbers) + 1))
        entries = [number for number, _ in read_log(self.backend)]
        assert entries == list(range(1, state.number + 1))

    @invariant()
    def what_people_did_is_as_expected(self) -> None:
        for run in self.handles[0].state:
            expected = self.expected[run.flow, run.number]
            assert (run.status, run.run_id) == (expected.status, expected.sealed)
            assert (set(run.tags), run.note) == (expected.tags, expected.note)
            assert (run.removed, run.swept) == (expected.removed, expected.swept)
            assert set(run.dropped) == expected.dropped

    @invariant()
    def every_run_reads_back_equal(self) -> None:
        fresh = self.fresh()
        for run in fresh.state:
            expected = self.expected[run.flow, run.number]
            assert fresh.opening(run).flow == run.flow
            found, kept = {}, {}
            for ref in fresh.tasks(run):
                task = expected.tasks[ref.id]
                assert ref.manifest == task.record, "a task that was recorded never changes"
                kept[ref.id] = expected.kept(task)
                found[ref.id] = {
                    one.name: load(fresh.database, one)
                    for one in fresh.task(ref).artifacts
                    if one.name in kept[ref.id]
                }
            assert found == kept
            assert set(found) == set(expected.tasks)

    @invariant()
    def the_state_is_the_fold_from_zero(self) -> None:
        bare = MemoryBackend()
        for key in self.backend.list("log/"):
            if "checkpoint" not in key:
                bare.put(key, [self.backend.get(key)])
        assert Log(bare).catch_up() == self.handles[0].state

    @rule(data=st.booleans())
    def fsck_has_nothing_to_say_but_of_garbage(self, data: bool) -> None:
        assert self._troubles(data=data) == []

    def _troubles(self, *, data: bool) -> list[Finding]:
        """What fsck says that is more than a note; of hints that were lost it warns, once or so."""
        found = self._findings(data=data)
        return [one for one in found if one.severity != "note" and one.kind != "checkpoint"]

    def _findings(self, *, data: bool) -> tuple[Finding, ...]:
        before = {key: self.backend.get(key) for key in self.backend.list("")}
        found = fsck(self.fresh(), data=data).findings
        after = {key: self.backend.get(key) for key in self.backend.list("")}
        assert {k: v for k, v in after.items() if not k.startswith("cache/")} == {
            k: v for k, v in before.items() if not k.startswith("cache/")
        }, "fsck never writes"
        return found

    def fresh(self) -> Repository:
        """The repository as a process sees it that knows nothing."""
        return Repository(self.backend)

    def _state(self, key: Key) -> RunState:
        run = self.handles[0].state.find(*key)
        assert run is not None
        return run


def test_a_repository_over_its_life(long: bool) -> None:
    examples = 5000 if long else 50
    lives = settings(max_examples=examples, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Life, settings=lives)
