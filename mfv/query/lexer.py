"""A query as words, each with its column."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from mfv.query.errors import QueryError

LONGEST = 10_000  # characters of a query

TokenKind = Literal["word", "string", "operator", "prefix", "open", "close", "comma", "end"]


class Token(NamedTuple):
    """`text` is what was meant: a string without its quotes; of a prefix what is behind it."""

    kind: TokenKind
    text: str
    column: int
    name: str = ""  # of a prefix: `tag` of `tag:prod`

    @property
    def shown(self) -> str:
        """As it is named in a message."""
        return "the end of the query" if self.kind == "end" else repr(self.text)


_SPACE = re.compile(r"\s+")
_OPERATOR = re.compile(r"==|!=|<=|>=|!~|=|<|>|~")
_STRING = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_PREFIX = re.compile(r"(tag|user|status|flow|step|code|package):")
_PREFIXED = re.compile(r"[^\s()\"',]+")
# A name may have quoted parts: params."learning rate".
_WORD = re.compile(r"(?:[^\s(),\"'<>=!~]|(?<=\.)\"(?:[^\"\\]|\\.)*\")+")
_SINGLE: dict[str, TokenKind] = {"(": "open", ")": "close", ",": "comma"}


def tokens(query: str) -> list[Token]:
    """The words of `query`, then one of the kind `end`; QueryError where there is none."""
    if len(query) > LONGEST:
        raise QueryError(f"a query has at most {LONGEST} characters", query[:80], 0)
    found: list[Token] = []
    place = 0
    while place < len(query):
        space = _SPACE.match(query, place)
        if space:
            place = space.end()
            continue
        token, place = _next(query, place)
        found.append(token)
    found.append(Token("end", "", len(query)))
    return found


def _next(query: str, place: int) -> tuple[Token, int]:
    character = query[place]
    if character in _SINGLE:
        return Token(_SINGLE[character], character, place), place + 1
    if character in "\"'":
        text, after = _string(query, place)
        return Token("string", text, place), after
    prefix = _PREFIX.match(query, place)
    if prefix:
        return _prefixed(query, place, prefix)
    operator = _OPERATOR.match(query, place)
    if operator:
        text = "=" if operator[0] == "==" else operator[0]
        return Token("operator", text, place), operator.end()
    word = _WORD.match(query, place)
    if word is None:
        raise QueryError(f"{character!r} means nothing here", query, place)
    return Token("word", word[0], place), word.end()


def _prefixed(query: str, place: int, prefix: re.Match[str]) -> tuple[Token, int]:
    start = prefix.end()
    if start < len(query) and query[start] in "\"'":
        text, after = _string(query, start)
        return Token("prefix", text, place, prefix[1]), after
    rest = _PREFIXED.match(query, start)
    if rest is None:
        raise QueryError(f"{prefix[0]} wants something right behind it", query, start)
    return Token("prefix", rest[0], place, prefix[1]), rest.end()


def _string(query: str, place: int) -> tuple[str, int]:
    found = _STRING.match(query, place)
    if found is None:
        raise QueryError("this quote is never closed", query, place)
    return unquoted(found[0]), found.end()


def unquoted(text: str) -> str:
    """A quoted string without its quotes; a backslash takes the next character as it is."""
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
