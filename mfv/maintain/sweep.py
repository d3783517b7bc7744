"""What a gc does with runs before it looks at packs: into the trash by rule, out of it for good."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mfv.maintain.retention import Candidate, Decision, Policy, decide
from mfv.repo import trash
from mfv.repo.entries import SweepRuns
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.repository import Repository

Asked = Callable[[RunState], bool]


class RunsPlan(NamedTuple):
    """What is to become of runs."""

    decisions: tuple[Decision, ...]  # by the rules; none where there is no rule
    due: tuple[RunState, ...]  # that have been in the trash for long enough

    @property
    def leaving(self) -> list[Decision]:
        """Those that no rule keeps."""
        return [one for one in self.decisions if not one.is_kept]


def plan(
    repository: Repository,
    policy: Policy,
    *,
    grace: float,
    asked: Asked | None = None,
    flows: Iterable[str] = (),
) -> RunsPlan:
    """What the rules keep and what is due to be swept. Changes nothing.

    `grace`: seconds in the trash before a run is swept; `asked`: whether the policy's query is
    true of a run; `flows`: only of these, else of all.
    """
    state, only = repository.state, set(flows)
    runs = [run for run in state if not run.in_trash and (not only or run.flow in only)]
    candidates = [
        Candidate(
            run.flow,
            run.number,
            run.opened,
            run.time,
            repository.status(run),
            tuple(run.tags),
            asked is not None and asked(run),
        )
        for run in runs
    ]
    decisions = tuple(decide(candidates, policy)) if policy else ()
    return RunsPlan(decisions, tuple(due(state, grace)))


def due(state: State, grace: float) -> list[RunState]:
    """The runs in the trash whose time is over."""
    until = (time.time() - grace) * 1e6
    return [run for run in state if run.in_trash and not run.swept and run.removed <= until]


def run(repository: Repository, planned: RunsPlan, policy: Policy, *, grace: float) -> list[str]:
    """Does what `planned` says; returns the names of the runs that were swept.

    What was restored, or came to be due, since the plan is looked at anew.
    """
    state = repository.state
    found = [state.find(one.run.flow, one.run.number) for one in planned.leaving]
    # One that crashed stays until the next run has closed it.
    leaving = [one for one in found if one is not None and one.status != OPEN]
    if leaving:
        trash.remove(repository, leaving, reason=f"gc {policy.words()}")
    swept: list[str] = []

    def build(state: State) -> SweepRuns:
        over = due(state, grace)
        swept[:] = [one.name for one in over]
        return SweepRuns(tuple((one.flow, one.number) for one in over))

    if due(repository.state, grace):
        repository.log.append(build)
    return swept
