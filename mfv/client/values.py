"""`task.data`: the values of a task's artifacts as attributes, each loaded when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mfv.client.errors import MetaflowNotFound

if TYPE_CHECKING:
    from mfv.client.task import Task


class MetaflowData:
    """The values that a task left, its parameters and constants among them.

    Names with a leading underscore can be asked for and are not listed.
    """

    __slots__ = ("__task",)

    def __init__(self, task: Task) -> None:
        self.__task = task

    def __getattr__(self, name: str) -> Any:
        # Copying and interactive shells probe for special methods, which are never artifacts.
        if name.startswith("__") or name == "_MetaflowData__task":
            raise AttributeError(name, name=name, obj=self)
        try:
            artifact = self.__task[name]
        except MetaflowNotFound as error:
            raise AttributeError(str(error), name=name, obj=self) from None
        return artifact.data

    def __contains__(self, name: object) -> bool:
        return name in self.__task

    def __dir__(self) -> list[str]:
        return [*self.__names(), *object.__dir__(self)]

    def __repr__(self) -> str:
        return f"<MetaflowData: {', '.join(self.__names())}>"

    def __names(self) -> list[str]:
        return [artifact.id for artifact in self.__task]
