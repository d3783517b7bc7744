"""`current`: what a step may ask about the task that runs it."""

from __future__ import annotations

from typing import Any

_OUTSIDE = "`current` has no {name!r} here"


class Current:
    """Facts about the running task; outside of one only `is_running_flow` is there.

    Attributes while a task runs: `flow_name, run_id, step_name, task_id, retry_count,
    origin_run_id, pathspec, namespace, username, tags, parameter_names, graph, tempdir`.
    """

    def __init__(self) -> None:
        self.__dict__["_facts"] = {}

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__["_facts"]
        if name == "is_running_flow":
            return bool(facts)
        try:
            return facts[name]
        except KeyError:
            raise AttributeError(_OUTSIDE.format(name=name)) from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`current.{name}` is read-only")

    def __contains__(self, name: str) -> bool:
        return name in self.__dict__["_facts"]

    def get(self, name: str, default: Any = None) -> Any:
        """The fact `name`, or `default` where there is none."""
        return self.__dict__["_facts"].get(name, default)

    def _set(self, **facts: object) -> None:
        self.__dict__["_facts"].clear()
        self.__dict__["_facts"].update(facts)

    def _update(self, **facts: object) -> None:
        """Adds facts to those of the running task."""
        self.__dict__["_facts"].update(facts)


current = Current()
