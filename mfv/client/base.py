"""What all handles have in common: a place on the path from a flow down to an artifact."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar, TypeVar

from mfv.client.errors import (
    MetaflowInvalidPathspec,
    MetaflowKeyError,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
)
from mfv.client.namespaces import get_namespace
from mfv.client.place import Place, open_place
from mfv.client.rundata import RunData, as_number
from mfv.errors import CorruptError, did_you_mean
from mfv.repo.names import RunState

Child = TypeVar("Child", bound="MetaflowObject")


class MetaflowObject(ABC):
    """A handle on something recorded. It holds names; what they name is read when asked for."""

    _DEPTH: ClassVar[int] = 0  # parts of its pathspec
    _FORM: ClassVar[str] = ""
    _BY_DEPTH: ClassVar[dict[int, type[MetaflowObject]]] = {}

    _place: Place
    _path: tuple[str, ...]
    _namespace: str | None
    _attempt: int | None

    def __init_subclass__(cls) -> None:
        if cls._DEPTH:
            cls._BY_DEPTH[cls._DEPTH] = cls

    def __init__(self, pathspec: str) -> None:
        """The object at `pathspec`.

        Raises MetaflowInvalidPathspec, MetaflowNotFound with near names, or
        MetaflowNamespaceMismatch where it is not in the namespace that is chosen.
        """
        self._open(pathspec, None)

    @property
    def id(self) -> str:
        """The last part of the pathspec."""
        return self._path[-1]

    @property
    def pathspec(self) -> str:
        """The full name: what the constructor takes."""
        return "/".join(self._path)

    @property
    def path_components(self) -> list[str]:
        """The parts of the pathspec."""
        return list(self._path)

    @property
    def parent(self) -> MetaflowObject | None:
        """The object that this one belongs to; None for a flow."""
        if self._DEPTH <= 1:
            return None
        cls = self._BY_DEPTH[self._DEPTH - 1]
        found = cls.__new__(cls)
        self._hand_down(found)
        # Tasks and their artifacts have attempts, and nothing above them.
        attempt = self._attempt if self._DEPTH == 5 else None
        found._attach(self._place, self._path[:-1], attempt, self._namespace)
        return found

    @property
    def tags(self) -> frozenset[str]:
        """The tags of the run that it belongs to, the user's and the system's, as of now."""
        return self.user_tags | self.system_tags

    @property
    def user_tags(self) -> frozenset[str]:
        """The tags that people put on the run, as of now."""
        return frozenset()

    @property
    def system_tags(self) -> frozenset[str]:
        """The tags that every run has from its beginning and keeps."""
        return frozenset()

    @property
    @abstractmethod
    def created_at(self) -> datetime:
        """When it began, in local time and without a zone."""

    @property
    def origin_pathspec(self) -> str | None:
        """The pathspec of what a resumed run took this from; None where it was made here."""
        return None

    @property
    def origins(self) -> list[str]:
        """`origin_pathspec`, that of what it names, and so on: the last was really made there.

        It ends where what is named is not there any more. Empty where this was made here.
        """
        found: list[str] = []
        here: MetaflowObject = self
        while (origin := here.origin_pathspec) is not None and origin not in found:
            found.append(origin)
            before = type(self).__new__(type(self))
            try:
                before._attach(self._place, self._split(origin), None, None)
            except MetaflowNotFound:
                break
            here = before
        return found

    def is_in_namespace(self) -> bool:
        """Whether it is in the namespace that is chosen now."""
        return self._is_in(get_namespace())

    def __repr__(self) -> str:
        attempt = "" if self._attempt is None else f", attempt={self._attempt}"
        return f"{type(self).__name__}({self.pathspec!r}{attempt})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MetaflowObject):
            return NotImplemented
        return self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._path)

    def __reduce__(self) -> tuple[object, ...]:
        # By name: wherever it is loaded, it means what that repository has under the name.
        return _again, (type(self), self._path, self._attempt, self._namespace)

    def _ipython_key_completions_(self) -> list[str]:
        """What a shell offers after `self["`."""
        return []

    @property
    def _identity(self) -> tuple[object, ...]:
        return (type(self), self._path, self._attempt, self._place.repository.format.repository)

    def _open(self, pathspec: str, attempt: int | None) -> None:
        self._attach(open_place(), self._split(pathspec), attempt, get_namespace())
        self._check_namespace()

    @classmethod
    def _split(cls, pathspec: str) -> tuple[str, ...]:
        # The name of an artifact is the only part that may have a slash.
        parts = tuple(pathspec.split("/", 4)) if isinstance(pathspec, str) else ()
        if len(parts) != cls._DEPTH or "" in parts:
            raise MetaflowInvalidPathspec(
                f"{pathspec!r} is no pathspec of a {cls.__name__}", hint=f"write {cls._FORM}"
            )
        return parts

    def _attach(
        self, place: Place, path: tuple[str, ...], attempt: int | None, namespace: str | None
    ) -> None:
        """Sets the handle up; MetaflowNotFound if it would be one on nothing."""
        self._place, self._path = place, path
        self._attempt, self._namespace = attempt, namespace
        self._look_up()

    @abstractmethod
    def _look_up(self) -> None:
        """Reads what names the object; MetaflowNotFound if it is not there."""

    @abstractmethod
    def _is_in(self, namespace: str | None) -> bool:
        """Whether it is in `namespace`; None is everything."""

    def _check_namespace(self) -> None:
        if self._namespace is not None and not self._is_in(self._namespace):
            raise MetaflowNamespaceMismatch(repr(self), self._namespace)

    def _child(self, cls: type[Child], name: str) -> Child:
        """The child of that name, whatever the namespace; MetaflowNotFound."""
        found = cls.__new__(cls)
        self._hand_down(found)
        found._attach(self._place, (*self._path, name), self._attempt, self._namespace)
        return found

    def _hand_down(self, other: MetaflowObject) -> None:  # noqa: B027
        """Gives a child or the parent what it would else have to look up."""

    def _item(self, cls: type[Child], name: object) -> Child:
        """For `self[name]`: the child; MetaflowKeyError, or MetaflowNamespaceMismatch."""
        try:
            found = self._child(cls, str(name))
        except MetaflowNotFound as error:
            raise MetaflowKeyError(error.message, hint=error.hint) from None
        if self._DEPTH == 1:  # below a run everything has its namespace
            found._check_namespace()
        return found

    def _has(self, cls: type[MetaflowObject], name: object) -> bool:
        try:
            self._child(cls, str(name))
        except MetaflowNotFound:
            return False
        return True


class RunPart(MetaflowObject):
    """A run, or something inside one: it has the run's tags."""

    _data: RunData | None = None

    @property
    def user_tags(self) -> frozenset[str]:
        return frozenset(self._run_data.state.tags)

    @property
    def system_tags(self) -> frozenset[str]:
        return self._run_data.system_tags()

    @property
    def _run_data(self) -> RunData:
        if self._data is None:
            self._data = find_run_data(self._place, *self._path[:2])
        return self._data

    def _hand_down(self, other: MetaflowObject) -> None:
        if isinstance(other, RunPart):
            other._data = self._data

    def _is_in(self, namespace: str | None) -> bool:
        return namespace is None or self._run_data.bears(namespace)

    def _bears_all(self, tags: tuple[str, ...]) -> bool:
        return all(self._run_data.bears(tag) for tag in tags)


