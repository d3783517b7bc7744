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
        return {tag for run in self._state for tag in run.tags}

    def some_runs(self) -> list[str]:
        return [run.name for run in self._state]

    def count(self, flow: str | None) -> int:
        runs = self._state.runs
        if flow is None:
            return sum(map(len, runs.values()))
        return len(runs.get(flow, ()))

    def bounds(self, flow: str) -> tuple[int, int]:
        numbers = self._state.runs[flow]
        return min(numbers), max(numbers)

    def numbered(self, number: int, flow: str | None) -> list[RunState]:
        return [run for run in self._of(flow) if run.number == number]

    def bearing(self, tag: str, flow: str | None) -> RunState | None:
        return next((run for run in self._of(flow) if tag in run.tags), None)

    def prefixed(self, prefix: str, flow: str | None) -> list[RunState]:
        return [run for run in self._of(flow) if _has_prefix(run, prefix)]

    def newest(self, flow: str | None, back: int) -> RunState | None:
        runs = list(self._of(flow))
        return runs[back] if back < len(runs) else None

    def before(self, run: RunState, count: int) -> RunState | None:
        runs = self._state.runs.get(run.flow, {})
        numbers = sorted(number for number in runs if number < run.number)
        return runs[numbers[-count]] if count <= len(numbers) else None

    def _of(self, flow: str | None) -> Iterator[RunState]:
        """Newest first."""
        return (run for run in self._state if flow is None or run.flow == flow)


def _has_prefix(run: RunState, prefix: str) -> bool:
    ids = (run.manifest, run.opening)
    return any(raw is not None and raw.hex().startswith(prefix) for raw in ids)
