"""What a run that goes on from another takes from it beside its tasks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from mfv.errors import UntrustedError
from mfv.flow.graph import read_graph
from mfv.flow.includefile import Included, IncludeFile, restore
from mfv.flow.parameters import Parameter, collect
from mfv.flow.spec import FlowSpec
from mfv.repo.artifacts import load
from mfv.repo.trust import refusal_of
from mfv.repo.view import RunView
from mfv.resume import check_step


class Resumed(NamedTuple):
    """The run that is gone on from, and from where on nothing of it is taken."""

    number: int
    step: str | None
    recorded: Mapping[str, object]  # its inputs by attribute, but for those that were secret
    paths: Mapping[str, str]  # of its included files, by name
    trust: bool = False  # whether all that succeeded is taken over, whatever changed since

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


def resume(
    view: RunView,
    flow: type[FlowSpec],
    step: str | None,
    *,
    anew: Collection[str] = (),
    trust: bool = False,
) -> Resumed:
    """Reads the inputs of the run of `view`; FlowError if the flow has no such step.

    UntrustedError if the run may not be unpickled: its tasks take over what it left.
    `anew`: parameters, by name, that are not to be what they were.
    """
    check_step(read_graph(flow), step)
    refused = refusal_of(view)
    if refused is not None:
        raise UntrustedError(
            f"{view.name} is not gone on from, for that unpickles what it left, and "
            f"{refused.reason}",
            hint=refused.hint,
        )
    opening = view.opening
    # What was kept secret was recorded by its attribute, with something else as its value.
    parameters = collect(flow).items()
    given = {one.attribute for name, one in parameters if name in anew or name in opening.secret}
    database = view.repository.database
    recorded = {
        artifact.name: load(database, artifact)
        for artifact in opening.parameters
        if artifact.name not in given
    }
    paths = {one.option[0]: one.path for one in opening.given if len(one.option) == 1}
    return Resumed(view.number, step, recorded, paths, trust)
