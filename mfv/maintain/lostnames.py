"""What is known of the names that lost entries told of.

A fold of the log that was written behind them knows all. Without one, the records tell which runs
there were: those in packs that no entry names. Tags and notes are told nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from mfv.errors import CorruptError, MfvError, NotFoundError
from mfv.ids import OpeningId, PackId, RunId, TaskId
from mfv.manifest.encoding import decode
from mfv.manifest.records import Opening, Run, Task, TaskRef
from mfv.odb.packindex import Location, list_packs, read_index
from mfv.repo.archive import FOLDER
from mfv.repo.entries import Tasks
from mfv.repo.log import CHECKPOINT, decode_entry, read_checkpoint
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.repository import Repository

Read = Callable[[int], bytes]


class Names(NamedTuple):
    """What one lost entry is to say."""

    runs: tuple[RunState, ...]
    condemned: tuple[bytes, ...]


def known(repository: Repository, read: Read, lost: Sequence[int], last: int) -> dict[int, Names]:
    """What is known, by the lost entry that is to say it; `read` gives all other entries."""
    found: dict[int, Names] = {}
    fold = _newest_fold(repository)
    covered = [number for number in lost if number <= fold.number]
    if covered:
        found[covered[-1]] = _from_fold(fold, read, covered)
    open_ends = [number for number in lost if number > fold.number]
    if open_ends:
        state, named = _readable(read, lost, last, found)
        found[open_ends[-1]] = _from_packs(repository, state, named, open_ends[-1])
    return found


def _newest_fold(repository: Repository) -> State:
    backend, newest = repository.backend, State()
    for key in backend.list(FOLDER):
        number = key.removeprefix(FOLDER + CHECKPOINT)
        if number != key and number.isdecimal() and int(number) > newest.number:
            try:
                newest = read_checkpoint(backend, int(number))
            except (CorruptError, NotFoundError):
                continue
    return newest


def _from_fold(fold: State, read: Read, lost: Sequence[int]) -> Names:
    """What `fold` knows beyond what the entries up to it say."""
    state, missing = State(), set(lost)
    later: dict[tuple[str, int], set[bytes]] = {}  # tasks that entries behind the last lost bring
    for number in range(1, fold.number + 1):
        if number in missing:
            continue
        entry, seal = decode_entry(number, read(number))
        state.apply(entry, seal)
        if number > lost[-1] and isinstance(entry.body, Tasks):
            place = later.setdefault((entry.body.flow, entry.body.number), set())
            place.update(ref.manifest for ref in entry.body.tasks)
    runs = []
    for run in fold:
        if state.find(run.flow, run.number) != run:
            again = later.get((run.flow, run.number), set())
            tasks = [ref for ref in run.tasks if ref.manifest not in again]
            runs.append(msgspec.structs.replace(run, tasks=tasks))
    runs.sort(key=lambda run: (run.flow, run.number))
    return Names(tuple(runs), tuple(sorted(fold.condemned - state.condemned)))


def _readable(
    read: Read, lost: Sequence[int], last: int, found: dict[int, Names]
) -> tuple[State, set[bytes]]:
    """The state by all that is known so far, and the packs that some entry names."""
    state, named, missing = State(), set[bytes](), set(lost)
    for number in range(1, last + 1):
        if number in missing:
            for run in found[number].runs if number in found else ():
                state.runs.setdefault(run.flow, {})[run.number] = run
            continue
        entry, seal = decode_entry(number, read(number))
        state.apply(entry, seal)
        named.update(made.pack for made in getattr(entry.body, "packs", ()))
    return state, named


def _from_packs(repository: Repository, state: State, named: set[bytes], number: int) -> Names:
    """The runs and tasks whose records lie in packs that no entry names."""
    runs: list[tuple[PackId, Run, bytes]] = []
    tasks: list[tuple[PackId, Task, bytes]] = []
    for pack in list_packs(repository.backend):
        if pack in named or pack in state.condemned:
            continue
        try:
            records = read_index(repository.backend, pack)
        except MfvError:
            continue
        for record in records:
            if record.kind not in (RunId.kind, TaskId.kind):
                continue
            try:
                data = repository.database.read_at(Location(pack, record))
                if record.kind == RunId.kind:
                    runs.append((pack, decode(Run, bytes(data)), record.id))
                else:
                    tasks.append((pack, decode(Task, bytes(data)), record.id))
            except MfvError:
                continue
    found: dict[tuple[str, int], RunState] = {}
    for pack, run, record_id in runs:
        if run.origin != repository.format.repository:
            continue
        known = state.find(run.flow, run.number) or RunState(run.flow, run.number)
        if known.manifest is None:
            found[run.flow, run.number] = _sealed(repository, known, run, record_id, pack, number)
    for pack, task, record_id in tasks:
        place = (task.flow, task.run)
        known = found.get(place) or state.find(*place) or _unknown(task, number)
        if known.manifest is None and record_id not in {ref.manifest for ref in known.tasks}:
            ref = TaskRef(
                task.step, task.id, task.attempt, task.status,
                task.started, task.ended, record_id, bytes(pack),
            )  # fmt: skip
            in_order = sorted([*known.tasks, ref], key=lambda one: (one.ended, one.id))
            found[place] = msgspec.structs.replace(known, tasks=in_order)
    return Names(tuple(found[place] for place in sorted(found)), ())


def _sealed(
    repository: Repository, known: RunState, run: Run, record_id: bytes, pack: PackId, number: int
) -> RunState:
    opened, began = known.opened or number, known.time or run.started
    opening, opening_pack = known.opening, known.opening_pack
    if opening is None:
        opening, opening_pack = run.opening, None
        try:
            record = repository.database.read_record(OpeningId(run.opening))
            began = decode(Opening, record).created
        except MfvError:
            pass  # the manifest says about when
    return msgspec.structs.replace(
        known,
        opened=opened,
        time=began,
        status=run.status,
        opening=opening,
        opening_pack=opening_pack,
        manifest=record_id,
        pack=bytes(pack),
        tasks=[],
    )


def _unknown(task: Task, number: int) -> RunState:
    return RunState(task.flow, task.run, opened=number, time=task.started, status=OPEN)
