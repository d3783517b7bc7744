"""The graph of a run for `--json`."""

from __future__ import annotations

from typing import Any

from mfv.lineage.steps import RunGraph, Step


def graph_json(graph: RunGraph) -> dict[str, Any]:
    """One object: the run, its steps in the order in which they can run, and its edges."""
    return {
        "run": graph.run,
        "status": graph.status,
        "seconds": graph.seconds,
        "resumed_from": graph.resumed_from,
        "steps": [_step(step) for step in graph.steps],
        "edges": [
            {
                "from": edge.source,
                "to": edge.target,
                "tasks": edge.times,
                "back": edge.is_back,
            }
            for edge in graph.edges
        ],
    }


def _step(step: Step) -> dict[str, Any]:
    failure = step.failure
    return {
        "step": step.name,
        "kind": step.kind,
        "join": step.is_join,
        "doc": step.doc,
        "status": step.status,
        "tasks": step.tasks,
        "expected": step.expected,
        "failed": step.failed,
        "caught": step.caught,
        "retried": step.retried,
        "reused": step.reused,
        "origins": list(step.origins),
        "seconds": step.seconds,
        "foreach": step.variable or None,
        "reads": [
            {
                "run": f"{one.run.flow}/{one.run.number}",
                "repository": one.run.origin.hex(),
                "artifacts": list(one.artifacts),
            }
            for one in step.sources
        ],
        "failure": None
        if failure is None
        else {"type": failure.type, "message": failure.message, "traceback": failure.traceback},
    }
