"""`@parallel`: the tasks of a step run side by side and know of each other."""

from __future__ import annotations

import os
from typing import ClassVar, NamedTuple

from mfv.flow.current import current
from mfv.flow.decorators.base import RunningTask, StepDecorator, StepMark
from mfv.flow.graph import Graph, Node
from mfv.flow.source import Kind
from mfv.flow.spec import FlowSpec

_HERE = "127.0.0.1"


class Parallel(NamedTuple):
    """`current.parallel`: this task among those that `num_parallel` started."""

    main_ip: str
    num_nodes: int
    node_index: int  # from 0, which is the control task
    control_task_id: str | None


class ParallelDecorator(StepDecorator):
    """Marks a step that `self.next(self.step, num_parallel=N)` runs N times at once.

    `current.parallel` says which of them a task is.
    """

    name = "parallel"
    gang = True

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        if node.kind is Kind.SWITCH:
            raise self.wrong(
                f"@{self.name} is on step '{node.name}', which is a switch",
                hint=f"join the tasks of '{node.name}' first, and let the switch follow",
            )
        if not any(graph[name].num_parallel for name in node.previous):
            raise self.wrong(
                f"@{self.name} is on step '{node.name}', which no num_parallel leads to",
                hint=f"write self.next(self.{node.name}, num_parallel=4) in the step before it",
            )

    def enter(self, task: RunningTask) -> None:
        gang = task.order.gang
        if gang is None:
            facts = Parallel(_HERE, 1, 0, str(task.order.id))
        else:
            facts = Parallel(_HERE, gang.num_nodes, gang.node_index, gang.control_task_id)
        current._update({"parallel": facts, "is_parallel": True})
        os.environ.update(self.variables(facts))

    def variables(self, facts: Parallel) -> dict[str, str]:
        """The environment variables by which frameworks learn of the others."""
        return {
            "MF_PARALLEL_MAIN_IP": facts.main_ip,
            "MF_PARALLEL_NUM_NODES": str(facts.num_nodes),
            "MF_PARALLEL_NODE_INDEX": str(facts.node_index),
            "MF_PARALLEL_CONTROL_TASK_ID": str(facts.control_task_id),
        }


class PytorchParallelDecorator(ParallelDecorator):
    """Like @parallel, and sets what `torch.distributed` reads from the environment."""

    name = "pytorch_parallel"
    defaults: ClassVar = {"master_port": None}

    def variables(self, facts: Parallel) -> dict[str, str]:
        # One port for all tasks of a run, and seldom that of another run.
        port = self.attributes["master_port"] or 51000 + int(current.run_id) % 10000
        return {
            **super().variables(facts),
            "MASTER_PORT": str(port),
            "MASTER_ADDR": facts.main_ip,
            "NODE_RANK": str(facts.node_index),
            "WORLD_SIZE": str(facts.num_nodes),
            "NUM_NODES": str(facts.num_nodes),
            "PL_TORCH_DISTRIBUTED_BACKEND": "gloo",
        }


parallel = StepMark(ParallelDecorator)
pytorch_parallel = StepMark(PytorchParallelDecorator)
