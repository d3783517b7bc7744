"""`@resources`: what a step needs of a machine. Here it is noted, and nothing is reserved."""

from __future__ import annotations

from typing import ClassVar

from mfv.flow.decorators.base import StepDecorator, StepMark
from mfv.flow.graph import Graph, Node
from mfv.flow.spec import FlowSpec


class ResourcesDecorator(StepDecorator):
    """Says what a step needs: `cpu`, `gpu` (numbers), `memory`, `disk`, `shared_memory` (MB).

    Steps run on this machine, with all that it has; `python flow.py show` shows what was asked.
    """

    name = "resources"
    defaults: ClassVar = {
        "cpu": 1,
        "gpu": None,
        "disk": None,
        "memory": 4096,
        "shared_memory": None,
    }

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        for name, value in self.attributes.items():
            if value is None:
                continue
            try:
                number = float(value)
            except (TypeError, ValueError):
                number = -1.0
            if not 0 <= number < float("inf"):
                unit = "" if name in ("cpu", "gpu") else " of MB"
                raise self.wrong(
                    f"@resources of step '{node.name}' has {name}={value!r}",
                    hint=f"give a number{unit}: @resources({name}={self.defaults[name] or 1})",
                )


resources = StepMark(ResourcesDecorator)
