"""Where mfv answers otherwise than Metaflow on purpose: each with its reason.

A place is a path into what `drive.play` gives, written with `/`; `*` stands for one part of it,
`**` at the end for all below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, NamedTuple


class Difference(NamedTuple):
    """A place at which both may differ."""

    place: str
    reason: str
    scenario: str = "*"


_UNTAKEN = (
    "Metaflow's client fails on a step that the graph leads to and the run never came to; mfv "
    "lists those that ran"
)
_ORPHAN = "of a resume that it refuses Metaflow leaves a run without a step"
_TIMEOUT = "the same class and sense in mfv's words"
_KEPT = "a task that is taken over keeps what it printed"
_CODES = "usage is 2 and not found 3, as of every command"
_LOOPS = "Metaflow takes every round of a loop for the parent and the child of every other one"
_OWN_ERRORS = "the runtime's own error, in mfv's class and words"
_OUTER_ITEM = "Metaflow forgets the item of the outer foreach in a join of the inner one"

_NO_SUCH_STEP = "Metaflow's dump of a step that is not there says so and ends well; mfv ends with 3"

KNOWN = (
    Difference("runs/*/tasks/*/code_is_none", "mfv keeps the code of local runs too"),
    Difference("commands/7/exit", _NO_SUCH_STEP, "linear_given"),
    Difference(
        "commands/5/exit", "what makes no sense as asked is 2, as of every command", "currently"
    ),
    Difference("commands/9/exit", "not found is 3, as of every command of mfv", "linear_given"),
    Difference(
        "dumped/*/_HIDDEN",
        "a private attribute of the class is code, which is kept as such, and no task's value",
        "linear_given",
    ),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "conflict"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "empty"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "too_wide"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "fails*"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "with_retry"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "switch*"),
    Difference("runs/*/steps_in/*/parents", _UNTAKEN, "switch*"),
    Difference("runs/*/data/late", _TIMEOUT, "catches"),
    Difference("runs/*/tasks/*/artifacts/late", _TIMEOUT, "catches"),
    Difference("runs/*/tasks/*/stdout", _KEPT, "*resumed*"),
    Difference("commands/*/out", _KEPT, "*resumed*"),
    Difference("commands/*/exit", _CODES, "resume_refused"),
    Difference("flow/latest", _ORPHAN, "resume_refused"),
    Difference("flow/listed", _ORPHAN, "resume_refused"),
    Difference("flow/elsewhere", _ORPHAN, "resume_refused"),
    Difference("runs/*/steps_in/*/children", _UNTAKEN, "resume_refused"),
    Difference("runs/*/tasks/*/children", _LOOPS, "recursion*"),
    Difference("runs/*/tasks/*/parents", _LOOPS, "recursion*"),
    Difference("runs/*/tasks/join/exception", _OWN_ERRORS, "conflict"),
    Difference("runs/*/tasks/start/exception", _OWN_ERRORS, "switch_bad"),
    Difference("runs/*/tasks/start/exception", _OWN_ERRORS, "empty"),
    Difference("runs/*/tasks/start/exception", _OWN_ERRORS, "too_wide"),
    Difference("runs/*/tasks/gather[[]*]/artifacts/here", _OUTER_ITEM, "nested"),
    Difference("runs/*/tasks/meet[[]*]/artifacts/pair", _OUTER_ITEM, "mixed"),
    Difference("runs/*/tasks/gather/artifacts/pairs", _OUTER_ITEM, "mixed"),
    Difference("runs/*/tasks/*/artifacts/result", _OUTER_ITEM, "mixed"),
    Difference("runs/*/data/result", _OUTER_ITEM, "mixed"),
)


def flat(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a JSON value with its path; an empty list or object is a leaf."""
    if isinstance(value, dict) and value:
        for key, inside in value.items():
            yield from flat(inside, f"{place}/{str(key).replace('/', '|')}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, inside in enumerate(value):
            yield from flat(inside, f"{place}/{number}")
    else:
        yield place.removeprefix("/"), json.dumps(value, ensure_ascii=False)


def differing(scenario: str, theirs: Any, ours: Any) -> list[str]:
    """What differs and is not known, one line for each place."""
    left, right = dict(flat(theirs)), dict(flat(ours))
    found = []
    for place in sorted({*left, *right}):
        one, other = left.get(place, "nothing"), right.get(place, "nothing")
        if one != other and not _is_known(scenario, place):
            found.append(f"{place}: Metaflow {one}, mfv {other}")
    return found


def _is_known(scenario: str, place: str) -> bool:
    return any(
        fnmatchcase(scenario, known.scenario) and _matches(place.split("/"), known.place.split("/"))
        for known in KNOWN
    )


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if pattern[-1] == "**":
        pattern = pattern[:-1]
        parts = parts[: len(pattern)]
    return len(parts) == len(pattern) and all(
        fnmatchcase(part, one) for part, one in zip(parts, pattern, strict=True)
    )