def find_run_data(place: Place, flow: str, number: str) -> RunData:
    """The run of that flow and number; MetaflowNotFound with near names."""
    with place.lock:
        runs = flow_runs(place, flow)
        run = runs.get(as_number(number))
        if run is not None:
            return RunData(place, run)
        removed = place.state().find(flow, as_number(number) or 0)
        if removed is not None:
            hint = f"`mfv restore {removed.name}` brings it back"
            raise MetaflowNotFound(f"{removed.name} is in the trash", hint=hint)
        first, last = min(runs), max(runs)
    raise MetaflowNotFound(f"{flow} has no run {number!r}", hint=f"its runs are {first} to {last}")


def flow_runs(place: Place, flow: str) -> dict[int, RunState]:
    """The runs of a flow by number, never none; MetaflowNotFound with near names."""
    with place.lock:
        state = place.state()
        listed = state.listed(flow)
        if listed:
            return listed
        known = [name for name in state.runs if state.listed(name)]
        hint = did_you_mean(flow, known) or "`mfv log` lists the runs"
    raise MetaflowNotFound(f"there is no flow {flow!r}", hint=hint)


def is_listed(data: RunData, namespace: str | None) -> bool:
    """Whether a listing in `namespace` shows the run."""
    try:
        return namespace is None or data.bears(namespace)
    except CorruptError:
        return True  # whose it is cannot be told: better named than lost


def _again(
    cls: type[MetaflowObject], path: tuple[str, ...], attempt: int | None, namespace: str | None
) -> MetaflowObject:
    found = cls.__new__(cls)
    found._attach(open_place(), path, attempt, namespace)
    return found
