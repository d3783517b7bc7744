"""`mfv bisect`"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_FAILED, EXIT_OK, NotFoundError, UsageError
from mfv.found.changes import Culprit
from mfv.history import asking
from mfv.history.history import History
from mfv.query.expression import And, Compare, Expression, Field
from mfv.render.text import escape
from mfv.repo.names import RunState
from mfv.repo.revision import resolve
from mfv.repo.view import RunView
from mfv.seek.bisect import BAD, GOOD, SKIPPED, bisect

_SKIP = 125  # exit code of a command that cannot judge, as git has it
_STOP = 128  # from here on the command itself is broken


def command(
    good: Annotated[str | None, option("--good", help="A run that is good.", metavar="RUN")] = None,
    bad: Annotated[
        str | None, option("--bad", help="A later run that is bad.", metavar="RUN")
    ] = None,
    where: Annotated[
        str | None,
        option("-w", "--where", help="A run is bad if this is true.", metavar="QUERY"),
    ] = None,
    skip: Annotated[
        str | None,
        option("--skip", help="With --where: it tells nothing if this is true.", metavar="QUERY"),
    ] = None,
    run: Annotated[
        list[str],
        argument("Run in the code of each run: 0 is good, 125 tells nothing.", "[COMMAND]..."),
    ] = (),  # type: ignore[assignment]
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Find the first bad run between a good one and a bad one of the same flow.

    By what runs recorded (--where), or by a command that is run in a clone of each run's code: it
    exits with 0 where that is good, with 125 where it cannot tell, with 1 to 127 where it is bad.
    It stops as git does at 128 and above. Runs that were left open or crashed tell nothing.

    What changed from the last good run to the first bad one is what `mfv diff` prints, and it is
    printed. Exits with 1 where the first bad one is among runs that tell nothing.

    Examples: mfv bisect --good 10 --bad 42 --where "accuracy < 0.9" ·
    mfv bisect --good 10 --bad 42 -- python -m pytest -q
    """
    words = [word for place, word in enumerate(run) if not (place == 0 and word == "--")]
    if (where is None) == (not words):
        raise UsageError(
            "what makes a run bad?", hint="--where QUERY, or -- COMMAND that fails on bad code"
        )
    if good is None or bad is None:
        raise UsageError("between which runs?", hint="--good RUN --bad RUN")
    if skip is not None and where is None:
        raise UsageError("--skip goes with --where")
    history = History(repository())
    runs = _between(history, resolve(history.names, good), resolve(history.names, bad))
    judge = _by_command(runs, words) if where is None else _by_query(history, runs, where, skip)

    def tell(place: int) -> str:
        verdict = judge(place)
        if not json:
            print(f"{escape(runs[place].name)} is {verdict}", file=sys.stderr, flush=True)
        return verdict

    for place, expected, text in ((0, GOOD, good), (len(runs) - 1, BAD, bad)):
        verdict = tell(place)
        if verdict != expected:
            raise UsageError(
                f"{text} ({runs[place].name}) is {verdict}, and was said to be {expected}"
            )
    found = bisect([one.name for one in runs], tell)
    if json:
        from mfv.render.changes import culprit_json
        from mfv.render.json import document

        print(document(culprit_json(found)))
    else:
        _print(history, found)
    return EXIT_OK if found.bad is not None else EXIT_FAILED


def _between(history: History, good: RunState, bad: RunState) -> list[RunView]:
    """The runs of the flow from one to the other, oldest first."""
    if good.flow != bad.flow:
        raise UsageError(f"{good.name} and {bad.name} are runs of two flows")
    if good.number >= bad.number:
        raise UsageError(
            f"the good run has to be before the bad one, and {good.name} is not before {bad.name}"
        )
    number = Field("number", kind="number")
    parts: tuple[Expression, ...] = (
        Compare(Field("flow", kind="text"), "=", good.flow),
        Compare(number, ">=", good.number),
        Compare(number, "<=", bad.number),
    )
    return history.select(And(parts)).runs[::-1]


def _by_query(
    history: History, runs: list[RunView], where: str, skip: str | None
) -> Callable[[int], str]:
    from mfv.query.evaluate import holds

    asked = asking.expression(history, where=where)
    unless = None if skip is None else asking.expression(history, where=skip)
    assert asked is not None

    def judge(place: int) -> str:
        facts = history.facts_of(runs[place])
        if unless is not None and holds(unless, facts):
            return SKIPPED
        if unless is None and runs[place].status in ("open", "crashed", "interrupted"):
            return SKIPPED
        return BAD if holds(asked, facts) else GOOD

    return judge


def _by_command(runs: list[RunView], words: list[str]) -> Callable[[int], str]:
    from mfv.checkout.child import run_child
    from mfv.checkout.writing import clone

    verdicts: dict[bytes, str] = {}  # equal code is judged once

    def judge(place: int) -> str:
        run = runs[place]
        if run.trouble is not None:
            return SKIPPED
        tree = run.opening.tree
        if tree not in verdicts:
            with tempfile.TemporaryDirectory(prefix="mfv-bisect-") as name:
                made = clone(run, Path(name) / "code")
                environ = {**os.environ, "MFV_BISECT_RUN": run.name}
                try:
                    status = run_child(words, made.folder, environ, 2)
                except OSError as error:
                    raise NotFoundError(f"{words[0]} cannot be run: {error.strerror}") from None
            if status < 0 or status >= _STOP:
                raise UsageError(
                    f"the command ended with {status} in the code of {run.name}",
                    hint="0 says good, 125 nothing, 1 to 127 bad",
                )
            verdicts[tree] = GOOD if status == 0 else SKIPPED if status == _SKIP else BAD
        return verdicts[tree]

    return judge


def _print(history: History, found: Culprit) -> None:
    if found.bad is None:
        names = ", ".join(map(escape, found.among))
        print(f"the first bad run is one of {names}: those between cannot be judged")
        return
    from mfv.compare import compare
    from mfv.render.diff import diff_text
    from mfv.render.terminal import Paint, coloured, width

    sides = [
        RunView(history.repository, resolve(history.names, name))
        for name in (found.good, found.bad)
    ]
    print(f"{escape(found.bad)} is the first bad run; {escape(found.good)} was good\n")
    paint = Paint(coloured(sys.stdout))
    print(diff_text(compare(*sides), width=width(), paint=paint))
