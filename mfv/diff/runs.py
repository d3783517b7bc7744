"""What changed between two runs, as one value with an inverse."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mfv.diff.code import FileChange, diff_trees
from mfv.diff.content import ContentDiff
from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment, Git, Source, Tree

# Every record has these.
_FIRST_FACTS = frozenset(
    {
        *("python", "implementation", "system", "release", "machine", "libc"),
        *("cpu", "cpu_count", "memory", "gpus"),
    }
)


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
    hash_seed: str = ""  # empty where it was not recorded
    variables: dict[str, str] = {}  # those of its environment by which libraries compute otherwise


class ValueChange(msgspec.Struct, frozen=True):
    """A named value that differs, came or went (then one side is None)."""

    name: str
    before: Artifact | None
    after: Artifact | None
    content: ContentDiff | None = None  # what differs inside it, where that was looked at

    def inverse(self) -> ValueChange:
        content = None if self.content is None else self.content.inverse()
        return ValueChange(self.name, self.after, self.before, content)

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
    sources: tuple[TextChange, ...]  # where packages came from, unless their files are the same
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
                self.sources,
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
            sources=_turned_text(self.sources),
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
    parameters = diff_values(before.parameters, after.parameters)
    metrics = diff_values(before.metrics, after.metrics)
    artifacts = diff_values(before.artifacts, after.artifacts)
    files = diff_trees(before.tree, after.tree, contents)
    old = {package.name: package.version for package in before.environment.packages}
    new = {package.name: package.version for package in after.environment.packages}
    return RunDiff(
        before=before.name,
        after=after.name,
        parameters=parameters,
        constants=diff_values(before.constants, after.constants),
        metrics=metrics,
        artifacts=artifacts,
        files=files,
        environment=_texts(*_machines(before, after)),
        packages=_texts(old, new),
        sources=_sources(before.environment, after.environment),
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


def diff_values(
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


def _machines(before: Side, after: Side) -> tuple[dict[str, str], dict[str, str]]:
    """The facts about the machines that both records have: older ones lack some."""
    old, new = _machine(before), _machine(after)
    is_full = before.environment.python_build and after.environment.python_build
    if not is_full:
        old = {name: value for name, value in old.items() if name in _FIRST_FACTS}
        new = {name: value for name, value in new.items() if name in _FIRST_FACTS}
    if before.hash_seed and after.hash_seed:
        old["hash_seed"], new["hash_seed"] = before.hash_seed, after.hash_seed
    return {**old, **before.variables}, {**new, **after.variables}


def _machine(side: Side) -> dict[str, str]:
    facts = msgspec.structs.asdict(side.environment)
    for name in ("packages", "sources", "extensions"):
        del facts[name]
    facts["gpus"] = ", ".join(side.environment.gpus)
    facts["cpu_features"] = " ".join(side.environment.cpu_features)
    facts["gpu_details"] = ", ".join(
        f"{gpu.name} {gpu.memory >> 20} MiB {gpu.compute}".rstrip()
        for gpu in side.environment.gpu_details
    )
    return {name: str(value) for name, value in facts.items()}


def _sources(before: Environment, after: Environment) -> tuple[TextChange, ...]:
    """Where packages came from that both have, if not the same place or not the same files."""
    new = {source.name: source for source in after.sources}
    found = []
    for old in before.sources:
        other = new.get(old.name)
        if other is None or (old.content and old.content == other.content):
            continue
        texts = _place(old), _place(other)
        if texts[0] == texts[1] and old.content and other.content:
            texts = _build(old), _build(other)
        if texts[0] != texts[1]:
            found.append((old.name, *texts))
    versions = {(one.name, one.version) for one in before.packages}
    same = {one.name for one in after.packages if (one.name, one.version) in versions}
    # Another version is another build: that is told already.
    return tuple(
        TextChange(name, *texts)
        for name, *texts in sorted(found)
        if name in same or not all(text.startswith("build ") for text in texts)
    )


def _place(source: Source) -> str:
    if source.kind == "vcs":
        commit = f"{source.vcs}+{source.url}@{source.commit[:12]}"
        return commit + (f" {source.subdirectory}" if source.subdirectory else "")
    if source.kind == "directory":
        return f"{'editable ' if source.editable else ''}{source.url}"
    return source.url or source.kind


def _build(source: Source) -> str:
    return f"build {source.content.hex()[:8]} {source.wheel}".rstrip()


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
