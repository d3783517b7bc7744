"""One pattern of an ignore file as git matches it: its `wildmatch`, as a regular expression.

Libraries differ from git in corners: character classes by name, what `?` does with a letter of
several bytes, which brackets are malformed. Here patterns and paths are bytes, as they are there.
"""

from __future__ import annotations

import re

_SLASH = ord("/")
_SPECIAL = frozenset(b"*?[\\")
_ASCII = range(128)
_SPACE = frozenset(b" \t\n\r")  # git's own idea of it
_PRINT = frozenset(range(0x20, 0x7F))
_ALPHA = frozenset(c for c in _ASCII if chr(c).isalpha())
_DIGIT = frozenset(b"0123456789")
_CLASSES = {
    b"alnum": _ALPHA | _DIGIT,
    b"alpha": _ALPHA,
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset(_ASCII) - _PRINT,
    b"digit": _DIGIT,
    b"graph": _PRINT - _SPACE,
    b"lower": frozenset(c for c in _ASCII if chr(c).islower()),
    b"print": _PRINT,
    b"punct": _PRINT - _SPACE - _ALPHA - _DIGIT,
    b"space": _SPACE,
    b"upper": frozenset(c for c in _ASCII if chr(c).isupper()),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
}


class _MalformedError(Exception):
    """Git takes it for a pattern that nothing matches."""


def compile_pattern(pattern: bytes) -> re.Pattern[bytes] | None:
    """What the whole of a relative path, or of one name, must match; None if nothing does."""
    # Git compares what comes before the first special character by itself: a `**` behind it
    # stands at the beginning then, whatever it stood behind.
    plain = next((at for at, c in enumerate(pattern) if c in _SPECIAL), len(pattern))
    try:
        expression = re.escape(pattern[:plain]) + _translate(pattern[plain:])
    except _MalformedError:
        return None
    return re.compile(expression, re.DOTALL)


def _translate(pattern: bytes) -> bytes:
    found: list[bytes] = []
    at = 0
    while at < len(pattern):
        one = pattern[at : at + 1]
        if one == b"*":
            end = at + 1
            while pattern[end : end + 1] == b"*":
                end += 1
            rest = pattern[end:]
            first = at == 0 or pattern[at - 1] == _SLASH
            if end - at < 2 or not first or not (not rest or rest.startswith((b"/", b"\\/"))):
                found.append(b"[^/]*")
            elif rest.startswith(b"/"):
                found.append(b"(?:.*/)?")
                end += 1
            else:
                found.append(b".*")
            at = end
        elif one == b"?":
            found.append(b"[^/]")
            at += 1
        elif one == b"[":
            members, at = _bracket(pattern, at + 1)
            found.append(
                b"[%b]" % b"".join(b"\\x%02x" % c for c in members) if members else b"(?!)"
            )
        else:
            if one == b"\\":
                at += 1
                one = pattern[at : at + 1]
                if not one:
                    raise _MalformedError
            found.append(re.escape(one))
            at += 1
    return b"".join(found)


def _bracket(pattern: bytes, at: int) -> tuple[list[int], int]:
    """The bytes that a bracket expression matches, and where it ends; `at` is behind its `[`."""

    def peek(place: int) -> int:
        if place >= len(pattern):
            raise _MalformedError
        return pattern[place]

    negated = peek(at) in b"!^"
    at += negated
    members: set[int] = set()
    before: int | None = None  # what a `-` would range from
    first = True
    while first or peek(at) != ord("]"):
        first = False
        one = peek(at)
        following = pattern[at + 1 : at + 2]
        if one == ord("\\"):
            at += 1
            one = peek(at)
            members.add(one)
            before = one
        elif one == ord("-") and before is not None and following not in (b"", b"]"):
            at += 1
            if peek(at) == ord("\\"):
                at += 1
            members.update(range(before, peek(at) + 1))
            before = None
        elif one == ord("[") and following == b":":
            end = pattern.find(b"]", at + 2)
            if end < 0:
                raise _MalformedError
            if end == at + 2 or pattern[end - 1] != ord(":"):
                members.add(one)
                before = one
            else:
                name = pattern[at + 2 : end - 1]
                if name not in _CLASSES:
                    raise _MalformedError
                members |= _CLASSES[name]
                before = None
                at = end
        else:
            members.add(one)
            before = one
        at += 1
    wanted = set(range(256)) - members if negated else members
    return sorted(wanted - {_SLASH}), at + 1
