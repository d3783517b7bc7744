"""A pattern looked for in code, parameters, logs and texts of runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mfv.errors import CorruptError, UsageError
from mfv.found.matches import Match, Matched
from mfv.ids import BlobId
from mfv.manifest.artifact import BYTES, TEXT, Artifact
from mfv.manifest.records import Log, Task
from mfv.query.patterns import within
from mfv.repo.logs import read_lines
from mfv.repo.view import RunView

SECTIONS = ("code", "params", "logs", "artifacts")
_LONGEST = 16 << 20  # bytes of one thing that is searched
_LINES = 10_000  # that are told of one thing
_SECONDS = 3.0  # of computing that one thing may take

Lines = Sequence[str]


def compiled(pattern: str, *, fixed: bool, ignore_case: bool) -> re.Pattern[str]:
    """UsageError for a pattern that is none."""
    try:
        return re.compile(re.escape(pattern) if fixed else pattern, re.I if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as error:
        why = "its groups are too deep" if isinstance(error, RecursionError) else str(error)
        raise UsageError(
            f"{pattern[:200]!r} is no pattern: {why}", hint="-F looks for it as it stands"
        ) from None


def grep(
    runs: Sequence[RunView], pattern: re.Pattern[str], sections: Sequence[str] = SECTIONS
) -> Iterator[Matched]:
    """What matches in `runs`, newest first; what several share once, under the first that has it.

    Damaged objects are passed over: `fsck` tells of them. TooSlowError for a pattern that takes
    too long on something.
    """
    search = _Search(pattern)
    readers: dict[str, Callable[[RunView], None]] = {
        "code": search.code,
        "params": search.parameters,
        "logs": search.logs,
        "artifacts": search.artifacts,
    }
    for run in runs:
        if run.trouble is None:
            for section in sections:
                readers[section](run)
    yield from search.found()


class _Search:
    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        # By what it is: the same file in a hundred runs is read once and told once.
        self._found: dict[tuple[str, str, bytes], Matched | None] = {}
        self._texts: dict[bytes, tuple[Match, ...]] = {}

    def found(self) -> Iterator[Matched]:
        return (one for one in self._found.values() if one is not None)

    def code(self, run: RunView) -> None:
        try:
            files = run.tree.files
        except CorruptError:
            return
        for file in files:
            if file.size <= _LONGEST:
                path = file.path.decode("utf-8", "surrogateescape")
                self._add("code", run, path, file.blob, partial(self._blob, run, file.blob))

    def parameters(self, run: RunView) -> None:
        for name, artifact in {**run.parameters, **run.constants}.items():
            text = f"{name}={_shown(artifact)}"
            key = text.encode("utf-8", "replace")
            self._add("params", run, name, key, partial(self._lines, [text]))

    def logs(self, run: RunView) -> None:
        for task in _tasks(run):
            for stream, log in (("stdout", task.stdout), ("stderr", task.stderr)):
                if 0 < log.size <= _LONGEST:
                    place = f"{task.step}/{task.id}/{stream}"
                    key = log.blob or log.text or b""
                    self._add("logs", run, place, key, partial(self._log, run, log))

    def artifacts(self, run: RunView) -> None:
        for task in _tasks(run):
            for artifact in task.artifacts:
                if artifact.name in task.inherited or artifact.size > _LONGEST:
                    continue
                place = f"{task.step}/{task.id}/{artifact.name}"
                if isinstance(artifact.value, str):
                    lines = artifact.value.split("\n")
                    key = artifact.value.encode("utf-8", "surrogatepass")
                    self._add("artifacts", run, place, key, partial(self._lines, lines))
                elif artifact.serializer in (TEXT, BYTES) and artifact.frames:
                    blob = artifact.frames[0].blob
                    self._add("artifacts", run, place, blob, partial(self._blob, run, blob))

    def _add(
        self, section: str, run: RunView, place: str, key: bytes,
        matches: Callable[[], tuple[Match, ...]],
    ) -> None:  # fmt: skip
        known = section, place, bytes(key)
        if known in self._found:
            before = self._found[known]
            if before is not None:
                self._found[known] = before._replace(runs=before.runs + 1)
            return
        lines = matches()
        self._found[known] = Matched(section, run.name, place, 1, lines) if lines else None

    def _blob(self, run: RunView, blob: bytes) -> tuple[Match, ...]:
        if blob not in self._texts:
            try:
                data = bytes(run.repository.database.read_blob(BlobId(blob), largest=_LONGEST))
            except CorruptError:
                data = b""
            text = "" if b"\0" in data[:8192] else data.decode("utf-8", "replace")
            self._texts[blob] = self._lines(text.split("\n"))
        return self._texts[blob]

    def _log(self, run: RunView, log: Log) -> tuple[Match, ...]:
        try:
            lines = [one.text for one in read_lines(run.repository.database, log)]
        except CorruptError:
            return ()
        return self._lines([line.decode("utf-8", "replace") for line in lines])

    def _lines(self, lines: Lines) -> tuple[Match, ...]:
        search = self._pattern.search
        with within(_SECONDS):
            found = [Match(place, line) for place, line in enumerate(lines, 1) if search(line)]
        return tuple(found[:_LINES])


def _tasks(run: RunView) -> Iterator[Task]:
    for ref in run.refs:
        try:
            yield run.repository.task(ref)
        except CorruptError:
            continue


def _shown(artifact: Artifact) -> str:
    return artifact.summary.text if artifact.frames else str(artifact.value)
