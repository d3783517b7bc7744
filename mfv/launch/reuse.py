"""What a new run takes over of earlier ones, and what is said of it before the first task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from mfv.errors import NotFoundError
from mfv.flow import seams
from mfv.flow.graph import Graph
from mfv.launch.prepare import Prepared
from mfv.launch.resumed import Resumed
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Opening, Tree
from mfv.repo.names import RunState
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.trust import is_trusted, refusal
from mfv.repo.view import RunView
from mfv.resume import Current, Earlier, Origin, Past, Present
from mfv.resume.table import as_lines, plan

# How many earlier runs are asked for what a new one needs, newest first: each may cost the reading
# of all its tasks.
_MOST_RUNS = 50


def origin_of(
    prepared: Prepared,
    repository: Repository,
    recorder: RunRecorder,
    note: Callable[[str], None],
) -> seams.Origin | None:
    """Where the run takes finished work from; None if it does all itself.

    `note` hears what is taken over and what is not, and what is not as it was. Raises
    NotFoundError if the run that is gone on from was deleted meanwhile.
    """
    opening = recorder.opening
    constants = {artifact.name: artifact for artifact in opening.constants}
    if prepared.resumed is not None:
        state = repository.log.state.find(recorder.flow, prepared.resumed.number)
        if state is None:
            raise NotFoundError(
                f"{recorder.flow}/{prepared.resumed.number} is not there any more",
                hint="`mfv log` lists the runs that are",
            )
        view = RunView(repository, state)
        if prepared.resumed.trust:
            for text in _notes(view, opening, constants):
                note(text)
            return Origin(view, prepared.graph, recorder.number, constants, prepared.resumed.step)
        return _resumed(prepared, prepared.resumed, view, recorder, constants, note)
    if not prepared.reuse:
        return None
    refused = refusal(repository)
    if refused is not None:
        note(f"nothing of earlier runs is reused: {refused.reason} ({refused.hint})")
        return None
    present = Present(repository, opening, _secret(prepared))
    current = Current()
    runs = repository.log.state.listed(recorder.flow)
    newest = sorted(runs.values(), key=lambda run: run.opened, reverse=True)
    others = [state for state in newest if state.number != recorder.number]

    def earlier(state: RunState) -> Origin:
        view = RunView(repository, state)
        if not is_trusted(view):  # made elsewhere
            raise NotFoundError(f"{view.name} is not trusted")
        past = Past(view, present, same_secrets=False)
        number = recorder.number
        return Origin(view, prepared.graph, number, constants, past=past, current=current)

    return Earlier(partial(earlier, state) for state in others[:_MOST_RUNS])


def _resumed(
    prepared: Prepared,
    resumed: Resumed,
    view: RunView,
    recorder: RunRecorder,
    constants: Mapping[str, Artifact],
    note: Callable[[str], None],
) -> Origin:
    graph: Graph = prepared.graph
    past = Past(
        view, Present(view.repository, recorder.opening, _secret(prepared)), same_secrets=True
    )
    origin = Origin(view, graph, recorder.number, constants, resumed.step, past=past, tell=note)
    for line in as_lines(list(plan(graph, origin, past, resumed.step))):
        note(line)
    if past.secret:
        names = ", ".join(past.secret)
        note(f"{names}: kept secret, so whether it is what it was in {view.name} is not known")
    for text in _changed_environment(view, recorder.opening):
        note(text)
    return origin


def _secret(prepared: Prepared) -> list[str]:
    """The attributes of the inputs that are kept out of the record."""
    found = []
    for option in prepared.secret():
        kind, space, name = option.partition(" ")
        owner = prepared.configs[name].spec if space else prepared.parameters[kind]
        found.append(owner.attribute)
    return found


def _changed_environment(view: RunView, opening: Opening) -> Iterator[str]:
    """What is installed now and was not, in one line: it does not make a step run again."""
    if view.opening.environment == opening.environment:
        return
    old, new = view.environment, view.repository.environment(opening)
    found = [
        f"{name} {before or 'none'} -> {now or 'none'}"
        for name, before, now in _versions(old, new)
        if before != now
    ]
    if found:
        more = f" and {len(found) - 3} more" if found[3:] else ""
        listed = ", ".join(found[:3])
        yield f"installed since {view.name}: {listed}{more}; what is taken over is of before"


def _versions(old: Environment, new: Environment) -> Iterator[tuple[str, str, str]]:
    yield "Python", old.python, new.python
    before = {package.name: package.version for package in old.packages}
    now = {package.name: package.version for package in new.packages}
    for name in sorted({*before, *now}):
        yield name, before.get(name, ""), now.get(name, "")


def _notes(view: RunView, opening: Opening, constants: Mapping[str, Artifact]) -> Iterator[str]:
    """What is not as it was in the origin, where that is taken over all the same."""
    changed = _changed_files(view.tree, view.repository.tree(opening))
    if changed:
        listed = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if changed[3:] else "")
        yield (
            f"{listed} changed since {view.name}: what is taken over was made by the old code "
            "(without --trust-code it would run again)"
        )
    old_values = {**view.constants, **view.parameters}
    new_values = {**constants, **{one.name: one for one in opening.parameters}}
    for name, old in old_values.items():
        new = new_values.get(name)
        if new is not None and new.id != old.id:
            before, now = old.summary.text or old.value, new.summary.text or new.value
            yield (
                f"{name} is {now!s:.60} now, and was {before!s:.60} in {view.name}: what is taken "
                "over was made with that"
            )


def _changed_files(old: Tree, new: Tree) -> list[str]:
    """The files that are not what they were, and Python files that are new."""
    before = {file.path: file.blob for file in old.files}
    now = {file.path: file.blob for file in new.files}
    paths = {path for path, blob in before.items() if now.get(path) != blob}
    paths |= {path for path in now if path not in before and path.endswith(b".py")}
    return [path.decode("utf-8", "backslashreplace") for path in sorted(paths)]
