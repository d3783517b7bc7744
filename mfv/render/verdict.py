"""A verification as text and as JSON."""

from __future__ import annotations

from typing import Any

from mfv.diff.rerun import (
    ALIKE,
    DIFFERENT,
    MISSING,
    NEW,
    SAME,
    UNKNOWN,
    VALUE,
    Compared,
    StepRerun,
    TaskRerun,
    Verdict,
)
from mfv.render.terminal import Paint
from mfv.render.text import cut, escape, table
from mfv.render.units import count, duration, number

_LISTED = 20  # artifacts
_UNLIKE = (DIFFERENT, UNKNOWN, MISSING, NEW)


def verdict_text(verdict: Verdict, *, width: int, paint: Paint) -> str:
    """The verdict in one line, a table of the steps, and what differs."""
    lines = [cut(_headline(verdict), width)]
    colour = "green" if verdict.rerun.status in ALIKE else "red"
    lines[0] = paint(lines[0], "bold", colour)
    times = f"{duration(verdict.seconds)}, and {duration(verdict.seconds_before)} before"
    lines.append(cut(f"  time         {times}", width))
    if verdict.made:
        lines.append(cut(f"  environment  made anew: {escape(verdict.made)}", width))
    for text in verdict.environment[:5]:
        lines.append(cut(f"  not as then  {escape(text)}", width))
    if len(verdict.environment) > 5:
        lines.append(f"  not as then  and {len(verdict.environment) - 5} more")
    head = ("step", "tasks", "same", "same value", "different", "max |d|", "")
    rows = [head, *(_row(step) for step in verdict.rerun.steps)]
    if not any(row[6] for row in rows):
        rows = [row[:6] for row in rows]
    right = frozenset({1, 2, 3, 4, 5})
    body = table(rows, width=width - 2, right=right, shrink=0)
    lines += ["", paint(f"  {body[0]}", "dim"), *(f"  {line}" for line in body[1:])]
    told = [row for step in verdict.rerun.steps for task in step.tasks for row in _unlike(task)]
    if told:
        title = "not the same" if verdict.rerun.status == DIFFERENT else "the same value"
        lines += ["", paint(title, "bold")]
        body = table(told[:_LISTED], width=width - 2, shrink=3)
        lines += [f"  {line}" for line in body]
        if len(told) > _LISTED:
            lines.append(f"  and {len(told) - _LISTED} more (--json lists all)")
    if any(one.status == UNKNOWN for step in verdict.rerun.steps for one in _all(step)):
        hint = "--load loads values whose bytes say too little, and compares them; it runs code"
        lines += ["", paint(cut(hint, width), "dim")]
    return "\n".join(lines)


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """A verification for `--json`."""
    rerun = verdict.rerun
    return {
        "run": verdict.run,
        "again": verdict.again,
        "verdict": rerun.status,
        "first_different": rerun.first_different,
        "ending": rerun.ending or None,
        "seconds_before": verdict.seconds_before,
        "seconds": verdict.seconds,
        "environment": list(verdict.environment),
        "made": verdict.made or None,
        "steps": [
            {
                "step": step.name,
                "verdict": step.status,
                "deterministic": not step.is_origin,
                "same": step.same,
                "tasks": [_task_json(task) for task in step.tasks],
            }
            for step in rerun.steps
        ],
    }


def _task_json(task: TaskRerun) -> dict[str, Any]:
    return {
        "task": task.place,
        "before": task.before,
        "after": task.after,
        "verdict": task.status,
        "given_the_same": task.given_the_same,
        "same": task.same,
        "what": task.what or None,
        "artifacts": [
            {
                "name": one.name,
                "type": one.type,
                "verdict": one.status,
                "max_difference": one.difference,
                "what": one.what or None,
            }
            for one in task.artifacts
        ],
    }


def _headline(verdict: Verdict) -> str:
    rerun, name = verdict.rerun, escape(verdict.run)
    same = count(sum(step.same for step in rerun.steps), "artifact")
    values = sum(step.count(VALUE) for step in rerun.steps)
    if rerun.status == SAME:
        return f"{name} is reproduced: {same}, all the same bytes"
    if rerun.status == VALUE:
        return f"{name} is reproduced: {same} the same bytes, {values} the same value"
    if rerun.first_different is None:
        return f"{name} is not reproduced: {escape(rerun.ending)}"
    step = escape(rerun.first_different)
    if any(one.is_origin for one in rerun.steps):
        return f"{name} is not reproduced: step {step} is not deterministic"
    return f"{name} is not reproduced: it differs from step {step} on"


def _row(step: StepRerun) -> tuple[str, ...]:
    differences = [one.difference for one in _all(step) if one.difference is not None]
    different = step.count(*_UNLIKE) + sum(bool(task.what) for task in step.tasks)
    why = ""
    if step.status not in ALIKE:
        why = "not deterministic" if step.is_origin else "was given other things"
    return (
        escape(step.name),
        str(len(step.tasks)),
        str(step.same),
        str(step.count(VALUE) or ""),
        str(different or ""),
        number(max(differences), 3) if differences else "",
        why,
    )


def _unlike(task: TaskRerun) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    if task.what:
        rows.append((escape(task.place), task.status, "", escape(task.what)))
    for one in task.artifacts:
        largest = "" if one.difference is None else f"max |d| {number(one.difference, 3)}"
        what = escape(one.what)
        rows.append((escape(f"{task.place}/{one.name}"), one.status, largest, what))
    return rows


def _all(step: StepRerun) -> list[Compared]:
    return [one for task in step.tasks for one in task.artifacts]
