"""`@environment`: environment variables for a step and for what it starts."""

from __future__ import annotations

import os
from typing import ClassVar

from mfv.flow.decorators.base import RunningTask, StepDecorator, StepMark
from mfv.flow.graph import Graph, Node
from mfv.flow.spec import FlowSpec


class EnvironmentDecorator(StepDecorator):
    """Sets environment variables before the step: `@environment(vars={"OMP_NUM_THREADS": "1"})`.

    The step and every process that it starts see them. What was read when the flow's module was
    imported is not read again.
    """

    name = "environment"
    defaults: ClassVar = {"vars": {}}

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        given = self.attributes["vars"]
        if not isinstance(given, dict):
            raise self.wrong(
                f"@environment of step '{node.name}' has vars={given!r}, which is no dict",
                hint='write @environment(vars={"NAME": "value"})',
            )
        for name, value in given.items():
            if not isinstance(name, str) or not name or "=" in name or "\0" in name:
                raise self.wrong(
                    f"@environment of step '{node.name}' sets {name!r}, which is no name of a "
                    "variable",
                    hint="names are text without `=`",
                )
            if not isinstance(value, str | int | float) or "\0" in str(value):
                raise self.wrong(
                    f"@environment of step '{node.name}' sets {name} to a "
                    f"{type(value).__name__}: variables are text",
                    hint=f'write it as text: vars={{"{name}": "..."}}',
                )

    def enter(self, task: RunningTask) -> None:
        os.environ.update({name: str(value) for name, value in self.attributes["vars"].items()})


environment = StepMark(EnvironmentDecorator)
