"""`mfv ls`"""

from typing import Annotated, NamedTuple

from mfv.cli.command import argument, option
from mfv.cli.place import repository
from mfv.errors import EXIT_OK, NotFoundError
from mfv.history.find import Found, find_object, find_run
from mfv.history.history import History
from mfv.repo.revision import resolve
from mfv.repo.view import RunView


class _Row(NamedTuple):
    name: str
    kind: str  # flow, run, step, task, artifact, folder, file
    type: str = ""
    size: int | None = None  # bytes


def command(
    target: Annotated[
        str | None, argument("A flow, RUN, RUN/step, RUN/step/task or RUN:path.", "[TARGET]")
    ] = None,
    long: Annotated[bool, option("-l", "--long", help="With types and sizes.")] = False,
    json: Annotated[bool, option("--json", help="One JSON object a line.")] = False,
) -> int:
    """List what is in a repository, a flow, a run, a step or a task; or the code of a run.

    Names alone, one a line. Without TARGET the flows; of a run its steps; of a task its artifacts;
    of RUN: and RUN:folder the files of its code.

    Examples: mfv ls · mfv ls TrainFlow · mfv ls 42 · mfv ls -l 42/train/3 · mfv ls 42:src
    """
    rows = _rows(target)
    if json:
        from mfv.render.json import line

        for row in rows:
            facts = {"name": row.name, "kind": row.kind, "type": row.type or None}
            print(line({**facts, "size": row.size}))
        return EXIT_OK
    from mfv.render.text import escape, table
    from mfv.render.units import size

    if long and rows:
        cells = [
            (
                row.kind if not row.type else escape(row.type),
                "" if row.size is None else size(row.size),
                escape(row.name),
            )
            for row in rows
        ]
        print("\n".join(table(cells, width=1000, right=frozenset({1}))))
    else:
        for row in rows:
            print(escape(row.name))
    return EXIT_OK


def _rows(target: str | None) -> list[_Row]:
    history = History(repository())
    if target is None:
        return [_Row(flow, "flow") for flow in sorted(history.names.flows())]
    if target in history.names.flows():
        from mfv.history import asking

        chosen = history.select(asking.expression(history, flow=target))
        return [_Row(run.name, "run", run.status) for run in chosen.runs]
    head, colon, path = target.rpartition(":")
    if colon:
        try:
            run = RunView(history.repository, resolve(history.names, head))
        except NotFoundError:
            pass  # a tag may hold a colon
        else:
            return _files(run, path)
    found = find_object(history.repository, target)
    if found.artifact is not None:
        return [_Row(found.artifact.name, "artifact", found.artifact.type, found.artifact.size)]
    if found.task is not None:
        return _artifacts(found)
    if found.step is not None:
        return [_Row(str(ref.id), "task", ref.status) for ref in found.run.step(found.step)]
    return [_Row(step, "step") for step in find_run(history.repository, target).steps()]


def _artifacts(found: Found) -> list[_Row]:
    assert found.task is not None
    artifacts = sorted(found.run.all_artifacts(found.task), key=lambda one: one.name)
    return [_Row(one.name, "artifact", one.type, one.size) for one in artifacts]


def _files(run: RunView, path: str) -> list[_Row]:
    """The files and folders right below a folder of the code; a file is itself."""
    prefix = path.strip("/").encode("utf-8", "surrogateescape")
    sizes: dict[str, tuple[str, int]] = {}
    for file in run.tree.files:
        if file.path == prefix:
            return [_Row(path, "file", size=file.size)]
        if prefix and not file.path.startswith(prefix + b"/"):
            continue
        rest = file.path[len(prefix) + 1 if prefix else 0 :]
        head, slash, _ = rest.partition(b"/")
        name = head.decode("utf-8", "surrogateescape") + ("/" if slash else "")
        kind, before = sizes.get(name, ("folder" if slash else "file", 0))
        sizes[name] = kind, before + file.size
    if not sizes:
        from mfv.render.text import escape

        raise NotFoundError(
            f"the code of {run.name} has no {escape(path)!r}",
            hint=f"`mfv ls {run.name}:` lists it from the top",
        )
    return [_Row(name, kind, size=size) for name, (kind, size) in sizes.items()]
