"""`mfv whence`"""

import os
import sys
from typing import Annotated

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_NOT_FOUND, EXIT_OK, MfvError, UsageError
from mfv.found.places import Traced
from mfv.history.find import find_object, find_run
from mfv.repo.repository import Repository


def command(
    target: Annotated[
        str, argument("A file, RUN/step/NAME, or 64 hex digits.", "FILE|ARTIFACT|ID")
    ],
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Tell which run made these bytes.

    By content: a file may have been moved, renamed or copied. Found are artifacts that were left
    as bytes, text or files, the array in a .npy, files that `clone --data` wrote, and files of
    code.

    The first run that made them is told, with what it was given and what is behind it, then all
    others that hold the same. Exits with 3 where no run has them. The first call looks at every
    run, later ones at new ones alone.

    Examples: mfv whence model.bin · mfv whence features.npy · mfv whence 42/train/model
    """
    from mfv.seek.whence import is_id, whence_artifact, whence_file, whence_id

    repo = repository()
    if is_id(target) and not os.path.exists(target):
        traced = whence_id(repo, target)
    elif os.path.exists(target):
        traced = whence_file(repo, target)
    else:
        try:
            found = find_object(repo, target)
        except MfvError:
            if "/" in target and not os.path.dirname(target).startswith((".", "/")):
                raise
            traced = whence_file(repo, target)  # which says that there is no such file
        else:
            if found.artifact is None:
                raise UsageError(f"{target!r} is no artifact", hint=f"`mfv ls {target}` lists them")
            traced = whence_artifact(found)
    if json:
        from mfv.render.json import document
        from mfv.render.places import traced_json

        print(document(traced_json(traced)))
    elif traced.places:
        print(_text(repo, traced))
    else:
        from mfv.render.text import escape

        print(f"no run here has {escape(target)}", file=sys.stderr)
        looked = ", ".join(traced.looked_for)
        print(f"looked for: {escape(looked)}", file=sys.stderr)
    return EXIT_OK if traced.places else EXIT_NOT_FOUND


def _text(repo: Repository, traced: Traced) -> str:
    from mfv import trace
    from mfv.render.lineage import lineage_text
    from mfv.render.places import places_text
    from mfv.render.runs import log_blocks
    from mfv.render.terminal import Paint, coloured, width

    paint, columns = Paint(coloured(sys.stdout)), width()
    first = find_run(repo, traced.places[0].run)
    (block,) = log_blocks([first], {}, width=columns, paint=paint)
    lines = [*places_text(traced, block, width=columns, paint=paint)]
    lineage, _ = trace.ancestors(first)
    if lineage.runs[0].links:
        lines += ["", paint("behind it", "bold"), lineage_text(lineage, width=columns, paint=paint)]
    return "\n".join(lines)
