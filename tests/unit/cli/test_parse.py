"""The quick reading of command lines: right where Typer is, and never sure where Typer is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfv.cli.command import Argument, Option, Param, params_of, parse
from mfv.cli.main import COMMANDS, declared, load
from mfv.cli.typed import application

PLAIN = st.text("abcxyz019./:@~=_äé ", min_size=1, max_size=6)
VALUES: dict[type, st.SearchStrategy[str]] = {
    str: PLAIN,
    int: st.integers(0, 10**6).map(str),
    float: st.floats(0, 1e6).map(repr),
}
APP = application("mfv", "git for ML runs.", declared())


def by_typer(name: str, words: list[str]) -> dict[str, Any]:
    bound = APP([name, *words], standalone_mode=False, prog_name="mfv")
    values: dict[str, Any] = bound.keywords
    return values


@st.composite
def option_words(draw: st.DrawFn, param: Param) -> list[str]:
    assert isinstance(param.marker, Option)
    flag = draw(st.sampled_from(param.marker.flags))
    if param.is_flag:
        return [flag]
    value = draw(VALUES[param.kind])
    if flag.startswith("--"):
        return draw(st.sampled_from([[flag, value], [f"{flag}={value}"]]))
    return draw(st.sampled_from([[flag, value], [f"{flag}{value}"]]))


@st.composite
def right_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command, and words that are right for it: options anywhere between the arguments."""
    name = draw(st.sampled_from(list(COMMANDS)))
    params = params_of(load(name))
    groups = []
    for param in params:
        if isinstance(param.marker, Argument):
            continue
        times = draw(st.integers(0, 2))
        groups += [draw(option_words(param)) for _ in range(times)]
    arguments: list[list[str]] = []
    for param in params:
        if not isinstance(param.marker, Argument):
            continue
        most = 3 if param.many else 1
        count = draw(st.integers(1 if param.required else 0, most))
        arguments += [[draw(VALUES[param.kind])] for _ in range(count)]
        if count < most:
            break  # what follows can only be left out too
    verbatim = any(param.is_rest for param in params)
    mixed = [*groups, *arguments] if verbatim else _shuffled(draw, groups, arguments)
    return name, [word for group in mixed for word in group]


def _shuffled(
    draw: st.DrawFn, groups: list[list[str]], arguments: list[list[str]]
) -> list[list[str]]:
    """Options in any order and place, arguments in their own order."""
    mixed = list(draw(st.permutations(groups)))
    place = 0
    for argument in arguments:
        place = draw(st.integers(place, len(mixed)))
        mixed.insert(place, argument)
        place += 1
    return mixed


@given(right_lines())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_right_line_is_read_as_typer_reads_it(line: tuple[str, list[str]]) -> None:
    name, words = line
    quick = parse(params_of(load(name)), words)
    assert quick is not None
    assert quick == by_typer(name, words)


@given(
    st.sampled_from(list(COMMANDS)),
    st.lists(
        st.one_of(
            PLAIN,
            st.sampled_from(["--", "-", "--json", "-n", "-n=1", "-d", "-dm", "--help", "--tag"]),
            st.text("-=jn1 ", max_size=5),
        ),
        max_size=5,
    ),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_read_quickly_is_read_as_typer_reads_it(name: str, words: list[str]) -> None:
    quick = parse(params_of(load(name)), words)
    if quick is not None:
        assert quick == by_typer(name, words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("log", ["--nope"]),
        ("log", ["-n"]),
        ("log", ["-n", "x"]),
        ("log", ["--json=1"]),
        ("log", ["a", "b"]),
        ("log", ["--help"]),
        ("cat", []),
        ("tag", ["-dm", "x"]),
    ],
)
def test_what_is_not_plainly_right_is_left_to_typer(name: str, words: list[str]) -> None:
    assert parse(params_of(load(name)), words) is None


def test_everything_behind_the_script_is_the_flow_s() -> None:
    values = parse(params_of(load("run")), ["flow.py", "--json", "--", "-x", "--help"])
    assert values == {
        "script": "flow.py",
        "compat": False,
        "words": ["--json", "--", "-x", "--help"],
    }
