"""`mfv show`"""

import os
import sys
from typing import Annotated, Any

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK
from mfv.history.find import Found, find_object
from mfv.manifest.artifact import BYTES

_PICTURE = 4 << 20  # bytes of the largest that is shown inline


def command(
    target: Annotated[str, argument("A run, or RUN/step/task/artifact.", "RUN[/…]")] = "@",
    code: Annotated[bool, option("--code", help="The files of the code snapshot.")] = False,
    env: Annotated[bool, option("--env", help="The machine and the packages.")] = False,
    info: Annotated[
        bool, option("--info", help="All that is known of where it ran, as JSON: its INFO.")
    ] = False,
    storage: Annotated[
        bool, option("--storage", help="What the run takes on the disk, and shares with others.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Show a run, a step, a task or an artifact.

    Without RUN the newest. The task may be left out where a step has one, and the step where the
    artifact is one of the last task. Nothing is unpickled: what is shown was noted when it was
    stored.

    Examples: mfv show · mfv show 42 · mfv show prod/train · mfv show 42/train/3/model · \
    mfv show --info 42 · mfv show --storage 42
    """
    found = find_object(repository(), target)
    if info:
        from mfv.render.json import document
        from mfv.repo.info import info_of

        print(document(info_of(found.run)))
        return EXIT_OK
    if storage:
        return _print_storage(found, json)
    if json:
        from mfv.render.json import document

        print(document(_json(found, code, env)))
        return EXIT_OK
    from mfv.cli.main import settings
    from mfv.render.terminal import page

    page(_text(found, code, env), pager=settings.pager)
    return EXIT_OK


def _print_storage(found: Found, json: bool) -> int:
    """What one run takes, seen beside all others."""
    from mfv.render.sizes import share_text, sizes_json
    from mfv.repo.view import RunView
    from mfv.seek import sizes

    repo = found.run.repository
    views = [RunView(repo, state) for state in repo.state]
    mine = [one for one in sizes.by_run(views) if one.name == found.run.name]
    if json:
        from mfv.render.json import document

        print(document(sizes_json(mine, sizes.disk_of(repo))))
    else:
        print(share_text(mine[0]))
    return EXIT_OK


def _text(found: Found, code: bool, env: bool) -> str:
    from mfv.render import show, surroundings
    from mfv.render.terminal import Paint, coloured, width
    from mfv.seek.portrait import portrait

    style: dict[str, Any] = {"width": width(), "paint": Paint(coloured(sys.stdout))}
    run, step, task, artifact = found
    if code:
        return surroundings.code_text(run, **style)
    if env:
        return surroundings.environment_text(run, **style)
    if task is not None and artifact is not None:
        held = portrait(run.repository.database, artifact)
        text = show.artifact_text(f"{task.pathspec}/{artifact.name}", artifact, held, **style)
        picture = _picture(found)
        return f"{text}\n\n{picture}" if picture else text
    if task is not None:
        return show.task_text(task, run.inputs(task), **style)
    if step is not None:
        return show.step_text(run, step, **style)
    from mfv.cli.signed import signatures_of
    from mfv.render.signatures import signed_text

    return show.run_text(run, run.last_task(), signed_text(signatures_of(run)), **style)


def _picture(found: Found) -> str | None:
    """A picture for the terminal; None where it cannot show one."""
    artifact = found.artifact
    if artifact is None or artifact.serializer != BYTES or artifact.size > _PICTURE:
        return None
    media = artifact.summary.media or ""
    if not media.startswith("image/") or not sys.stdout.isatty():
        return None
    from mfv.errors import CorruptError
    from mfv.render.portrait import inline_picture

    try:
        database = found.run.repository.database
        data = bytes(database.read_blob(artifact.frames[0].id, largest=_PICTURE))
    except CorruptError:
        return None
    return inline_picture(data, os.environ)


def _json(found: Found, code: bool, env: bool) -> object:
    from mfv.render import showjson
    from mfv.render.values import artifact_json
    from mfv.repo.info import environment_json

    run, step, task, artifact = found
    if code:
        return [
            {
                "path": file.path.decode("utf-8", "backslashreplace"),
                "mode": f"{file.mode:o}",
                "blob": file.blob.hex(),
                "size": file.size,
            }
            for file in run.tree.files
        ]
    if env:
        return environment_json(run.environment)
    if artifact is not None:
        from mfv.render.portrait import portrait_json
        from mfv.seek.portrait import portrait

        held = portrait(run.repository.database, artifact)
        return {**artifact_json(artifact), "holds": portrait_json(held)}
    if task is not None:
        return showjson.task_json(task, run.inputs(task))
    if step is not None:
        return [showjson.task_json(one, run.inputs(one)) for one in run.tasks(step)]
    from mfv.cli.signed import signatures_of
    from mfv.render.signatures import signatures_json

    return {**showjson.show_json(run), "signatures": signatures_json(signatures_of(run))}
