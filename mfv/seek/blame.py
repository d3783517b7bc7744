"""In which run a parameter, an artifact or a line of code last became what it is."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence

from mfv.errors import CorruptError, NotFoundError, did_you_mean
from mfv.found.changes import Since
from mfv.ids import BlobId
from mfv.manifest.artifact import Artifact
from mfv.repo.view import RunView

_LONGEST = 4 << 20  # bytes of a file
Words = Callable[[Artifact], str]


def blame_parameters(runs: Sequence[RunView], words: Words, name: str | None = None) -> list[Since]:
    """Each parameter and constant of the newest of `runs`, which come oldest first."""
    runs = [run for run in runs if run.trouble is None]
    if not runs:
        return []
    newest = {**runs[-1].constants, **runs[-1].parameters}
    if name is not None and name not in newest:
        hint = did_you_mean(name, newest) or f"there are {', '.join(newest)}"
        raise NotFoundError(f"{runs[-1].name} has no parameter {name!r}", hint=hint)
    wanted = newest if name is None else {name: newest[name]}

    def of(run: RunView, one: str) -> Artifact | None:
        return run.parameters.get(one) or run.constants.get(one)

    return [_since(runs, one, lambda run, one=one: of(run, one), words) for one in wanted]  # type: ignore[misc]


def blame_artifacts(runs: Sequence[RunView], words: Words, name: str) -> list[Since]:
    """One artifact, `step/name` or the name alone, of the newest of `runs`; oldest first."""
    runs = [run for run in runs if run.trouble is None]
    step, slash, inner = name.rpartition("/")

    def of(run: RunView) -> Artifact | None:
        found = None
        for ref in run.refs:
            if slash and ref.step != step:
                continue
            try:
                task = run.repository.task(ref)
            except CorruptError:
                continue
            for one in task.artifacts:
                if one.name == inner and one.name not in task.inherited:
                    found = one
        return found

    if not runs or of(runs[-1]) is None:
        where = runs[-1].name if runs else "it"
        raise NotFoundError(f"{where} has no artifact {name!r}", hint=f"`mfv ls {where}/STEP/TASK`")
    return [_since(runs, name, of, words)]


def blame_file(runs: Sequence[RunView], path: str) -> list[Since]:
    """Each line of a file of code as the newest of `runs` has it; they come oldest first."""
    lines: list[Since] = []
    before: bytes | None = None
    there = False
    for run in runs:
        if run.trouble is not None:
            continue
        try:
            file = next((f for f in run.tree.files if _text(f.path) == path), None)
            blob = None if file is None else file.blob
            if blob == before and there:
                continue
            data = b"" if file is None else _content(run, file.blob, file.size)
        except CorruptError:
            continue
        there, before = file is not None, blob
        lines = _carried(lines, data.decode("utf-8", "replace").split("\n"), run)
    if not there:
        newest = runs[-1].name if runs else "it"
        hint = f"`mfv ls {newest}:` lists its files"
        raise NotFoundError(f"the code of {newest} has no file {path!r}", hint=hint)
    if lines and not lines[-1].value:
        lines.pop()  # behind the last line end
    return [one._replace(name=str(place)) for place, one in enumerate(lines, 1)]


def _content(run: RunView, blob: bytes, size: int) -> bytes:
    if size > _LONGEST:
        raise NotFoundError(f"a file of {size} bytes is too long to be told line by line")
    data = bytes(run.repository.database.read_blob(BlobId(blob), largest=_LONGEST))
    return b"" if b"\0" in data else data


def _carried(old: Sequence[Since], new: Sequence[str], run: RunView) -> list[Since]:
    """The lines `new`: those that were there keep their run."""
    matcher = difflib.SequenceMatcher(None, [one.value for one in old], new, autojunk=False)
    found: list[Since] = []
    for tag, first, last, low, high in matcher.get_opcodes():
        if tag == "equal":
            found += old[first:last]
        else:
            found += [Since("", run.name, run.started, text) for text in new[low:high]]
    return found


def _since(
    runs: Iterable[RunView], name: str, of: Callable[[RunView], Artifact | None], words: Words
) -> Since:
    found: Since | None = None
    last: Artifact | None = None
    for run in runs:
        now = of(run)
        if now is None:
            last = None  # it went, and what comes is new
            continue
        if last is None or now.id != last.id:
            before = None if last is None else words(last)
            found = Since(name, run.name, run.started, words(now), before)
        last = now
    assert found is not None
    return found


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
