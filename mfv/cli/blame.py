"""`mfv blame`"""

import sys
from typing import Annotated

from mfv.cli import main
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, NotFoundError, UsageError
from mfv.history.history import History
from mfv.query.expression import And, Compare, Field
from mfv.repo.revision import resolve
from mfv.repo.view import RunView

_KINDS = ("param", "artifact", "file")


def command(
    target: Annotated[str, argument("A flow, or a run of it.", "FLOW|RUN")],
    kind: Annotated[
        str | None, argument("param, artifact or file; else all parameters.", "[KIND]")
    ] = None,
    name: Annotated[str | None, argument("The parameter, STEP/ARTIFACT or path.", "[NAME]")] = None,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """Tell in which run a parameter, an artifact or each line of a file last changed.

    Seen from the newest run of the flow, or from RUN. An artifact changes when its content does.

    Examples: mfv blame TrainFlow · mfv blame 42 param lr · mfv blame TrainFlow artifact fit/model ·
    mfv blame TrainFlow file train.py
    """
    from mfv.render.changes import lines_text, since_json, values_text
    from mfv.render.runs import parameter_text
    from mfv.render.terminal import Paint, coloured, page, width
    from mfv.seek import blame

    if kind is not None and kind not in _KINDS:
        raise UsageError(f"{kind!r} is none of {', '.join(_KINDS)}")
    if name is None and kind in ("artifact", "file"):
        raise UsageError(f"which {kind}?", hint=f"mfv blame {target} {kind} NAME")
    runs = _until(History(repository()), target)
    if kind == "file":
        found = blame.blame_file(runs, name or "")
    elif kind == "artifact":
        found = blame.blame_artifacts(runs, _words, name or "")
    else:
        found = blame.blame_parameters(runs, parameter_text, name)
    if json:
        from mfv.render.json import line

        for one in found:
            print(line(since_json(one)))
        return EXIT_OK
    columns, paint = width(), Paint(coloured(sys.stdout))
    shown = lines_text if kind == "file" else values_text
    page(shown(found, width=columns, paint=paint), pager=main.settings.pager)
    return EXIT_OK


def _words(artifact: object) -> str:
    from mfv.manifest.artifact import Artifact
    from mfv.render.values import kind_text, scalar_text

    assert isinstance(artifact, Artifact)
    if not artifact.frames:
        return scalar_text(artifact)
    return f"{kind_text(artifact)} {artifact.id.hex()[:8]}"


def _until(history: History, target: str) -> list[RunView]:
    """The runs of a flow up to a run, oldest first."""
    if target in history.names.flows():
        newest = history.names.newest(target, 0)
        if newest is None:
            raise NotFoundError(f"all runs of {target} are in the trash")
    else:
        newest = resolve(history.names, target)
    asked = And(
        (
            Compare(Field("flow", kind="text"), "=", newest.flow),
            Compare(Field("number", kind="number"), "<=", newest.number),
        )
    )
    return history.select(asked).runs[::-1]
