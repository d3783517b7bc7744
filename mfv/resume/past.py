"""An earlier run of a flow beside a new one: what of it does not hold any more, step by step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property

from mfv.capture.secrets import REDACTED
from mfv.code.compare import Carrier, carriers, changed
from mfv.code.parts import INERT, Module
from mfv.code.reach import Code, Reach
from mfv.ids import BlobId
from mfv.manifest.artifact import PICKLE, Artifact
from mfv.manifest.records import Opening, Tree
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

_WITH = "--with"


class Present:
    """The new run, as far as its steps depend on it."""

    def __init__(
        self, repository: Repository, opening: Opening, secret: Collection[str] = ()
    ) -> None:
        """`secret`: the attributes of inputs whose values are kept out of the records."""
        self.repository, self.opening, self.secret = repository, opening, secret
        self.values = values_of(opening)
        self.codes: dict[bytes, Code] = {}  # of earlier runs, by what they are read from
        self.modules: dict[tuple[str, str], Module] = {}  # of all of them

    @cached_property
    def code(self) -> Code:
        tree = self.repository.tree(self.opening)
        return code_of(self.repository, self.opening, tree, self.modules)


class Past:
    """What an earlier run was made of, compared with what the new one is made of."""

    def __init__(self, view: RunView, present: Present, *, same_secrets: bool) -> None:
        """`same_secrets`: inputs whose values are kept out of the records count as the same."""
        self.view, self._present = view, present
        self._same_secrets = same_secrets
        self._whys: dict[str, str | None] = {}
        self._carried: dict[bytes, str | None] = {}

    def why(self, step: str) -> str | None:
        """Why a step has to run, whatever it is given: what changed; None if nothing did."""
        if step not in self._whys:
            self._whys[step] = self._value(step) or self._code(step) or self._variable(step)
        return self._whys[step]

    def reach(self, step: str) -> Reach:
        """What a step depends on now."""
        return self._present.code.reach(step)

    @cached_property
    def secret(self) -> list[str]:
        """The attributes whose values are not recorded, there or here."""
        known = [*self._present.values.values(), *values_of(self.view.opening).values()]
        redacted = {one.name for one in known if one.value == REDACTED}
        return sorted(redacted.union(self._present.secret))

    @cached_property
    def readonly(self) -> set[str]:
        """The parameters and constants of both runs."""
        return {*self._present.values, *values_of(self.view.opening)}

    def carried(self, artifacts: Iterable[Artifact]) -> str | None:
        """Why values cannot be used as they were: the code changed of something in them."""
        if not self.carriers:
            return None
        for artifact in artifacts:
            if artifact.serializer != PICKLE or not artifact.frames:
                continue
            # The buffers of arrays and tables hold numbers; others may hold pickles of their own.
            is_data = artifact.summary.dtype is not None or artifact.summary.columns
            for frame in artifact.frames[:1] if is_data else artifact.frames:
                why = self._named_in(frame.blob)
                if why is not None:
                    return f"{artifact.name} leads to code that is not as it was: {why}"
        return None

    def _named_in(self, blob: bytes) -> str | None:
        if blob not in self._carried:
            data = bytes(self.view.repository.database.read_blob(BlobId(blob)))
            self._carried[blob] = next((c.why for c in self.carriers if _names(data, c)), None)
        return self._carried[blob]

    def same_value(self, name: str) -> bool:
        """Whether `name` is a parameter or a constant, and is what it was."""
        return name in self._present.values and name not in self._changed_values

    def values(self, step: str) -> list[Artifact]:
        """The parameters and constants that a step may read, as they are now."""
        reads = self.reach(step).reads
        return [a for name, a in self._present.values.items() if reads is None or name in reads]

    @cached_property
    def carriers(self) -> list[Carrier]:
        """Definitions that changed, by which a stored value may be more than its bytes."""
        return [] if self._same_code else carriers(self._old_code, self._present.code)

    @cached_property
    def _same_code(self) -> bool:
        old, new = self.view.opening, self._present.opening
        return (old.tree, old.script, old.flow) == (new.tree, new.script, new.flow)

    @cached_property
    def _old_code(self) -> Code:
        opening = self.view.opening
        names = sorted(values_of(opening))
        key = repr((opening.tree, opening.script, opening.flow, names)).encode()
        if key not in self._present.codes:
            tree = self.view.tree
            modules = self._present.modules
            self._present.codes[key] = code_of(self.view.repository, opening, tree, modules)
        return self._present.codes[key]

    def _code(self, step: str) -> str | None:
        if _with(self.view.opening) != _with(self._present.opening):
            return f"the decorators given with {_WITH} changed"
        if self._same_code and not self._looked_elsewhere:
            return None
        why = changed(self._old_code, self._present.code, step)
        several = self._old_code.project.is_ambiguous or self._present.code.project.is_ambiguous
        if why is None and self._looked_elsewhere and several:
            return "Python looks in other folders for modules that are there more than once"
        return why

    @cached_property
    def _looked_elsewhere(self) -> bool:
        return self.view.opening.module_path != self._present.opening.module_path

    def _variable(self, step: str) -> str | None:
        """An environment variable that is not what it was; most are not recorded."""
        old, new = dict(self.view.opening.variables), dict(self._present.opening.variables)
        names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if not names:
            return None
        texts = self.reach(step).texts
        found = next((name for name in names if name in texts), None)
        return None if found is None else f"it reads the variable {found}, which changed"

    @cached_property
    def _changed_values(self) -> dict[str, str]:
        """The parameters and constants that are not what they were, and what is to be said."""
        old, new = values_of(self.view.opening), self._present.values
        found = {}
        for name in sorted({*old, *new}):
            if name in self.secret:
                if not self._same_secrets:
                    found[name] = f"{name} is kept secret, and so cannot be compared"
            elif name not in old or name not in new:
                found[name] = f"{name} is {'new' if name in new else 'gone'}"
            elif old[name].id != new[name].id:
                found[name] = f"{name} is {_shown(new[name])} now, and was {_shown(old[name])}"
        return found

    def _value(self, step: str) -> str | None:
        values = self._changed_values
        if not values:
            return None
        reads = self.reach(step).reads
        names = [name for name in values if reads is None or name in reads]
        return values[names[0]] if names else None


def values_of(opening: Opening) -> dict[str, Artifact]:
    """The parameters and constants of a run, by attribute."""
    return {one.name: one for one in (*opening.constants, *opening.parameters)}


def code_of(
    repository: Repository,
    opening: Opening,
    tree: Tree,
    modules: dict[tuple[str, str], Module] | None = None,
) -> Code:
    """The code of a run, read when it is needed; `modules`: files that were read for others."""
    blobs = {file.path.decode("utf-8", "backslashreplace"): file.blob for file in tree.files}
    read: Callable[[str], bytes] = lambda path: bytes(  # noqa: E731
        repository.database.read_blob(BlobId(blobs[path]))
    )
    files: Mapping[str, str] = {path: blob.hex() for path, blob in blobs.items()}
    # What the snapshot does not hold is known by its size alone.
    sizes = {one.path: f"{one.size} bytes" for one in opening.left_out if one.size}
    return Code(
        {**sizes, **files},
        read,
        opening.script,
        opening.flow,
        steps=[node.name for node in opening.graph],
        constants=[one.name for one in opening.constants],
        parameters=[one.name for one in opening.parameters],
        modules=modules,
    )


def _with(opening: Opening) -> list[str]:
    """The decorators given on the command line that can change what a step does."""
    given = [words[1] for words in opening.flags if words[0] == _WITH and len(words) > 1]
    return sorted(word for word in given if word.partition(":")[0] not in INERT)


def _names(data: bytes, carrier: Carrier) -> bool:
    """Whether a pickle may name a definition; a pickle writes names as they are."""
    return carrier.module.encode() in data and carrier.name.encode() in data


def _shown(artifact: Artifact) -> str:
    text = artifact.summary.text or repr(artifact.value)
    return text if len(text) <= 40 else f"{text[:39]}…"
