"""A query read into its tree, by recursive descent.

query   = and { "or" and }
and     = not { "and" not }
not     = "not" not | "(" query ")" | term
term    = prefix:text
        | field ( "=" | "==" | "!=" | "<" | "<=" | ">" | ">=" ) value
        | field ( "~" | "!~" ) value
        | field [ "not" ] "in" "(" value { "," value } ")"
        | field
"""

from __future__ import annotations

import re
import time

from mfv.errors import did_you_mean
from mfv.query import moments
from mfv.query.errors import QueryError
from mfv.query.expression import (
    Among,
    And,
    Bears,
    Compare,
    Expression,
    Field,
    Has,
    Matches,
    Not,
    Operator,
    Or,
    PackageIs,
    Plain,
)
from mfv.query.fields import ALIASES, KNOWN, SECTIONS, STATUSES
from mfv.query.lexer import Token, tokens, unquoted
from mfv.query.patterns import check_pattern

_DEEPEST = 50  # parentheses and `not` within each other
_PACKAGE = re.compile(r"\s*([A-Za-z0-9][\w.-]*?)\s*(?:(==|=|!=|<=|>=|<|>)\s*([\w.!+*-]+)\s*)?")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_QUOTED_NAME = re.compile(r'(\w+)\."((?:[^"\\]|\\.)*)"')
_FLAGS = {"true": True, "false": False, "none": None, "null": None}


def parse(query: str, *, now: float | None = None) -> Expression:
    """The tree of `query`; QueryError that points at what is wrong with it.

    `now`: seconds since 1970, from which `2w` and `yesterday` count back.
    """
    return _Parser(query, time.time() if now is None else now).whole()


def parse_field(text: str) -> Field:
    """A field by itself, as `--sort` and `--columns` take it; QueryError."""
    parser = _Parser(text, 0.0)
    field = parser.field(parser.take())
    parser.expect_end()
    return field


