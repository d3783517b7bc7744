"""A repository over its life: whatever is done in whatever order, its names and bytes hold."""

from __future__ import annotations

from typing import Any, NamedTuple

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
)
from keeping import commit, count_packs, maintain
from making import MOMENT, memory_repository, open_run

from mfv.repo import archive
from mfv.repo.archive import read_log
from mfv.repo.artifacts import load
from mfv.repo.log import TIP, Log
from mfv.repo.names import RunState
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.memory import MemoryBackend

flows = st.sampled_from(["A", "B"])
tags = st.sampled_from(["best", "prod", "old"])
small = st.integers() | st.text(max_size=8) | st.binary(max_size=40)
large = st.builds(bytes.__mul__, st.sampled_from([b"\0\7", b"xyz"]), st.integers(0, 60_000))
names = st.sampled_from(["x", "y", "data"])
values = st.dictionaries(names, small | large | st.lists(small, max_size=3), max_size=3)


class Expected(NamedTuple):
    """What the machine knows of one run."""

    tasks: dict[int, dict[str, Any]]
    tags: set[str]
    status: list[str]  # its last one counts


class Life(RuleBasedStateMachine):
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self._sizes = archive.SIZES
        archive.SIZES = (2, 4, 8, 16)  # type: ignore[assignment]
        self.backend = MemoryBackend()
        self.repository = memory_repository(self.backend)
        self.expected: dict[tuple[str, int], Expected] = {}
        self.sealed: dict[tuple[str, int], Any] = {}

    def teardown(self) -> None:
        archive.SIZES = self._sizes

    @initialize(target=runs, flow=flows)
    def begin(self, flow: str) -> RunRecorder:
        return self.open_run(flow)

    @rule(target=runs, flow=flows)
    def open(self, flow: str) -> RunRecorder:
        return self.open_run(flow)

    def open_run(self, flow: str) -> RunRecorder:
        run = open_run(self.repository, flow)
        assert (run.flow, run.number) not in self.expected
        self.expected[run.flow, run.number] = Expected({}, set(), ["open"])
        return run

    @rule(run=runs, batch=st.lists(values, min_size=1, max_size=3))
    def commit_tasks(self, run: RunRecorder, batch: list[dict[str, Any]]) -> None:
        known = self.expected[run.flow, run.number].tasks
        numbered = {len(known) + place: one for place, one in enumerate(batch, 1)}
        commit(self.repository, run, numbered)
        known.update(numbered)

    @rule(run=consumes(runs), status=st.sampled_from(["ok", "failed", "interrupted"]))
    def seal(self, run: RunRecorder, status: Any) -> None:
        self.sealed[run.flow, run.number] = run.seal(status, ended=MOMENT)
        self.expected[run.flow, run.number].status.append(status)

    @rule(data=st.data(), tag=tags)
    def tag(self, data: st.DataObject, tag: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.expected)))
        self.repository.tag(add=[(self._state(key), tag)])
        self.expected[key].tags.add(tag)

    @precondition(lambda self: any(one.tags for one in self.expected.values()))
    @rule(data=st.data())
    def untag(self, data: st.DataObject) -> None:
        tagged = sorted((key, tag) for key, one in self.expected.items() for tag in one.tags)
        key, tag = data.draw(st.sampled_from(tagged))
        self.repository.tag(remove=[(self._state(key), tag)])
        self.expected[key].tags.remove(tag)

    @rule()
    def keep_in_order(self) -> None:
        """`mfv gc --repack` by another process; those that were open go on."""
        maintain(self.backend)
        assert count_packs(self.backend) == 1

    @rule()
    def reopen(self) -> None:
        """Another process looks at the same bytes; open runs go on in the old one."""
        self.repository = Repository(self.backend, writer="eva@elsewhere")

    @rule()
    def lose_the_hints(self) -> None:
        for key in [TIP, *(key for key in self.backend.list("log/") if "checkpoint" in key)]:
            self.backend.delete(key)

    @invariant()
    def numbers_are_dense_and_the_runs_are_those_expected(self) -> None:
        state = self.repository.state
        assert {(run.flow, run.number) for run in state} == set(self.expected)
        for numbers in state.runs.values():
            assert sorted(numbers) == list(range(1, len(numbers) + 1))
        entries = [number for number, _ in read_log(self.backend)]
        assert entries == list(range(1, state.number + 1))

    @invariant()
    def status_and_tags_are_those_expected(self) -> None:
        for run in self.repository.state:
            expected = self.expected[run.flow, run.number]
            assert run.status == expected.status[-1]
            assert set(run.tags) == expected.tags
            assert run.run_id == self.sealed.get((run.flow, run.number))

    @invariant()
    def every_run_reads_back_equal(self) -> None:
        fresh = Repository(self.backend)
        for run in fresh.state:
            assert fresh.opening(run).flow == run.flow
            found = {}
            for ref in fresh.tasks(run):
                artifacts = fresh.task(ref).artifacts
                found[ref.id] = {one.name: load(fresh.database, one) for one in artifacts}
            assert found == self.expected[run.flow, run.number].tasks

    @invariant()
    def the_state_is_the_fold_from_zero(self) -> None:
        bare = MemoryBackend()
        for key in self.backend.list("log/"):
            if "checkpoint" not in key:
                bare.put(key, [self.backend.get(key)])
        assert Log(bare).catch_up() == self.repository.state

    def _state(self, key: tuple[str, int]) -> RunState:
        run = self.repository.state.find(*key)
        assert run is not None
        return run


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
