"""What a person types to mean one run, and what that names."""

from __future__ import annotations

import re
from typing import NamedTuple

from mfv.errors import AmbiguousError, NotFoundError, UsageError, did_you_mean
from mfv.repo.names import RunState, State

_SHORTEST_PREFIX = 4  # hex digits
_HEX = re.compile(r"[0-9a-f]{4,64}")
_BACK = re.compile(r"(?P<base>.*)~(?P<count>\d{0,9})")
_AT = re.compile(r"(?P<flow>[^@]*)@(?:latest|\{(?P<back>-\d{1,9}|0)\})?")


class Target(NamedTuple):
    """A run, and the path below it that was typed: step, task, artifact."""

    run: RunState
    path: tuple[str, ...]


def resolve(state: State, text: str) -> RunState:
    """The one run that `text` means.

    `42` · `Flow/42` · `Flow@latest` · `Flow@{-1}` · `@` · `@{-1}` · a tag · a unique prefix of an
    id (4 hex digits or more) · any of them with `~N`: N runs of its flow before it.
    Raises NotFoundError with near names, AmbiguousError with the candidates.
    """
    target = resolve_target(state, text)
    if target.path:
        raise UsageError(
            f"{text!r} names something inside a run, and a run is wanted",
            hint=f"give the run alone: {target.run.name}",
        )
    return target.run


def resolve_target(state: State, text: str) -> Target:
    """Like `resolve`, for a revision that may go on with `/step/task/artifact`."""
    parts = text.split("/")
    if parts[0] in state.runs and "@" not in parts[0]:
        if len(parts) == 1:
            raise UsageError(
                f"{text!r} is a flow, and a run is wanted",
                hint=f"{text}@latest is its newest run",
            )
        run = _base(state, parts[1], flow=parts[0])
        return Target(run, tuple(parts[2:]))
    return Target(_base(state, parts[0], flow=None), tuple(parts[1:]))


def _base(state: State, text: str, flow: str | None) -> RunState:
    count = 0
    while (back := _BACK.fullmatch(text)) and back["base"]:
        count += int(back["count"] or 1)
        text = back["base"]
    run = _named(state, text, flow)
    return _earlier(state, run, count) if count else run


def _named(state: State, text: str, flow: str | None) -> RunState:
    at = _AT.fullmatch(text)
    if at:
        return _newest(state, at["flow"] or flow or "", -int(at["back"] or 0), text)
    found = _candidates(state, text, flow)
    if len(found) == 1:
        return found[0]
    if found:
        names = [run.name for run in found]
        raise AmbiguousError(
            f"{text!r} means {len(found)} runs: {_listed(names)}", names, hint="type one of them"
        )
    raise _unknown(state, text, flow)


def _candidates(state: State, text: str, flow: str | None) -> list[RunState]:
    runs = [run for run in state if flow is None or run.flow == flow]
    if text.isascii() and text.isdecimal() and len(text) < 19:
        numbered = [run for run in runs if run.number == int(text)]
        if numbered:
            return numbered
    found = [run for run in runs if text in run.tags][:1]  # the newest that bears it
    if _HEX.fullmatch(text):
        prefixed = (run for run in runs if run not in found and _has_prefix(run, text))
        found.extend(prefixed)
    return found


def _has_prefix(run: RunState, prefix: str) -> bool:
    ids = (run.manifest, run.opening)
    return any(raw is not None and raw.hex().startswith(prefix) for raw in ids)


def _earlier(state: State, run: RunState, count: int) -> RunState:
    numbers = sorted(state.runs[run.flow])
    place = numbers.index(run.number) - count
    if place < 0:
        back = "run" if count == 1 else f"{count} runs"
        raise NotFoundError(
            f"there is no {back} of {run.flow} before {run.name}",
            hint=f"its first run is {run.flow}/{numbers[0]}",
        )
    return state.runs[run.flow][numbers[place]]


def _newest(state: State, flow: str, back: int, text: str) -> RunState:
    if flow and flow not in state.runs:
        raise NotFoundError(f"there is no flow {flow!r}", hint=did_you_mean(flow, state.runs))
    runs = [run for run in state if not flow or run.flow == flow]
    if not runs:
        raise NotFoundError("there are no runs yet", hint="`mfv run FLOW.py` makes one")
    if back >= len(runs):
        raise NotFoundError(f"{text!r} goes back further than the {len(runs)} runs there are")
    return runs[back]


def _unknown(state: State, text: str, flow: str | None) -> NotFoundError:
    if not state.runs:
        return NotFoundError(
            f"there is no run {text!r}: there are no runs yet", hint="`mfv run FLOW.py` makes one"
        )
    if flow is not None:
        numbers = sorted(state.runs[flow])
        return NotFoundError(
            f"{flow} has no run {text!r}", hint=f"its runs are {numbers[0]} to {numbers[-1]}"
        )
    if text.isdecimal():
        return NotFoundError(f"there is no run {text}", hint="`mfv log` lists the runs")
    if len(text) < _SHORTEST_PREFIX and set(text) <= set("0123456789abcdef"):
        hint = f"an id prefix needs {_SHORTEST_PREFIX} digits; `mfv log` lists the runs"
        return NotFoundError(f"there is no run {text!r}", hint=hint)
    known = [*state.tags(), *state.runs, *(run.name for run in state)]
    hint = did_you_mean(text, known) or "`mfv log` lists the runs, `mfv tag` the tags"
    return NotFoundError(f"there is no run or tag {text!r}", hint=hint)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:6])
    return shown if len(names) <= 6 else f"{shown} and {len(names) - 6} more"
