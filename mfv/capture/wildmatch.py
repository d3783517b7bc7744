"""One pattern of an ignore file as git matches it: its `wildmatch`, as a regular expression.

Libraries differ from git in corners: character classes by name, what `?` does with a letter of
several bytes, which brackets are malformed. Here patterns and paths are bytes, as they are there.
"""

from __future__ import annotations

import re

_STAR, _ANY, _DIRS = b"[^/]*", b".*", b"(?:.*/)?"
_WILD = frozenset((_STAR, _ANY, _DIRS))
_MOST_WILD = 3  # in a pattern that is a regular expression
_LONGEST = 16 << 10  # bytes of a pattern; a longer one matches nothing
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


def compile_pattern(pattern: bytes) -> re.Pattern[bytes] | Steps | None:
    """What the whole of a relative path, or of one name, must match; None if nothing does."""
    # Git compares what comes before the first special character by itself: a `**` behind it
    # stands at the beginning then, whatever it stood behind.
    plain = next((at for at, c in enumerate(pattern) if c in _SPECIAL), len(pattern))
    if len(pattern) > _LONGEST:
        return None
    try:
        pieces = [re.escape(pattern[at : at + 1]) for at in range(plain)]
        pieces += _translate(pattern[plain:])
    except _MalformedError:
        return None
    if sum(piece in _WILD for piece in pieces) > _MOST_WILD:
        return Steps(pieces)
    return re.compile(b"".join(pieces), re.DOTALL)


class Steps:
    """A pattern of many `*`, for which a regular expression would go back again and again.

    It is followed in all ways at once: so many steps as bytes and pieces, and no more.
    """

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._single = [
            None if piece in _WILD else re.compile(piece, re.DOTALL).fullmatch for piece in pieces
        ]

    def fullmatch(self, path: bytes) -> bool:
        """Whether the whole of `path` matches."""
        # Twice the place of the next piece; one more where a `**/` has begun and not ended.
        states = self._through({0})
        for at in range(len(path)):
            states = self._through(self._after(states, path[at : at + 1]))
            if not states:
                return False
        return 2 * len(self._pieces) in states

    def _after(self, states: set[int], byte: bytes) -> set[int]:
        found = set()
        for state in states:
            place = state // 2
            if place == len(self._pieces):
                continue
            piece, single = self._pieces[place], self._single[place]
            if single is not None:
                if single(byte):
                    found.add(state + 2)
            elif piece == _DIRS:
                found.add(2 * place + 1)
                if byte == b"/":
                    found.add(2 * place + 2)
            elif piece == _ANY or byte != b"/":
                found.add(state)
        return found

    def _through(self, states: set[int]) -> set[int]:
        """`states` with those that are reached without a byte, past what may match nothing."""
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            place = state // 2
            passes = state % 2 == 0 and place < len(self._pieces) and self._pieces[place] in _WILD
            if passes and state + 2 not in states:
                states.add(state + 2)
                waiting.append(state + 2)
        return states


def _translate(pattern: bytes) -> list[bytes]:
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
                found.append(_STAR)
            elif rest.startswith(b"/"):
                found.append(_DIRS)
                end += 1
            else:
                found.append(_ANY)
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
    return found


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
