"""One run as a query sees it, read no further than the query asks."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import cached_property

from mfv.errors import CorruptError
from mfv.query.evaluate import value_of
from mfv.query.expression import Field, Plain
from mfv.query.values import Values, values_of
from mfv.repo.revision import Names
from mfv.repo.view import RunView

_SEPARATORS = re.compile(r"[-_.]+")


class RunFacts:
    """The facts of a run (`mfv.query.facts.Facts`); what is damaged of it is no fact."""

    def __init__(self, run: RunView, names: Callable[[], Names]) -> None:
        """`names`: for the run before it, where it is asked which code changed."""
        self.run = run
        self._names = names

    def own(self, name: str) -> Plain:
        run = self.run
        match name:
            case "flow":
                return run.flow
            case "number":
                return run.number
            case "name":
                return run.name
            case "id":
                return run.run_id
            case "status":
                return run.status
            case "started":
                return run.started
        if run.trouble is not None:
            return None
        match name:
            case "ended":
                return run.ended
            case "duration":
                return run.seconds
            case "user":
                return run.opening.user
            case "host":
                return run.opening.host
            case "commit":
                return None if run.opening.git is None else run.opening.git.commit
            case "branch":
                return None if run.opening.git is None else run.opening.git.branch
            case "failed_step":
                return None if run.manifest is None else run.manifest.failed_step
            case "failure":
                failure = None if run.manifest is None else run.manifest.failure
                return None if failure is None else failure.type
        raise AssertionError(f"{name} is no field of a run")

    @cached_property
    def values(self) -> Values:
        if self.run.trouble is not None:
            return {}
        manifest, opening = self.run.manifest, self.run.opening
        results = () if manifest is None else manifest.results
        return values_of(opening.parameters, opening.constants, results)

    def value(self, field: Field) -> Plain | tuple[str, ...]:
        """A field's value; of a field of many, all of them in order."""
        if field.kind == "many":
            return tuple(sorted(self.names(field.name)))
        return value_of(field, self)

    def names(self, what: str) -> Collection[str]:
        run = self.run
        match what:
            case "tag":
                return run.tags
            case "flow":
                return (run.flow,)
        if run.trouble is not None:
            return ()
        match what:
            case "user":
                return (run.opening.user,)
            case "step":
                return {ref.step for ref in run.refs}
            case "code":
                return self._changed_files
        raise AssertionError(f"a run has no names of the kind {what}")

    def package(self, name: str) -> str | None:
        wanted = _normal(name)
        try:
            packages = self.run.environment.packages
        except CorruptError:
            return None
        return next((one.version for one in packages if _normal(one.name) == wanted), None)

    @cached_property
    def _changed_files(self) -> Collection[str]:
        """The paths that differ from the run before it of its flow: of the first one, all."""
        try:
            here = self.run.tree
        except CorruptError:
            return ()
        before = self._names().before(self.run.state, 1)
        if before is None:
            return {_text(file.path) for file in here.files}
        past = RunView(self.run.repository, before)
        try:
            if past.opening.tree == self.run.opening.tree:
                return ()
            old = {(file.path, file.mode, file.blob) for file in past.tree.files}
        except CorruptError:
            return ()
        new = {(file.path, file.mode, file.blob) for file in here.files}
        return {_text(path) for path, _, _ in old ^ new}


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()
