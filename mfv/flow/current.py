"""`current`: what a step may ask about the task that runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# What is asked for outside of a task is None, so that a library can ask anywhere.
_ALWAYS = frozenset(
    {
        "flow_name",
        "info",
        "namespace",
        "origin_run_id",
        "parameter_names",
        "pathspec",
        "retry_count",
        "run",
        "run_id",
        "step_name",
        "tags",
        "task",
        "task_id",
        "tempdir",
        "username",
    }
)


class Current:
    """Facts about the running task. Outside of one `is_running_flow` is False, and they are None.

    flow_name, run_id, step_name, task_id, pathspec: text.
    retry_count: which attempt this is, from 0.
    origin_run_id: the run that this one was resumed from, or None.
    run, task: the client's objects; `current.run.add_tag("good")` tags the run while it goes on.
    info: the run's INFO as a dict: code and git state, machine, packages, arguments, seeds.
    username, namespace: who runs it, and the tag by which the client filters in this run.
    tags: those that the run began with.
    tempdir: a folder that all tasks of the run share and that goes when the run ends.
    parameter_names: the attributes that are parameters.
    graph: the flow as data: `file, parameters, constants, steps, graph_structure, doc`.
    Decorators add more, `project_name` and `parallel` for instance.
    """

    def __init__(self) -> None:
        self.__dict__["_facts"] = {}
        self.__dict__["_lazy"] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "is_running_flow":
            return bool(self.__dict__["_facts"])
        facts, lazy = self.__dict__["_facts"], self.__dict__["_lazy"]
        if name in facts:
            return facts[name]
        if name in lazy:
            facts[name] = lazy[name]()
            return facts[name]
        if name in _ALWAYS:
            return None
        where = "here" if facts else "outside of a running task"
        raise AttributeError(f"`current` has no {name!r} {where}")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`current.{name}` is read-only")

    def __contains__(self, name: str) -> bool:
        """Whether there is such a fact, and it is not None."""
        return self.get(name) is not None

    def __dir__(self) -> list[str]:
        known = {*_ALWAYS, *self.__dict__["_facts"], *self.__dict__["_lazy"]}
        return sorted({*object.__dir__(self), *known, "is_running_flow"})

    def get(self, name: str, default: Any = None) -> Any:
        """The fact `name`, or `default` where there is none."""
        return getattr(self, name, default)

    def _set(self, lazy: Mapping[str, Callable[[], object]] | None = None, **facts: object) -> None:
        """Makes these the only facts; those of `lazy` are found out when first asked for."""
        self.__dict__["_facts"] = facts
        self.__dict__["_lazy"] = dict(lazy or {})

    def _update(self, facts: Mapping[str, object]) -> None:
        """Adds facts to those of the running task: what decorators know."""
        self.__dict__["_facts"].update(facts)


current = Current()
