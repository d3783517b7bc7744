"""`mfv diff`"""

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from mfv.cli import main
from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.diff.code import FileChange
from mfv.diff.runs import ValueChange
from mfv.errors import EXIT_FAILED, EXIT_OK, UsageError
from mfv.history.find import Found, find_object, find_run
from mfv.manifest.artifact import Artifact
from mfv.render.terminal import Paint, coloured, page, width
from mfv.repo.view import RunView


def command(
    runs: Annotated[list[str], argument("The runs: before and after.", "[BEFORE [AFTER]]")] = (),  # type: ignore[assignment]
    stat: Annotated[bool, option("--stat", help="Counts of lines, not the lines.")] = False,
    name_only: Annotated[
        bool, option("--name-only", help="The names of changed files, a line each.")
    ] = False,
    patch: Annotated[
        bool, option("-p", "--patch", help="The code as a patch that `git apply` takes.")
    ] = False,
    work: Annotated[
        bool, option("--work", help="The code of the run against the files as they are now.")
    ] = False,
    path: Annotated[
        list[str],
        option("--path", help="Only these files and folders; also behind `--`.", metavar="PATH"),
    ] = (),  # type: ignore[assignment]
    images: Annotated[
        str | None,
        option("--images", help="Also write pictures that changed, side by side.", metavar="DIR"),
    ] = None,
    exit_code: Annotated[
        bool, option("--exit-code", help="Exit with 1 if the runs differ.")
    ] = False,
    json: Annotated[bool, option("--json", help="One JSON object.")] = False,
) -> int:
    """Compare two runs: parameters, metrics, code, artifacts, environment, git, steps.

    With one run, it and the run of its flow before it; with none, the newest and the one before.
    With three or more, a table of only what differs. RUN/step, RUN/step/task and RUN/step/NAME
    compare a step, a task or an artifact.

    Artifacts are compared by what they hold: which tensors of a state dict differ and how far,
    which rows and columns of a table, which keys of a dict, which lines of a text. Nothing is
    unpickled.

    Examples: mfv diff 41 42 · mfv diff prod · mfv diff 41 42 -- train.py · mfv diff 40 41 42 ·
    mfv diff 41/train/model 42/train/model · mfv diff --work · mfv diff 41 42 --patch | git apply
    """
    if sum((stat, name_only, patch)) > 1:
        raise UsageError("--stat, --name-only and --patch are three forms: choose one")
    targets = list(runs)
    if work:
        return _with_files(targets, path, stat, name_only, patch, exit_code, json)
    repo = repository()
    if len(targets) > 2:
        if stat or name_only or patch or path:
            raise UsageError("three runs or more are compared as a table", hint="name two of them")
        return _many([find_run(repo, text) for text in targets], exit_code, json)
    found = [find_object(repo, text) for text in targets]
    if any(one.step is not None for one in found):
        return _parts(found, targets, exit_code, json)
    before, after = _sides([one.run for one in found])
    if name_only or patch or path:
        return _code(before, after, path, stat, name_only, patch, exit_code, json)
    from mfv.compare import compare

    diff = compare(before, after, inside=True)
    if images is not None:
        _write_images(diff.artifacts, before, after, images)
    if json:
        from mfv.render.diff import diff_json

        _document(diff_json(diff))
    else:
        from mfv.render.diff import diff_text

        _page(diff_text(diff, width=width(), paint=_paint(), stat=stat))
    return EXIT_FAILED if exit_code and diff else EXIT_OK


# What stands behind `--` is given as this option.
command.behind_dashes = "--path"  # type: ignore[attr-defined]


def _write_images(
    changes: Iterable[ValueChange], before: RunView, after: RunView, folder: str
) -> None:
    from mfv.pictures import write_pictures
    from mfv.render.text import escape

    databases = before.repository.database, after.repository.database
    for path in write_pictures(changes, databases, folder):
        print(f"wrote {escape(path)}", file=sys.stderr)


def _sides(runs: Sequence[RunView]) -> tuple[RunView, RunView]:
    if len(runs) == 2:
        return runs[0], runs[1]
    repo = repository()
    after = runs[0] if runs else find_run(repo, "@")
    return find_run(repo, f"{after.name}~1"), after


def _code(
    before: RunView,
    after: RunView,
    paths: Sequence[str],
    stat: bool,
    name_only: bool,
    patch: bool,
    exit_code: bool,
    json: bool,
) -> int:
    """The code alone."""
    from mfv.compare import contents_of
    from mfv.diff.code import diff_trees, differing, needed_blobs

    trees = before.tree, after.tree
    blobs = needed_blobs(*trees)
    if patch:
        pairs = differing(*trees)
        blobs |= {one.blob for pair in pairs for one in pair[1:] if one is not None}
    contents = contents_of(blobs, before, after)
    files = _chosen(diff_trees(*trees, contents), paths)
    names = before.name, after.name
    _print_files(names, files, contents, stat, name_only, patch, json)
    return EXIT_FAILED if exit_code and files else EXIT_OK