class _Parser:
    def __init__(self, query: str, now: float) -> None:
        self._query, self._now = query, now
        self._tokens = tokens(query)
        self._place = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._ahead.kind == "end":
            raise self._wrong("the query is empty", self._ahead)
        found = self._any_of()
        self.expect_end()
        return found

    def take(self) -> Token:
        token = self._ahead
        self._place += token.kind != "end"
        return token

    def expect_end(self) -> None:
        token = self._ahead
        if token.kind == "close":
            raise self._wrong("this parenthesis was never opened", token)
        if token.kind != "end":
            raise self._wrong(f"'and' or 'or' is wanted before {token.shown}", token)

    @property
    def _ahead(self) -> Token:
        return self._tokens[self._place]

    def _wrong(self, message: str, token: Token, hint: str | None = None) -> QueryError:
        return QueryError(message, self._query, token.column, hint=hint)

    def _is_word(self, word: str) -> bool:
        return self._ahead.kind == "word" and self._ahead.text.lower() == word

    def _any_of(self) -> Expression:
        parts = [self._all_of()]
        while self._is_word("or"):
            self.take()
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all_of(self) -> Expression:
        parts = [self._negated()]
        while self._is_word("and"):
            self.take()
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negated(self) -> Expression:
        token = self._ahead
        if token.kind != "open" and not self._is_word("not"):
            return self._term()
        if self._depth == _DEEPEST:
            raise self._wrong(f"a query is at most {_DEEPEST} levels deep", token)
        self._depth += 1
        self.take()
        if token.kind == "open":
            found = self._any_of()
            if self.take().kind != "close":
                raise self._wrong("this parenthesis is never closed", token)
        else:
            found = Not(self._negated())
        self._depth -= 1
        return found

    def _term(self) -> Expression:
        token = self.take()
        if token.kind == "prefix":
            return self._prefixed(token)
        field = self.field(token)
        if self._ahead.kind == "operator":
            return self._compared(field)
        negated = self._is_word("not")
        if negated or self._is_word("in"):
            self.take()
            if negated and not self._is_word("in"):
                raise self._wrong(f"'in' is wanted here, not {self._ahead.shown}", self._ahead)
            if negated:
                self.take()
            among = Among(field, tuple(value for value, _ in self._list(field)))
            return Not(among) if negated else among
        if field.kind not in ("any", "text", "many"):
            raise self._wrong(f"a comparison is wanted behind {field.text}", self._ahead)
        return Has(field)

    def field(self, token: Token) -> Field:
        if token.kind != "word" or _NUMBER.fullmatch(token.text):
            raise self._wrong(
                f"a field is wanted here, not {token.shown}",
                token,
                "params.NAME, metrics.NAME, NAME, status, started, duration, tag:NAME, …",
            )
        text = token.text
        quoted = _QUOTED_NAME.fullmatch(text)
        section, dot, name = quoted.expand(r"\1").partition(".") if quoted else text.partition(".")
        if quoted:
            dot, name = ".", unquoted(f'"{quoted[2]}"')
        section = ALIASES.get(section, section)
        if dot and section in SECTIONS:
            if not name:
                raise self._wrong(f"a name is wanted behind {section}.", token)
            return Field(name, section, column=token.column)
        if text in KNOWN:
            return Field(text, kind=KNOWN[text], column=token.column)
        return Field(text, column=token.column)

    def _compared(self, field: Field) -> Expression:
        operator = self.take()
        if operator.text in ("~", "!~"):
            return self._matched(field, operator)
        value, column = self._value(field)
        if field.kind == "many":
            raise self._wrong(
                f"a run has many of these: say {field.name}:{value}",
                operator,
            )
        sign: Operator = operator.text  # type: ignore[assignment]
        orders = sign not in ("=", "!=")
        if orders and (value is None or isinstance(value, bool) or field.kind == "status"):
            raise self._wrong(f"{field.text} has no order: only = and != compare it", operator)
        if self._ahead.kind == "operator":
            raise self._wrong("two things are compared at a time: join them by 'and'", self._ahead)
        if value is None:
            has: Expression = Has(field)
            return Not(has) if sign == "=" else has
        return Compare(field, sign, value, column)

    def _matched(self, field: Field, operator: Token) -> Expression:
        if field.kind not in ("any", "text", "status"):
            raise self._wrong(f"{field.text} is no text, and ~ searches in text", operator)
        token = self.take()
        if token.kind not in ("word", "string"):
            raise self._wrong(f"a pattern is wanted here, not {token.shown}", token)
        problem = check_pattern(token.text)
        if problem is not None:
            raise self._wrong(f"this pattern cannot be used: {problem}", token)
        matches = Matches(field, token.text)
        return Not(matches) if operator.text == "!~" else matches

    def _list(self, field: Field) -> list[tuple[Plain, int]]:
        if self._ahead.kind != "open":
            raise self._wrong("'in' wants a list: in (a, b)", self._ahead)
        self.take()
        found = [self._value(field)]
        while (token := self.take()).kind == "comma":
            found.append(self._value(field))
        if token.kind != "close":
            raise self._wrong(f"',' or ')' is wanted here, not {token.shown}", token)
        return found

    def _value(self, field: Field) -> tuple[Plain, int]:
        token = self.take()
        if token.kind not in ("word", "string"):
            raise self._wrong(f"a value is wanted here, not {token.shown}", token)
        return self._converted(field, token), token.column

    def _converted(self, field: Field, token: Token) -> Plain:
        text = token.text
        match field.kind:
            case "time":
                moment = moments.moment_of(text, self._now)
                if moment is None:
                    raise self._wrong(f"{text!r} is no time", token, moments.WANTED_TIME)
                return moment
            case "duration":
                seconds = moments.seconds_of(text)
                if seconds is None:
                    raise self._wrong(f"{text!r} is no duration", token, moments.WANTED_DURATION)
                return seconds
            case "number":
                number = _number(text)
                if number is None:
                    raise self._wrong(f"{field.text} is a number, and {text!r} is none", token)
                return number
            case "status":
                if text not in STATUSES:
                    hint = did_you_mean(text, STATUSES) or f"it is {', '.join(STATUSES)}"
                    raise self._wrong(f"there is no status {text!r}", token, hint)
                return text
            case "text" | "many":
                return text
        if token.kind == "string":
            return text
        if text.lower() in _FLAGS:
            return _FLAGS[text.lower()]
        number = _number(text)
        return text if number is None else number

    def _prefixed(self, token: Token) -> Expression:
        if token.name == "package":
            return self._package(token)
        if token.name == "status":
            field = Field("status", kind="status", column=token.column)
            place = token._replace(column=token.column + len("status:"))
            return Compare(field, "=", self._converted(field, place), place.column)
        return Bears(token.name, token.text, token.column + len(token.name) + 1)

    def _package(self, token: Token) -> Expression:
        found = _PACKAGE.fullmatch(token.text)
        if found is None:
            raise self._wrong(
                f"{token.text!r} is no package", token, "package:numpy or package:numpy<2"
            )
        name, sign, version = found[1], found[2], found[3] or ""
        operator: Operator | None = "=" if sign == "==" else sign  # type: ignore[assignment]
        return PackageIs(name, operator, version)


def _number(text: str) -> int | float | None:
    """The finite number that `text` is."""
    if not _NUMBER.fullmatch(text):
        return None
    try:
        found = int(text)
        return found if abs(found) < 1 << 63 else float(found)
    except (ValueError, OverflowError):
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if abs(number) != float("inf") else None
