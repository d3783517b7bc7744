"""The fold of the log: every current name, read off the entries in their order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from mfv.ids import PackId
from mfv.repo.entries import (
    Condemn,
    DropArtifacts,
    Entry,
    Lost,
    MarkDamage,
    NoteRun,
    OpenRun,
    Repack,
    RestoreRuns,
    SealRun,
    SignRun,
    SweepRuns,
    TagRuns,
    Tasks,
    TrashRuns,
)
from mfv.repo.runstate import OPEN as OPEN
from mfv.repo.runstate import RunState as RunState


class State(msgspec.Struct):
    """All names of a repository after entry `number` (0: before the first)."""

    number: int = 0
    head: bytes = bytes(32)  # seal of that entry
    runs: dict[str, dict[int, RunState]] = {}
    condemned: set[bytes] = set()

    def apply(self, entry: Entry, seal: bytes) -> None:
        """Takes the next entry in."""
        body = entry.body
        match body:
            case OpenRun():
                run = self._run(body.flow, body.number)
                run.opened, run.time = entry.number, entry.time
                run.opening, run.opening_pack = body.opening, body.pack
                run.lease, run.host = body.lease, body.host
            case Tasks():
                self._run(body.flow, body.number).tasks.extend(body.tasks)
            case SealRun():
                run = self._run(body.flow, body.number)
                run.status, run.manifest, run.pack = body.status, body.manifest, body.pack
                run.tasks = []
            case TagRuns():
                self._tag(body)
            case NoteRun():
                self._run(body.flow, body.number).note = body.text
            case TrashRuns():
                for flow, number in body.runs:
                    run = self._run(flow, number)
                    run.removed, run.reason = entry.time or 1, body.reason
            case RestoreRuns():
                for flow, number in body.runs:
                    run = self._run(flow, number)
                    run.removed, run.reason = 0, ""
            case SweepRuns():
                for flow, number in body.runs:
                    self._run(flow, number).swept = True
            case DropArtifacts():
                run = self._run(body.flow, body.number)
                run.dropped = sorted({*run.dropped, *body.names})
            case SignRun():
                run, new = self._run(body.flow, body.number), body.signature
                # One of each key: who signs once more replaces what they signed before.
                others = (o for o in run.signatures if (o.tag, o.key) != (new.tag, new.key))
                run.signatures = [*others, new]
            case Condemn() | Repack():
                self.condemned.update(body.condemned)
            case MarkDamage():
                self._run(body.flow, body.number).lost = list(body.lost)
            case Lost():
                self._take_over(body)
                seal = body.stands_for
        self.number, self.head = entry.number, bytes(seal)

    def __iter__(self) -> Iterator[RunState]:
        """All runs, newest first by the log's order, whatever any clock said."""
        runs = [run for numbers in self.runs.values() for run in numbers.values()]
        return iter(sorted(runs, key=lambda run: (-run.opened, run.flow, -run.number)))

    def open_runs(self) -> list[RunState]:
        """The runs that were not sealed, in no order: asked at every start of a run."""
        flows = self.runs.values()
        return [run for runs in flows for run in runs.values() if run.status == OPEN]

    def listed(self, flow: str) -> dict[int, RunState]:
        """The runs of `flow` that are not in the trash, by number."""
        runs = self.runs.get(flow, {})
        return {number: run for number, run in runs.items() if not run.in_trash}

    def next_number(self, flow: str) -> int:
        """The number that the next run of `flow` gets."""
        return max(self.runs.get(flow, {0: None})) + 1

    def find(self, flow: str, number: int) -> RunState | None:
        return self.runs.get(flow, {}).get(number)

    def condemned_among(self, packs: set[PackId]) -> set[PackId]:
        """Those of `packs` on which nothing new may rely."""
        return {pack for pack in packs if pack in self.condemned}

    def tags(self) -> dict[str, list[RunState]]:
        """Every tag with the runs that bear it, newest first, but for those in the trash."""
        found: dict[str, list[RunState]] = {}
        for run in self:
            for tag in () if run.in_trash else run.tags:
                found.setdefault(tag, []).append(run)
        return dict(sorted(found.items()))

    def _take_over(self, body: Lost) -> None:
        for run in body.runs:
            own = msgspec.structs.replace(run, tags=list(run.tags), tasks=list(run.tasks))
            self.runs.setdefault(run.flow, {})[run.number] = own
        self.condemned.update(body.condemned)

    def _tag(self, body: TagRuns) -> None:
        tags: dict[tuple[str, int], dict[str, None]] = {}
        gone: dict[tuple[str, int], set[str]] = {}
        for flow, number, tag in body.removed:
            self._tags_of(tags, flow, number).pop(tag, None)
            gone.setdefault((flow, number), set()).add(tag)
        for flow, number, tag in body.added:
            self._tags_of(tags, flow, number)[tag] = None  # one that is there stays where it is
        for (flow, number), found in tags.items():
            self._run(flow, number).tags = list(found)
        for (flow, number), off in gone.items():  # a tag takes its signatures along
            run = self._run(flow, number)
            run.signatures = [one for one in run.signatures if one.tag not in off]

    def _tags_of(
        self, known: dict[tuple[str, int], dict[str, None]], flow: str, number: int
    ) -> dict[str, None]:
        found = known.get((flow, number))
        if found is None:
            found = known[flow, number] = dict.fromkeys(self._run(flow, number).tags)
        return found

    def _run(self, flow: str, number: int) -> RunState:
        # An entry about a run whose open-run entry was lost still makes that run known.
        return self.runs.setdefault(flow, {}).setdefault(number, RunState(flow, number))
