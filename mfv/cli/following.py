"""`mfv log --follow`: tells of runs that begin and end, until it is stopped."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mfv.history.history import History
from mfv.render.terminal import Paint, coloured, width
from mfv.repo.names import OPEN
from mfv.repo.view import RunView

if TYPE_CHECKING:
    from mfv.query.expression import Expression

_PAUSE = 0.3  # seconds between two looks at the log


def follow_log(
    history: History, asked: "Expression | None", listed: Sequence[RunView], *, json: bool
) -> None:
    """Prints every run that begins or ends from now on and is one of those asked for.

    Ends by Ctrl-C alone, or when nobody reads its output any more.
    """
    told = {run.name: run.status for run in listed}
    state = history.repository.state
    # What is over and was not listed is no news.
    told |= {run.name: run.status for run in state if run.status != OPEN and run.name not in told}
    seen = 0
    while True:
        state = history.repository.state
        open_runs = [name for name, status in told.items() if status == OPEN]
        if state.number != seen or open_runs:
            seen = state.number
            for run in reversed(list(state)):
                if told.get(run.name) not in (None, OPEN):
                    continue
                view = RunView(history.repository, run)
                if view.status != told.get(run.name) and _is_asked(history, asked, view):
                    told[run.name] = view.status
                    _tell(view, json)
        time.sleep(_PAUSE)


def _is_asked(history: History, asked: "Expression | None", run: RunView) -> bool:
    if asked is None:
        return True
    from mfv.query.evaluate import holds

    return holds(asked, history.facts_of(run))


def _tell(run: RunView, json: bool) -> None:
    from mfv.render.json import line
    from mfv.render.runs import log_blocks, run_json

    if json:
        print(line(run_json(run)))
    else:
        (block,) = log_blocks([run], {}, width=width(), paint=Paint(coloured(sys.stdout)))
        print("\n".join(block))
    sys.stdout.flush()
