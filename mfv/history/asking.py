"""What people say to choose among runs, turned into one question; for all that ask so."""

from __future__ import annotations

import time

from mfv.errors import NotFoundError, UsageError, did_you_mean
from mfv.history.history import History, SortKey
from mfv.query.check import check, check_field
from mfv.query.expression import And, Bears, Compare, Expression, Field
from mfv.query.fields import KNOWN, STATUSES
from mfv.query.moments import WANTED_TIME, moment_of
from mfv.query.parser import parse, parse_field

_FLOW = Field("flow", kind="text")
_STATUS = Field("status", kind="status")
_STARTED = Field("started", kind="time")


def expression(
    history: History,
    *,
    flow: str | None = None,
    tag: str | None = None,
    status: str | None = None,
    where: str | None = None,
    since: str | None = None,
    until: str | None = None,
) -> Expression | None:
    """All that is given, joined by `and`; None where nothing is.

    Raises NotFoundError, UsageError or QueryError, with near names, for what no run can be.
    """
    parts: list[Expression] = []
    if flow is not None:
        known = history.names.flows()
        if flow not in known:
            raise NotFoundError(f"there is no flow {flow!r}", hint=did_you_mean(flow, known))
        parts.append(Compare(_FLOW, "=", flow))
    if tag is not None:
        if history.names.bearing(tag, None) is None:
            hint = did_you_mean(tag, history.names.tags())
            raise NotFoundError(f"no run has the tag {tag!r}", hint=hint)
        parts.append(Bears("tag", tag, exact=True))
    if status is not None:
        if status not in STATUSES:
            hint = f"it is {', '.join(STATUSES)}"
            raise UsageError(f"there is no status {status!r}", hint=hint)
        parts.append(Compare(_STATUS, "=", status))
    if since is not None:
        parts.append(Compare(_STARTED, ">=", _moment(since)))
    if until is not None:
        parts.append(Compare(_STARTED, "<=", _moment(until)))
    if where is not None:
        asked = parse(where)
        check(asked, where, history.catalog)
        parts.append(asked)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def fields(history: History, text: str) -> list[Field]:
    """The fields that a list such as `name,lr,metrics.loss` names."""
    found = []
    for part in _parts(text):
        field = parse_field(part)
        check_field(field, part, history.catalog)
        found.append(field)
    return found


def sort_keys(history: History, text: str) -> list[SortKey]:
    """`accuracy,-started`: what to sort by; a dash, largest first."""
    found = []
    for part in _parts(text):
        descending = part.startswith("-")
        (field,) = fields(history, part.removeprefix("-"))
        if field.kind == "many":
            raise UsageError(f"a run has many {field.name}s, and cannot be sorted by them")
        found.append(SortKey(field, descending))
    return found


def _moment(text: str) -> int:
    moment = moment_of(text, time.time())
    if moment is None:
        raise UsageError(f"{text!r} is no time", hint=f"it takes {WANTED_TIME}")
    return moment


def _parts(text: str) -> list[str]:
    """The names between the commas that are in no quotes."""
    found, quoted = [""], False
    for char in text:
        quoted ^= char == '"'
        if char == "," and not quoted:
            found.append("")
        else:
            found[-1] += char
    parts = [part.strip() for part in found]
    if not all(parts):
        raise UsageError(f"{text!r} names nothing between two commas", hint=f"{', '.join(KNOWN)}")
    return parts