def _with_files(
    targets: Sequence[str],
    paths: Sequence[str],
    stat: bool,
    name_only: bool,
    patch: bool,
    exit_code: bool,
    json: bool,
) -> int:
    from mfv.worktree import diff_with_files

    if len(targets) > 1:
        raise UsageError("--work compares one run with the files as they are now")
    run = find_run(repository(), targets[0] if targets else "@")
    changes, contents = diff_with_files(run, os.getcwd())
    files = _chosen(changes, paths)
    _print_files((run.name, "files"), files, contents, stat, name_only, patch, json)
    return EXIT_FAILED if exit_code and files else EXIT_OK


def _chosen(files: Iterable[FileChange], paths: Sequence[str]) -> list[FileChange]:
    """Those that are one of the paths, or below one."""
    wanted = [os.path.normpath(one).encode("utf-8", "surrogateescape") for one in paths]
    return [
        one
        for one in files
        if not wanted
        or any(path in (b".", one.path) or one.path.startswith(path + b"/") for path in wanted)
    ]


def _print_files(
    names: tuple[str, str],
    files: Sequence[FileChange],
    contents: dict[bytes, bytes],
    stat: bool,
    name_only: bool,
    patch: bool,
    json: bool,
) -> None:
    from mfv.render.diff import code_lines, file_json
    from mfv.render.facts import file_name

    if json:
        facts = {"before": names[0], "after": names[1], "same": not files}
        _document({**facts, "code": [file_json(one) for one in files]})
    elif patch:
        from mfv.render.patch import patch_bytes

        sys.stdout.flush()
        sys.stdout.buffer.write(patch_bytes(files, contents))
        sys.stdout.buffer.flush()
    elif name_only:
        for one in files:
            print(file_name(one.path))
    elif files:
        _page("\n".join(code_lines(files, _paint(), stat)))
    else:
        print(f"the code of {names[0]} and {names[1]} is the same")


def _parts(found: Sequence[Found], targets: Sequence[str], exit_code: bool, json: bool) -> int:
    """Two steps, two tasks or two artifacts."""
    from mfv.compare import compare_artifacts
    from mfv.render.diff import artifact_lines, value_json

    if len(found) != 2:
        raise UsageError("a step, a task or an artifact is compared with another one: name two")
    if found[0].artifact is not None and found[1].artifact is not None:
        name = found[0].artifact.name
        sides = [(one.run, {name: one.artifact}) for one in found if one.artifact is not None]
    elif any(one.artifact is not None or one.step is None for one in found):
        raise UsageError(f"{targets[0]} and {targets[1]} are not of one kind")
    else:
        sides = [(one.run, _artifacts(one)) for one in found]
    changes = compare_artifacts(*sides)
    same = sum(
        name in sides[1][1] and sides[1][1][name].id == one.id for name, one in sides[0][1].items()
    )
    if json:
        facts = {"before": targets[0], "after": targets[1], "same": not changes}
        artifacts = [value_json(change) for change in changes]
        _document({**facts, "artifacts": artifacts, "unchanged": same})
    elif changes:
        _page("\n".join(artifact_lines(changes, width(), _paint())))
    else:
        print(f"{targets[0]} and {targets[1]} are the same")
    return EXIT_FAILED if exit_code and changes else EXIT_OK


def _artifacts(found: Found) -> dict[str, Artifact]:
    """The artifacts of a task, or of all tasks of a step, each by its task's place."""
    assert found.step is not None
    if found.task is not None:
        return {one.name: one for one in found.task.artifacts}
    tasks = found.run.tasks(found.step)
    named = {}
    for task in tasks:
        place = "".join(f"[{split.index}]" for split in task.splits)
        for one in task.artifacts:
            named[f"{one.name}{place}"] = one
    return named


def _many(runs: Sequence[RunView], exit_code: bool, json: bool) -> int:
    from mfv.comparemany import compare_many
    from mfv.render.many import many_json, many_text
    from mfv.render.runs import parameter_text

    diff = compare_many(runs, parameter_text)
    if json:
        _document(many_json(diff))
    else:
        _page(many_text(diff, width=width(), paint=_paint()))
    return EXIT_FAILED if exit_code and diff else EXIT_OK


def _document(value: Any) -> None:
    from mfv.render.json import document

    print(document(value))


def _page(text: str) -> None:
    page(text, pager=main.settings.pager)


def _paint() -> Paint:
    return Paint(coloured(sys.stdout))
