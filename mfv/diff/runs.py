"""What changed between two runs, as one value with an inverse."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mfv.diff.code import FileChange, diff_trees
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Git, Tree


class StepFacts(msgspec.Struct, frozen=True):
    """How one step went."""

    tasks: int
    failed: int
    seconds: float  # from the start of its first task to the end of its last


class Side(msgspec.Struct, frozen=True):
    """All of one run that a comparison looks at."""

    name: str
    status: str
    parameters: dict[str, Artifact]
    constants: dict[str, Artifact]
    metrics: dict[str, Artifact]
    artifacts: dict[str, Artifact]  # `step/name`, `step[2]/name`; each where it was made
    tree: Tree
    environment: Environment
    git: Git | None
    steps: dict[str, StepFacts]
    tags: tuple[str, ...]
    reads: dict[str, dict[str, str]] = {}  # `step: flow/step/name`: id in hex to the run's name


class ValueChange(msgspec.Struct, frozen=True):
    """A named value that differs, came or went (then one side is None)."""

    name: str
    before: Artifact | None
    after: Artifact | None

    def inverse(self) -> ValueChange:
        return ValueChange(self.name, self.after, self.before)

    @property
    def difference(self) -> float | None:
        """After less before, if both are numbers."""
        if self.before is None or self.after is None:
            return None
        if not (self.before.is_number and self.after.is_number):
            return None
        return self.after.value - self.before.value  # type: ignore[operator]


class TextChange(msgspec.Struct, frozen=True):
    """A named fact that differs, came or went."""

    name: str
    before: str | None
    after: str | None

    def inverse(self) -> TextChange:
        return TextChange(self.name, self.after, self.before)


class Same(msgspec.Struct, frozen=True):
    """How much did not change."""

    parameters: int
    metrics: int
    artifacts: int
    files: int
    packages: int


class RunDiff(msgspec.Struct, frozen=True):
    """Two runs compared; falsy if nothing that makes or comes of a run differs.

    Durations, tags and the runs' own numbers are told, but make no difference.
    """

    before: str
    after: str
    parameters: tuple[ValueChange, ...]
    constants: tuple[ValueChange, ...]
    metrics: tuple[ValueChange, ...]
    artifacts: tuple[ValueChange, ...]
    files: tuple[FileChange, ...]
    environment: tuple[TextChange, ...]
    packages: tuple[TextChange, ...]
    git: tuple[TextChange, ...]
    status: TextChange | None
    steps: tuple[TextChange, ...]
    tags: tuple[TextChange, ...]
    same: Same
    reads: tuple[TextChange, ...] = ()  # by content: the same from another run is no change

    def __bool__(self) -> bool:
        return any(
            (
                self.parameters,
                self.constants,
                self.metrics,
                self.artifacts,
                self.files,
                self.environment,
                self.packages,
                self.git,
                self.status,
                self.steps,
                self.reads,
            )
        )

    def inverse(self) -> RunDiff:
        """The same comparison the other way round, code hunks included."""
        return RunDiff(
            before=self.after,
            after=self.before,
            parameters=_turned(self.parameters),
            constants=_turned(self.constants),
            metrics=_turned(self.metrics),
            artifacts=_turned(self.artifacts),
            files=tuple(change.inverse() for change in self.files),
            environment=_turned_text(self.environment),
            packages=_turned_text(self.packages),
            git=_turned_text(self.git),
            status=None if self.status is None else self.status.inverse(),
            steps=_turned_text(self.steps),
            tags=_turned_text(self.tags),
            same=self.same,
            reads=_turned_text(self.reads),
        )


def diff_runs(before: Side, after: Side, contents: Mapping[bytes, bytes]) -> RunDiff:
    """What changed from one run to another.

    `contents`: the bytes of the blobs that `mfv.diff.code.needed_blobs` names for their trees.
    """
    parameters = _values(before.parameters, after.parameters)
    metrics = _values(before.metrics, after.metrics)
    artifacts = _values(before.artifacts, after.artifacts)
    files = diff_trees(before.tree, after.tree, contents)
    old = {package.name: package.version for package in before.environment.packages}
    new = {package.name: package.version for package in after.environment.packages}
    return RunDiff(
        before=before.name,
        after=after.name,
        parameters=parameters,
        constants=_values(before.constants, after.constants),
        metrics=metrics,
        artifacts=artifacts,
        files=files,
        environment=_texts(_machine(before.environment), _machine(after.environment)),
        packages=_texts(old, new),
        git=_texts(_git(before.git), _git(after.git)),
        status=(
            None
            if before.status == after.status
            else TextChange("status", before.status, after.status)
        ),
        steps=_texts(_tasks(before.steps), _tasks(after.steps)),
        tags=_texts({tag: tag for tag in before.tags}, {tag: tag for tag in after.tags}),
        same=Same(
            parameters=_same(before.parameters, parameters),
            metrics=_same(before.metrics, metrics),
            artifacts=_same(before.artifacts, artifacts),
            files=len(before.tree.files) - sum(change.before is not None for change in files),
            packages=sum(new.get(name) == version for name, version in old.items()),
        ),
        reads=_reads(before.reads, after.reads),
    )


def _values(
    before: Mapping[str, Artifact], after: Mapping[str, Artifact]
) -> tuple[ValueChange, ...]:
    return tuple(
        ValueChange(name, before.get(name), after.get(name))
        for name in _names(before, after)
        if name not in before or name not in after or before[name].id != after[name].id
    )


def _texts(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[TextChange, ...]:
    return tuple(
        TextChange(name, before.get(name), after.get(name))
        for name in _names(before, after)
        if before.get(name) != after.get(name)
    )


def _reads(
    before: Mapping[str, Mapping[str, str]], after: Mapping[str, Mapping[str, str]]
) -> tuple[TextChange, ...]:
    def text(found: Mapping[str, str] | None) -> str | None:
        if found is None:
            return None
        return ", ".join(sorted(f"{run} ({content[:8]})" for content, run in found.items()))

    return tuple(
        TextChange(name, text(before.get(name)), text(after.get(name)))
        for name in _names(before, after)
        if before.get(name, {}).keys() != after.get(name, {}).keys()
    )


def _names(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    return sorted(before.keys() | after.keys())


def _same(before: Mapping[str, Artifact], changes: tuple[ValueChange, ...]) -> int:
    return len(before) - sum(change.before is not None for change in changes)


def _machine(environment: Environment) -> dict[str, str]:
    facts = msgspec.structs.asdict(environment)
    del facts["packages"]
    facts["gpus"] = ", ".join(environment.gpus)
    return {name: str(value) for name, value in facts.items()}


def _git(git: Git | None) -> dict[str, str]:
    if git is None:
        return {}
    facts = {"commit": git.commit, "branch": git.branch, "remote": git.remote}
    known = {name: value for name, value in facts.items() if value is not None}
    return {**known, "dirty": "yes" if git.dirty else "no"}


def _tasks(steps: Mapping[str, StepFacts]) -> dict[str, str]:
    """Per step, what of it makes a difference: how many tasks, how many of them failed."""
    return {
        name: f"{facts.tasks}" if not facts.failed else f"{facts.tasks}, {facts.failed} failed"
        for name, facts in steps.items()
    }


def _turned(changes: tuple[ValueChange, ...]) -> tuple[ValueChange, ...]:
    return tuple(change.inverse() for change in changes)


def _turned_text(changes: tuple[TextChange, ...]) -> tuple[TextChange, ...]:
    return tuple(change.inverse() for change in changes)
