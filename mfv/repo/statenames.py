"""Runs looked up by what people type, in the fold of the log."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mfv.repo.names import RunState, State


class StateNames:
    """What `mfv.repo.revision.Names` asks, answered by all names in memory."""

    def __init__(self, state: State) -> None:
        self._state = state

    def flows(self) -> Collection[str]:
        return self._state.runs

    def tags(self) -> Collection[str]:
        return self._state.tags()

    def some_runs(self) -> list[str]:
        return [run.name for run in self._listed(None)]

    def count(self, flow: str | None) -> int:
        return sum(1 for _ in self._listed(flow))

    def bounds(self, flow: str) -> tuple[int, int]:
        numbers = self._state.runs[flow]
        return min(numbers), max(numbers)

    def numbered(self, number: int, flow: str | None) -> list[RunState]:
        return [run for run in self._of(flow) if run.number == number]

    def bearing(self, tag: str, flow: str | None) -> RunState | None:
        return next((run for run in self._listed(flow) if tag in run.tags), None)

    def prefixed(self, prefix: str, flow: str | None) -> list[RunState]:
        return [run for run in self._of(flow) if _has_prefix(run, prefix)]

    def newest(self, flow: str | None, back: int) -> RunState | None:
        runs = list(self._listed(flow))
        return runs[back] if back < len(runs) else None

    def before(self, run: RunState, count: int) -> RunState | None:
        if count < 1:
            return run
        runs = self._state.listed(run.flow)
        numbers = sorted(number for number in runs if number < run.number)
        return runs[numbers[-count]] if count <= len(numbers) else None

    def _listed(self, flow: str | None) -> Iterator[RunState]:
        """Newest first, but for those in the trash."""
        return (run for run in self._of(flow) if not run.in_trash)

    def _of(self, flow: str | None) -> Iterator[RunState]:
        """Newest first."""
        return (run for run in self._state if flow is None or run.flow == flow)


def _has_prefix(run: RunState, prefix: str) -> bool:
    ids = (run.manifest, run.opening)
    return any(raw is not None and raw.hex().startswith(prefix) for raw in ids)
