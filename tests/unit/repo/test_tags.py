"""Which names may be tags."""

from __future__ import annotations

import pytest

from mfv.errors import UsageError
from mfv.repo.tags import TAG_LIMIT, check_tag

GOOD = ["best", "v1.2", "team:prod", "a", "é", "日本", "x_y-z", "2024-01-01", "beef", "1a", "a=b"]

REVISIONS = ["../../x", "refs/x", "a..b", "HEAD", "head", "latest", "x.lock", "@{0}", "@", "@best"]
REVISIONS += ["a~1", "a^", "a@b", "a/b", "a\\b", "x{y}", "x*", "x?", "x[1]", "a.", ".a", ".mfv"]
OPTIONS = ["-d", "--force", "-"]
IDS = ["42", "0", "٣", "deadbeef", "DEADBEEF", "0" * 64]
TERMINAL = [
    "\x1b[31mred",
    "\x1b]0;t\x07",
    "\x1b]8;;http://x\x07y",
    "\x1b[2J",
    "\rOK",
    "a\nb",
    "a\tb",
]
INVISIBLE = [
    "a\u202eb",
    "a\u200bb",
    "\ufeffa",
    "a\u00a0b",
    "a b",
    " ",
    "\u2028",
    "a\0b",
    "\x7f",
    "\x9b1m",
]
OTHER = ["", "con", "NUL", "<script>", "a|b", "'", '"', "e\u0301", "\udcff", "x" * (TAG_LIMIT + 1)]
OTHER += ["é" * (TAG_LIMIT // 2 + 1)]


@pytest.mark.parametrize("tag", GOOD)
def test_a_plain_word_may_be_a_tag(tag: str) -> None:
    assert check_tag(tag) == tag


def test_a_tag_may_be_as_long_as_the_limit() -> None:
    assert check_tag("x" * TAG_LIMIT) == "x" * TAG_LIMIT


@pytest.mark.parametrize("tag", [*REVISIONS, *OPTIONS, *IDS, *TERMINAL, *INVISIBLE, *OTHER])
def test_what_reads_as_something_else_may_not(tag: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_tag(tag)
    assert caught.value.hint


@pytest.mark.parametrize("tag", [*TERMINAL, *INVISIBLE])
def test_the_refusal_itself_shows_no_control_character(tag: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_tag(tag)
    assert all(char.isprintable() for char in caught.value.message)
