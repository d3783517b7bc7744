"""Queries, patterns, templates and revisions that are typed, against names that somebody else chose."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import re

import pytest
from forge import Forge, with_fields
from hypothesis import given
from hypothesis import strategies as st
from sites import CANARY, Site

from mfv.manifest.artifact import Artifact
from mfv.query.evaluate import glob_pattern

USAGE, NOT_FOUND = 2, 3

# What is typed, and what it ends with. None leaves a canary, shows a secret, or takes for ever.
TYPED = {
    # Patterns made to take long.
    "where-nested-repeats": (["log", "--where", "note ~ '(a+)+$'"], USAGE),
    "where-nested-groups": (["log", "--where", "note ~ '((a*)*)*b'"], USAGE),
    "where-back-reference": (["log", "--where", r"note ~ '(a+)\1+$'"], USAGE),
    "where-many-repeats": (["log", "--where", "params.text ~ 'a*a*a*a*a*a*a*a*b'"], USAGE),
    "where-counted": (["log", "--where", "note ~ 'a{1,65535}{1,65535}'"], USAGE),
    "where-counted-2^32": (["log", "--where", "note ~ 'a{4294967296}'"], USAGE),
    "where-look-behind": (["log", "--where", "note ~ '(?<=a+)b'"], USAGE),
    "where-pattern-of-20000": (["log", "--where", f"note ~ '{'a?' * 5000}'"], USAGE),
    "where-groups-1000-deep": (["log", "--where", f"note ~ '{'(' * 400}a{')' * 400}'"], USAGE),
    "grep-nested-repeats": (["grep", "(a+)+$", "--params"], USAGE),
    "grep-no-pattern": (["grep", "(", "--code"], USAGE),
    "grep-groups-1000-deep": (["grep", "(" * 2000 + "a" + ")" * 2000, "--code"], USAGE),
    "glob-of-many-stars": (["log", "--where", "tag:" + "*a" * 200 + "b"], 0),
    "glob-of-brackets": (["log", "--where", "tag:[a"], 0),
    # Queries made to be too much.
    "where-1000-deep": (["log", "--where", "(" * 1000 + "x>0" + ")" * 1000], USAGE),
    "where-1000-nots": (["log", "--where", "not " * 1000 + "x>0"], USAGE),
    "where-1200-ors": (["log", "--where", " or ".join(["x>0"] * 1200)], 0),
    "where-of-100000": (["log", "--where", "x>" + "9" * 100_000], USAGE),
    "where-number-of-5000": (["log", "--where", "x>" + "9" * 5000], None),
    "where-number-1e999": (["log", "--where", "x>1e999"], None),
    "where-unclosed": (["log", "--where", "note = 'x"], USAGE),
    "where-nul": (["log", "--where", "x>0 \0"], USAGE),
    "where-escape": (["log", "--where", "\x1b[31mx>0"], USAGE),
    "where-sql": (["log", "--where", "x>0'; DROP TABLE runs; --"], USAGE),
    "where-sql-in-a-field": (["log", "--where", 'params."x) OR 1=1; --" = 1'], USAGE),
    "where-sql-in-a-value": (["log", "--where", "flow = \"' OR '1'='1\""], 0),
    "where-code": (["log", "--where", "__import__('os').system('x')"], USAGE),
    "where-time-far": (["log", "--since", "99999999999y"], 0),
    "where-version-long": (["log", "--where", "package:numpy>=" + "1." * 2000 + "1"], None),
    # Templates and columns.
    "format-attribute": (["log", "--format", "{run.__class__}"], USAGE),
    "format-attributes": (["log", "--format", "{name.__class__.__mro__}"], USAGE),
    "format-index": (["log", "--format", "{name[0]}"], USAGE),
    "format-conversion": (["log", "--format", "{name!r}"], USAGE),
    "format-nested": (["log", "--format", "{name:{x}}"], USAGE),
    "format-wide": (["log", "--format", "{name:>999}"], 0),
    "format-wider": (["log", "--format", "{name:>999999999}"], USAGE),
    "format-percent": (["log", "--format", "%(name)s %s %n"], 0),
    "columns-dunder": (["log", "--columns", "__class__,__dict__"], USAGE),
    "columns-sql": (["log", "--columns", "x; DROP TABLE runs"], USAGE),
    "sort-sql": (["log", "--sort", "started DESC; DROP TABLE runs"], USAGE),
    "group-sql": (["log", "--group-by", "flow) --"], USAGE),
    "number-huge": (["log", "-n", "9" * 400], None),
    "number-negative": (["log", "-n", "-5"], USAGE),
    # Revisions.
    "revision-huge": (["show", "9" * 5000], NOT_FOUND),
    "revision-up": (["show", "../../etc/passwd"], NOT_FOUND),
    "revision-absolute": (["show", "/etc/passwd"], NOT_FOUND),
    "revision-nul": (["show", "a\0b"], NOT_FOUND),
    "revision-escape": (["show", "\x1b[31m@"], NOT_FOUND),
    "revision-far-back": (["show", "@~" + "9" * 9], NOT_FOUND),
    "revision-back-1000-times": (["show", "@" + "~1" * 1000], NOT_FOUND),
    "revision-negative": (["show", "@{-999999999}"], NOT_FOUND),
    "revision-of-1e5-slashes": (["show", "@" + "/" * 100_000], USAGE),
    "revision-superscript": (["show", "\u00b2"], NOT_FOUND),
    "revision-arabic-digits": (["show", "\u0661"], NOT_FOUND),
    "revision-prefix-short": (["show", "a"], NOT_FOUND),
    "path-up": (["cat", "@:../../home/.bashrc"], NOT_FOUND),
    "path-absolute": (["cat", "@:/etc/passwd"], NOT_FOUND),
    "path-nul": (["cat", "@:a\0b"], NOT_FOUND),
    "ls-up": (["ls", "@:../.."], NOT_FOUND),
    "whence-folder": (["whence", "."], None),
    "whence-device": (["whence", "/dev/null"], None),
    "whence-nul": (["whence", "a\0b"], None),
    "blame-up": (["blame", "Flow", "file", "../../home/.bashrc"], NOT_FOUND),
    # What looks like an option.
    "dashes": (["show", "--", "-rf"], NOT_FOUND),
    "option-unknown": (["show", "--exec=id"], USAGE),
    "command-unknown": (["$(id)"], USAGE),
    "command-up": (["../../bin/sh"], USAGE),
}  # fmt: skip


def text_runs(made: Forge) -> None:
    text = "a" * 9000 + "!"
    for _ in range(2):
        made.run(
            opening=with_fields(
                parameters=(Artifact("text", "str", value=text), Artifact("lr", "float", value=0.5))
            )
        )


@pytest.mark.parametrize(("words", "status"), TYPED.values(), ids=TYPED)
def test_what_is_typed_is_answered_or_refused_in_time(
    site: Site, words: list[str], status: int | None
) -> None:
    text_runs(site.forge())
    done = next(iter(site.visit([words]).values()))
    assert done.status in ((0, 1, 2, 3) if status is None else (status,)), done
    assert len(done.out) < 100_000
    assert len(done.err) < 200_000
    assert list(site.root.rglob(CANARY)) == []
    assert "root:" not in done.out


@given(st.text("ab*?.\n", max_size=12), st.text("ab.\n", max_size=12))
def test_a_glob_finds_what_a_plain_pattern_finds(glob: str, name: str) -> None:
    plain = "".join(".*" if one == "*" else "." if one == "?" else re.escape(one) for one in glob)
    expected = re.fullmatch(plain, name, re.DOTALL) is not None
    assert (glob_pattern(glob).fullmatch(name) is not None) == expected


def test_a_glob_is_matched_in_time_whatever_it_is_matched_with() -> None:
    assert glob_pattern("*a" * 300 + "b").fullmatch("a" * 10_000) is None
