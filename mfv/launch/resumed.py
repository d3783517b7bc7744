"""What a run that goes on from another takes from it beside its tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mfv.flow.graph import read_graph
from mfv.flow.includefile import Included, IncludeFile, restore
from mfv.flow.parameters import Parameter
from mfv.flow.spec import FlowSpec
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Opening, Tree
from mfv.repo.artifacts import load
from mfv.repo.view import RunView
from mfv.resume import check_step


class Resumed(NamedTuple):
    """The run that is gone on from, and from where on nothing of it is taken."""

    number: int
    step: str | None
    recorded: Mapping[str, object]  # its inputs by attribute, but for those that were secret
    paths: Mapping[str, str]  # of its included files, by name

    def value(self, parameter: Parameter) -> object:
        """What the parameter was; of an IncludeFile its path."""
        if isinstance(parameter, IncludeFile):
            return self.paths.get(parameter.name)
        return self.recorded[parameter.attribute]

    def has(self, parameter: Parameter) -> bool:
        """Whether the parameter is to be what it was."""
        return parameter.attribute in self.recorded

    def included(self, parameter: IncludeFile) -> Included | None:
        """The content that a file had; None if there was none."""
        content = self.recorded[parameter.attribute]
        if not isinstance(content, (str, bytes)):
            return None
        path = self.paths.get(parameter.name, "")
        return Included(path, content, restore(parameter, content))


def resume(view: RunView, flow: type[FlowSpec], step: str | None) -> Resumed:
    """Reads the inputs of the run of `view`; FlowError if the flow has no such step."""
    check_step(read_graph(flow), step)
    opening = view.opening
    # A config that held a secret was recorded without it, and is none of the parameters.
    secret = {name.rpartition(" ")[2] for name in opening.secret}
    database = view.repository.database
    recorded = {
        artifact.name: load(database, artifact)
        for artifact in opening.parameters
        if artifact.name not in secret
    }
    paths = {one.option[0]: one.path for one in opening.given if len(one.option) == 1}
    return Resumed(view.number, step, recorded, paths)


def notes(view: RunView, opening: Opening, constants: Mapping[str, Artifact]) -> Iterator[str]:
    """What is not as it was in the origin, so that nobody takes old values for new ones."""
    changed = _changed_files(view.tree, view.repository.tree(opening))
    if changed:
        listed = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if changed[3:] else "")
        yield (
            f"{listed} changed since {view.name}: what is taken over was made by the old code "
            "(`resume STEP` runs everything from a step on)"
        )
    for name, old in view.constants.items():
        new = constants.get(name)
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
