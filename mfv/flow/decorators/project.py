"""`@project`: flows that belong together, and branches that keep their runs apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from mfv.flow.decorators.base import Beginning, FlowDecorator, FlowMark, FlowOption
from mfv.flow.spec import FlowSpec

_NAME = re.compile(r"[a-z0-9_]+")
_LONGEST = 128  # characters


class ProjectDecorator(FlowDecorator):
    """Says to which project a flow belongs: `@project(name="fraud")`.

    The branch of a run is `user.NAME` of whoever runs it; with `--branch x` it is `test.x`, with
    `--production` it is `prod`, and with both `prod.x`. `branch` and `production` may also be
    attributes. Runs get the tags `project:…` and `project_branch:…`, steps see
    `current.project_name, branch_name, is_user_branch, is_production, project_flow_name`.
    """

    name = "project"
    defaults: ClassVar = {"name": None, "branch": None, "production": False}
    options: ClassVar = (
        FlowOption("branch", False, "Run in this branch of the @project."),
        FlowOption("production", True, "Run in the production branch of the @project."),
    )

    def begin(self, flow: type[FlowSpec], user: str, given: Mapping[str, Any]) -> Beginning:
        project = self._checked("name", self.attributes["name"])
        branch = self._one_of("branch", given)
        production = bool(self._one_of("production", given))
        if branch is not None:
            branch = self._checked("branch", branch)
            full = f"{'prod' if production else 'test'}.{branch}"
        else:
            full = "prod" if production else f"user.{user}"
        facts = {
            "project_name": project,
            "branch_name": full,
            "is_user_branch": branch is None and not production,
            "is_production": production,
            "project_flow_name": f"{project}.{full}.{flow.__name__}",
        }
        tags = (f"project:{project}", f"project_branch:{full}")
        return Beginning(facts, tags, (f"project {project}, branch {full}",))

    def _one_of(self, name: str, given: Mapping[str, Any]) -> Any:
        """The value from the command line or from the source, which must not say two things."""
        typed, written = given.get(name), self.attributes[name]
        if name not in self.given:
            return typed
        if typed and typed != written:
            raise self.wrong(
                f"--{name} says one thing and @project({name}={written!r}) another",
                hint=f"take {name} out of one of them",
            )
        return written

    def _checked(self, what: str, value: object) -> str:
        word = "branch" if what == "branch" else "project"
        if not value or not isinstance(value, str):
            raise self.wrong(
                f"@project has {what}={value!r}", hint=f'write @project({what}="some_{word}")'
            )
        if not _NAME.fullmatch(value):
            raise self.wrong(
                f"a {word} cannot be named '{value}'",
                hint="use lower-case letters a-z, digits and underscores",
            )
        if len(value) > _LONGEST:
            raise self.wrong(
                f"the name of the {word} has {len(value)} characters",
                hint=f"{_LONGEST} are possible",
            )
        return value


project = FlowMark(ProjectDecorator)
