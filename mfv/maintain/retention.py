"""Which runs a policy keeps, and why: decided over values, nothing is touched here.

As restic has it: every rule keeps what it names, what no rule keeps is removed, and without a rule
nothing is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Policy(NamedTuple):
    """Rules; each keeps runs, flow by flow."""

    last: int | None = None  # the newest so many
    within: float | None = None  # seconds: those begun so long before the newest run of the flow
    tagged: bool = False
    successful: bool = False
    where: str | None = None  # a query

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return self != Policy()

    def words(self) -> str:
        """The rules as one would type them."""
        said = []
        if self.last is not None:
            said.append(f"--keep-last {self.last}")
        if self.within is not None:
            said.append(f"--keep-within {self.within:g}s")
        said += ["--keep-tagged"] * self.tagged + ["--keep-successful"] * self.successful
        if self.where is not None:
            said.append(f"--keep-where {self.where!r}")
        return " ".join(said)


class Candidate(NamedTuple):
    """A run as a policy sees it."""

    flow: str
    number: int
    opened: int  # the order of runs
    started: int  # µs since 1970
    status: str
    tags: tuple[str, ...]
    asked: bool  # whether the policy's query is true of it

    @property
    def name(self) -> str:
        return f"{self.flow}/{self.number}"


class Decision(NamedTuple):
    """What becomes of one run."""

    run: Candidate
    reasons: tuple[str, ...]  # why it is kept; none: it is removed

    @property
    def is_kept(self) -> bool:
        return bool(self.reasons)


def decide(runs: Iterable[Candidate], policy: Policy) -> list[Decision]:
    """What becomes of each run, newest first."""
    by_flow: dict[str, list[Candidate]] = defaultdict(list)
    for run in runs:
        by_flow[run.flow].append(run)
    found = []
    for some in by_flow.values():
        some.sort(key=lambda run: run.opened, reverse=True)
        found += [
            Decision(run, _reasons(place, run, some, policy)) for place, run in enumerate(some)
        ]
    return sorted(found, key=lambda one: one.run.opened, reverse=True)


def _reasons(
    place: int, run: Candidate, newest_first: Sequence[Candidate], policy: Policy
) -> tuple[str, ...]:
    if not policy:
        return ("there is no rule",)
    found = []
    if run.status == "open":
        found.append("it is open")
    if policy.last is not None and place < policy.last:
        found.append(f"one of the last {policy.last}")
    # Before the newest run and not before now: a project that rests for a year loses nothing.
    if policy.within is not None:
        newest = max(one.started for one in newest_first)
        if newest - run.started <= policy.within * 1e6:
            found.append("young enough")
    if policy.tagged and run.tags:
        found.append(f"tagged {', '.join(run.tags)}")
    if policy.successful and run.status == "ok":
        found.append("successful")
    if policy.where is not None and run.asked:
        found.append(f"{policy.where}")
    return tuple(found)
