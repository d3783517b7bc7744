"""What a person types to mean one run, and what that names."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from mfv.errors import AmbiguousError, NotFoundError, UsageError, did_you_mean
from mfv.repo.names import RunState

_SHORTEST_PREFIX = 4  # hex digits
_HEX = re.compile(r"[0-9a-f]{4,64}")
_BACK = re.compile(r"(?P<base>.*)~(?P<count>\d{0,9})")
_AT = re.compile(r"(?P<flow>[^@]*)@(?:latest|\{(?P<back>-\d{1,9}|0)\})?")


class Names(Protocol):
    """Where runs are looked up. Runs come newest first; `flow`: of that flow alone.

    A run in the trash is found by its number and by its id alone.
    """

    def flows(self) -> Collection[str]: ...

    def tags(self) -> Collection[str]: ...

    def some_runs(self) -> Sequence[str]:
        """Names of runs that somebody may have meant."""
        ...

    def count(self, flow: str | None) -> int: ...

    def bounds(self, flow: str) -> tuple[int, int]:
        """The first and the last number of a flow that is there."""
        ...

    def numbered(self, number: int, flow: str | None) -> list[RunState]: ...

    def bearing(self, tag: str, flow: str | None) -> RunState | None:
        """The newest run that bears the tag."""
        ...

    def prefixed(self, prefix: str, flow: str | None) -> list[RunState]:
        """Those whose id, or opening's id, begins with these hex digits."""
        ...

    def newest(self, flow: str | None, back: int) -> RunState | None:
        """The newest run, or the one that many before it."""
        ...

    def before(self, run: RunState, count: int) -> RunState | None:
        """The run that is so many runs of its flow before this one."""
        ...


class Target(NamedTuple):
    """A run, and the path below it that was typed: step, task, artifact."""

    run: RunState
    path: tuple[str, ...]


def resolve(names: Names, text: str) -> RunState:
    """The one run that `text` means.

    `42` · `Flow/42` · `Flow@latest` · `Flow@{-1}` · `@` · `@{-1}` · a tag · a unique prefix of an
    id (4 hex digits or more) · any of them with `~N`: N runs of its flow before it.
    Raises NotFoundError with near names, AmbiguousError with the candidates.
    """
    target = resolve_target(names, text)
    if target.path:
        raise UsageError(
            f"{text!r} names something inside a run, and a run is wanted",
            hint=f"give the run alone: {target.run.name}",
        )
    return target.run


def resolve_target(names: Names, text: str) -> Target:
    """Like `resolve`, for a revision that may go on with `/step/task/artifact`."""
    parts = text.split("/")
    if parts[0] in names.flows() and "@" not in parts[0]:
        if len(parts) == 1:
            raise UsageError(
                f"{text!r} is a flow, and a run is wanted",
                hint=f"{text}@latest is its newest run",
            )
        run = _base(names, parts[1], flow=parts[0])
        return Target(run, tuple(parts[2:]))
    return Target(_base(names, parts[0], flow=None), tuple(parts[1:]))


def _base(names: Names, text: str, flow: str | None) -> RunState:
    count = 0
    while (back := _BACK.fullmatch(text)) and back["base"]:
        count += int(back["count"] or 1)
        text = back["base"]
    run = _named(names, text, flow)
    return _earlier(names, run, count) if count else run


def _named(names: Names, text: str, flow: str | None) -> RunState:
    at = _AT.fullmatch(text)
    if at:
        return _newest(names, at["flow"] or flow, -int(at["back"] or 0), text)
    found = _candidates(names, text, flow)
    if len(found) == 1:
        return found[0]
    if found:
        known = [run.name for run in found]
        raise AmbiguousError(
            f"{text!r} means {len(found)} runs: {_listed(known)}", known, hint="type one of them"
        )
    raise _unknown(names, text, flow)


def _candidates(names: Names, text: str, flow: str | None) -> list[RunState]:
    if text.isascii() and text.isdecimal() and len(text) < 19:
        numbered = names.numbered(int(text), flow)
        if numbered:
            return numbered
    bearer = names.bearing(text, flow)
    found = [] if bearer is None else [bearer]
    if _HEX.fullmatch(text):
        prefixed = names.prefixed(text, flow)
        found += [run for run in prefixed if bearer is None or run.name != bearer.name]
    return found


def _earlier(names: Names, run: RunState, count: int) -> RunState:
    found = names.before(run, count)
    if found is None:
        back = "run" if count == 1 else f"{count} runs"
        raise NotFoundError(
            f"there is no {back} of {run.flow} before {run.name}",
            hint=f"its first run is {run.flow}/{names.bounds(run.flow)[0]}",
        )
    return found


def _newest(names: Names, flow: str | None, back: int, text: str) -> RunState:
    if flow and flow not in names.flows():
        raise NotFoundError(f"there is no flow {flow!r}", hint=did_you_mean(flow, names.flows()))
    found = names.newest(flow or None, back)
    if found is not None:
        return found
    count = names.count(flow or None)
    if not count:
        raise NotFoundError("there are no runs yet", hint="`mfv run FLOW.py` makes one")
    raise NotFoundError(f"{text!r} goes back further than the {count} runs there are")


def _unknown(names: Names, text: str, flow: str | None) -> NotFoundError:
    if not names.flows():
        return NotFoundError(
            f"there is no run {text!r}: there are no runs yet", hint="`mfv run FLOW.py` makes one"
        )
    if flow is not None:
        first, last = names.bounds(flow)
        return NotFoundError(f"{flow} has no run {text!r}", hint=f"its runs are {first} to {last}")
    if text.isdecimal():
        return NotFoundError(f"there is no run {text}", hint="`mfv log` lists the runs")
    if len(text) < _SHORTEST_PREFIX and set(text) <= set("0123456789abcdef"):
        hint = f"an id prefix needs {_SHORTEST_PREFIX} digits; `mfv log` lists the runs"
        return NotFoundError(f"there is no run {text!r}", hint=hint)
    known = [*sorted(names.tags()), *names.flows(), *names.some_runs()]
    hint = did_you_mean(text, known) or "`mfv log` lists the runs, `mfv tag` the tags"
    return NotFoundError(f"there is no run or tag {text!r}", hint=hint)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
