"""Ignore rules mean what they mean to git: compared with `git check-ignore` over random ones."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfv.capture import wildmatch
from mfv.capture.ignore import IgnoreRules

NAMES = [
    "a",
    "b",
    "ab",
    "a.b",
    "é",
    "#a",
    "!a",
    "a b",
    "a ",
    "-",
    "]",
    "[",
    "\\",
    "A",
    "*",
    "a-",
    "^",
]
PIECES = [
    *("a", "b", "c", ".", "é", "#", "!", " ", "-", "]", "[", "\\", "A", "^", "\t"),
    *("*", "?", "**", "/", "/", "***", "*/", "/**", "**/", "[ab]", "[!a]", "[^a]", "[a-c]"),
    *("[]a]", "[!]a]", "[a-]", "[-a]", "[[:alpha:]]", "[[:space:]b]", "[\\]]", "[\\a-b]", "[a"),
    *("\\*", "\\?", "\\[", "\\a", "\\\\", "\\ ", "[[:no:]]", "[b-a]", "[!", "[a-\\b]", "[*]"),
]
LINE = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "", "!", "/", "!/", "\\!", "\\#", "**/"]),
        st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join),
        st.sampled_from(["", "", "", "/", " ", "  ", "\r", "/**", "\\ ", "/*"]),
    ),
)
RULES = st.lists(LINE, max_size=5).map("\n".join)
FOLDERS = ["", "a", "a/b", "b"]
PATHS = st.lists(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join), min_size=1, max_size=20
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that has folders, and nothing else."""
    folder = tmp_path_factory.mktemp("ignore")
    subprocess.run(["git", "init", "-q", os.fspath(folder)], check=True)
    (folder / ".git" / "info" / "exclude").write_text("")
    for inner in FOLDERS:
        (folder / inner).mkdir(exist_ok=True)
    return folder


def ignored_by_git(folder: Path, paths: list[str]) -> set[str]:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", "-C", os.fspath(folder), "check-ignore", "--no-index", "-z", "--stdin"],
        input="\0".join(paths).encode(),
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {os.fsdecode(path) for path in done.stdout.split(b"\0")[:-1]}


def ignored_by_us(folder: Path, paths: list[str]) -> set[str]:
    rules = IgnoreRules(os.fsencode(folder), b".gitignore")
    rules.enter(b"")
    entered: dict[bytes, bool] = {b"": True}

    def ignores(path: bytes) -> bool:
        above = ancestors(path)
        for one in above:
            if one not in entered:
                entered[one] = not rules.ignores(one, is_folder=True)
                if entered[one]:
                    rules.enter(one)
            if not entered[one]:
                return True
        return rules.ignores(path)

    return {path for path in paths if ignores(os.fsencode(path))}


def ancestors(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:end]) for end in range(1, len(parts))]


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.fixed_dictionaries({"": RULES}, optional={"a": RULES, "a/b": RULES}), PATHS)
def test_rules_mean_what_they_mean_to_git(
    folder: Path, rules: dict[str, str], paths: list[str]
) -> None:
    paths = sorted(set(paths) - set(FOLDERS))
    if not paths:
        return
    for inner in FOLDERS:
        (folder / inner / ".gitignore").unlink(missing_ok=True)
        if inner in rules:
            (folder / inner / ".gitignore").write_text(rules[inner], "utf-8", newline="")
    assert ignored_by_us(folder, paths) == ignored_by_git(folder, paths)


@pytest.mark.parametrize(
    ("rule", "path", "ignored"),
    [
        ("[[:alpha:]]", "a", True),
        ("[[:digit:][:upper:]]", "A", True),
        ("[[:no:]]", "n", False),  # malformed: nothing matches it
        ("[!b]", "a", True),
        ("[]a]", "]", True),
        ("[A-\\]b]", "\\", True),
        ("a[/]b", "a/b", False),  # no bracket matches a slash
        ("?", "é", False),  # a letter of two bytes
        ("??", "é", True),
        ("a\\", "a", False),
        ("/a/b**/c", "a/bx/d/c", True),  # git compares `a/b` first: then `**` stands by itself
        ("*b**/c", "xb/d/c", False),
        ("a\\ ", "a ", True),
        ("a\\\\ ", "a\\", True),
    ],
)
def test_the_corners_are_git_s_own(folder: Path, rule: str, path: str, ignored: bool) -> None:
    for inner in FOLDERS:
        (folder / inner / ".gitignore").unlink(missing_ok=True)
    (folder / ".gitignore").write_text(rule + "\n", "utf-8")
    assert (path in ignored_by_git(folder, [path])) == ignored
    assert (path in ignored_by_us(folder, [path])) == ignored


@given(st.text("ab*?/", max_size=9), st.text("ab/", max_size=8))
def test_a_pattern_of_many_stars_matches_as_one_of_few(pattern: str, path: str) -> None:
    pieces = wildmatch._translate(pattern.encode())
    expected = re.compile(b"".join(pieces), re.DOTALL).fullmatch(path.encode()) is not None
    assert wildmatch.Steps(pieces).fullmatch(path.encode()) == expected
