"""Which of two package versions is the later one."""

from __future__ import annotations

import operator as operators
import re
from collections.abc import Callable
from typing import Any

from mfv.query.expression import Operator

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
_VERSION = re.compile(
    r"v?(?:(\d+)!)?(\d+(?:\.\d+)*)"
    r"(?:[-_.]?(a|alpha|b|beta|c|rc|pre|preview)[-_.]?(\d*))?"
    r"(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?"
    r"(?:[-_.]?(dev)[-_.]?(\d*))?"
    r"(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?",
    re.IGNORECASE | re.ASCII,
)
_PRE = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}
_LATEST = "~"  # sorts behind every letter


def fits(version: str, sign: Operator, wanted: str) -> bool:
    """Whether `version` stands to `wanted` as asked.

    By the order of PEP 440. Of one that ends in `.*` the beginning counts, and equality disregards
    a local part that `wanted` has not. What is no version is equal to itself alone.
    """
    if wanted.endswith(".*") and sign in ("=", "!="):
        begins = f"{_release_text(version)}.".startswith(f"{_release_text(wanted[:-2])}.")
        return begins == (sign == "=")
    first, second = order_of(version), order_of(wanted)
    if first is None or second is None:
        return _COMPARE[sign](version, wanted) if sign in ("=", "!=") else False
    if "+" not in wanted:
        first = (*first[:-1], second[-1])
    return _COMPARE[sign](first, second)


def order_of(version: str) -> tuple[object, ...] | None:
    """A key by which versions sort; None for what is none."""
    found = _VERSION.fullmatch(version.strip())
    if found is None or len(version) > 200:
        return None
    epoch, release, pre, pre_number, post_plain, post, post_number, dev, dev_number, local = (
        found.groups()
    )
    numbers = [int(number) for number in release.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    is_post = post is not None or post_plain is not None
    letter = "" if dev and not pre and not is_post else _LATEST
    if pre:
        letter = _PRE.get(pre.lower(), pre.lower())
    locals_ = re.split(r"[-_.]", local.lower()) if local else []
    return (
        int(epoch or 0),
        tuple(numbers),
        (letter, int(pre_number or 0)),
        int(post_plain or post_number or 0) if is_post else -1,
        (0, int(dev_number or 0)) if dev else (1, 0),
        tuple((1, int(one), "") if one.isdecimal() else (0, 0, one) for one in locals_),
    )


def _release_text(version: str) -> str:
    found = _VERSION.match(version.strip())
    return found[2] if found else version
