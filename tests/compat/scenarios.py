"""The table: which flow is run how, and what is asked of it on its command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Scenario(NamedTuple):
    """Command lines of one flow, in their order.

    `{run}` stands for the newest run's number, `{run0}` for the first one's. A word `NAME=value`
    before the first other word is a variable for that command alone. Files are made before.
    """

    flow: str  # file below flows/, without .py
    lines: tuple[str, ...]
    files: Mapping[str, str] = {}
    more: tuple[str, ...] = ()  # flows that must lie beside it


def look(step: str) -> tuple[str, ...]:
    """What every scenario asks of its last run on the command line."""
    return (
        f"dump {{run}}/{step} --file dump.pkl",
        f"logs {{run}}/{step} --stdout",
        "tag list --run-id {run} --flat",
    )


SETTINGS = {
    "settings.json": '{"name": "from a file", "size": 12}',
    "plain.cfg": "a=1\nb=2\n",
    "other.json": '{"name": "another", "size": 5}',
}
WORDS = {"words.txt": "one\ntwo\ngrößer\n", "other.txt": "three\n"}

TABLE: dict[str, Scenario] = {
    "linear": Scenario("linear", ("run --tag trial --tag night", *look("start"))),
    "linear_given": Scenario(
        "linear",
        (
            "METAFLOW_RUN_FROM_VARIABLE=9 run --count 3 --rate 2 --flag true --word=eins"
            " --whole 8 --names p,q,r --table [1,{}] --called x --absent here --with-dash 4",
            "check",
            "run --count three",
            "run --nosuch 1",
            "run --table {",
            "nosuch",
            "dump {run}/middle --private --file dump.pkl",
            "dump {run}/nosuch --file none.pkl",
            "logs {run}/start",
            "logs {run}/nosuch",
        ),
    ),
    "inherit": Scenario("inherit", ("run --alpha 4", *look("middle"))),
    "branch": Scenario("branch", ("run", *look("a"))),
    "conflict": Scenario("conflict", ("run", *look("join"))),
    "foreach": Scenario("foreach", ("run --max-workers 2", *look("each"))),
    "nested": Scenario("nested", ("run", *look("inner"))),
    "mixed": Scenario("mixed", ("run", *look("up"))),
    "switch": Scenario("switch", ("run", "run --way long", *look("more"))),
    "switch_bad": Scenario("switch", ("run --way sideways", *look("start"))),
    "switch_foreach": Scenario("switch_foreach", ("run", *look("odd"))),
    "switch_branch": Scenario("switch_branch", ("run", *look("two"))),
    "recursion": Scenario("recursion", ("run", *look("loop"))),
    "recursion_once": Scenario("recursion", ("run --rounds 1", *look("loop"))),
    "recursion_foreach": Scenario("recursion_foreach", ("run", *look("loop"))),
    "parallel": Scenario("parallel", ("run", *look("join"))),
    "empty": Scenario("empty", ("run", *look("start"))),
    "too_wide": Scenario("foreach", ("run --max-num-splits 2", *look("start"))),
    "kinds": Scenario("kinds", ("run", *look("middle"))),
    "fails": Scenario("fails", ("run --alpha 3 --tag trial", *look("middle"))),
    "fails_resumed": Scenario(
        "fails",
        (
            "run --alpha 3 --tag trial",
            "MENDED=1 resume",
            *look("middle"),
        ),
    ),
    "resume_refused": Scenario(
        "fails",
        (
            "resume",
            "run --alpha 3",
            "resume --origin-run-id 12345678901",
            "resume nosuch",
            "resume --alpha 4",
            *look("middle"),
        ),
    ),
    "resumed_from_a_step": Scenario(
        "fails",
        ("MENDED=1 run --alpha 2", "MENDED=1 resume middle --origin-run-id {run0}", *look("start")),
    ),
    "fails_foreach": Scenario(
        "fails_foreach",
        ("run --max-workers 1", "MENDED=1 resume --origin-run-id {run0}", *look("each")),
    ),
    "retries": Scenario("retries", ("run", *look("start"))),
    "with_retry": Scenario(
        "flaky", ("run", "run --with retry:times=1,minutes_between_retries=0", *look("start"))
    ),
    "catches": Scenario("catches", ("run", *look("each"))),
    "decorated": Scenario("decorated", ("run", *look("start"))),
    "projected": Scenario(
        "projected",
        ("run", "--branch test run", "--production run", "--production --branch b run"),
    ),
    "included": Scenario(
        "included",
        ("run --text other.txt", "run --text nowhere.txt", *look("start")),
        {**WORDS, "latin.txt": "Stra\xdfe"},
    ),
    "configured": Scenario(
        "configured",
        (
            "run",
            "--config settings other.json run --size 1",
            '--config-value settings {"name":"inline","size":8} run',
            "--config settings nowhere.json run",
            *look("start"),
        ),
        SETTINGS,
    ),
    "currently": Scenario(
        "currently",
        (
            "run --tag given",
            "tag add --run-id {run} later again",
            "tag remove --run-id {run} again",
            "tag replace --run-id {run} --remove later --add instead",
            "tag remove --run-id {run} nosuch",
            "tag remove --run-id {run} runtime:dev",
            *look("end"),
        ),
    ),
    "mutated": Scenario("mutated", ("run", *look("middle"))),
    "calls": Scenario("calls", ("run", *look("start")), more=("fails",)),
}
