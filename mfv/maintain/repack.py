"""repack: small packs, and such as are mostly dead or loose, into a few large and dense ones.

What runs need of them is copied into new packs; then one log entry brings these in and condemns
the old, which are deleted after it. The entry is appended only to a log of which every entry was
looked at: what came while it copied costs a look at the new entries, and copies only of what they
took up again. So it ends beside writers that never rest, and a writer whose pack was condemned
stores its bytes anew, as ever.
"""

from __future__ import annotations

import contextlib
import math
import time
from functools import partial

import msgspec

from mfv.errors import NotFoundError
from mfv.maintain.checking import Progress
from mfv.maintain.gc import GRACE, delete_packs
from mfv.maintain.marks import Marks
from mfv.maintain.rewriting import Repacked, RepackPlan, Rewriting, Source, StaleError
from mfv.maintain.survey import SMALL, PackFacts, survey
from mfv.odb.likeness import Likeness
from mfv.odb.packindex import is_dense
from mfv.odb.transfer import FULL
from mfv.repo.log import CondemnedError
from mfv.repo.repository import Repository

# A pack of which one part in so many can be compressed harder is rewritten for that alone.
_LOOSE = 4


def plan(repository: Repository, *, grace: float = GRACE, marks: Marks | None = None) -> RepackPlan:
    """Says which packs are worth rewriting; raises CorruptError as a gc does.

    `grace` spares packs so young of which only copies are needed that lie elsewhere too: a writer
    may be about to name them.
    """
    marks = marks or Marks(repository)
    marks.catch_up()
    entry = marks.entry
    now = time.time()
    sources, staying, worth = [], 0, False
    for one in survey(repository, marks):
        hollow = 2 * one.kept < one.payload
        young = one.kept == 0 and grace > 0 and now - one.modified < grace
        loose = one.size >= SMALL and _is_loose(repository, one)
        if not one.live or young or not (hollow or loose or one.size < SMALL):
            staying += 1
            continue
        sources.append(Source(bytes(one.pack), one.size, one.kept))
        worth = worth or hollow or loose
    if len(sources) < 2 and not worth:
        return RepackPlan(entry, (), staying + len(sources))
    return RepackPlan(entry, tuple(sources), staying)


def _is_loose(repository: Repository, one: PackFacts) -> bool:
    """Whether it pays to compress a pack harder, which was not done."""
    if repository.database.fast or _LOOSE * one.loose < one.payload:
        return False
    with contextlib.suppress(NotFoundError):  # another gc was here
        return not is_dense(repository.backend, one.pack)
    return False


def run(
    repository: Repository,
    planned: RepackPlan,
    *,
    grace: float = GRACE,
    marks: Marks | None = None,
    likeness: Likeness | None = None,
    progress: Progress = lambda _: None,
) -> Repacked:
    """Does what `planned` says; plans anew where another gc took a pack of it. Says what was done.

    May be stopped anywhere and called again. A pack with a damaged object that runs need, and of
    which no other copy is whole, stays and is told. `likeness`: of chunks that were seen before;
    `progress` is told how many bytes of the packs were gone through.
    """
    marks = marks or Marks(repository)
    likeness = likeness or Likeness()
    while planned.sources:
        try:
            done = Rewriting(repository, planned, marks, likeness, progress).run()
        except (StaleError, CondemnedError):
            planned = plan(repository, grace=grace, marks=marks)
            continue
        repository.database.leave(repository.log.state.condemned)
        delete_packs(repository, done.condemned)
        return done
    return Repacked(planned, (), 0, (), ())


def run_until(
    repository: Repository,
    planned: RepackPlan,
    deadline: float = math.inf,
    *,
    grace: float = GRACE,
    marks: Marks | None = None,
    progress: Progress = lambda _: None,
) -> Repacked:
    """Does of `planned` what can be begun before `deadline` (of `time.monotonic`), part by part.

    Each part is a repack of its own, whole when it ends, so that never much is stored twice; what
    is left is for the next one. The plan that comes back has what was done alone.
    """
    marks, likeness = marks or Marks(repository), Likeness()
    parts: list[Repacked] = []
    before = 0  # bytes of the parts that are done
    for sources in _parts(planned.sources):
        if time.monotonic() >= deadline:
            break
        part = msgspec.structs.replace(planned, sources=sources)
        tell = partial(_tell, progress, before)
        parts.append(
            run(repository, part, grace=grace, marks=marks, likeness=likeness, progress=tell)
        )
        before += part.size
    done = tuple(source for part in parts for source in part.planned.sources)
    left = len(planned.sources) - len(done)
    return Repacked(
        RepackPlan(planned.entry, done, planned.staying + max(0, left)),
        tuple(pack for part in parts for pack in part.condemned),
        sum(part.freed for part in parts),
        tuple(made for part in parts for made in part.written),
        tuple(damaged for part in parts for damaged in part.damaged),
    )


def _tell(progress: Progress, before: int, done: int) -> None:
    progress(before + done)


def _parts(sources: tuple[Source, ...]) -> list[tuple[Source, ...]]:
    """`sources` in their order, in parts that fill a pack each; the last takes what is left."""
    parts: list[list[Source]] = [[]]
    size = 0  # bytes that are to be copied
    for source in sources:
        if size >= FULL:
            parts.append([])
            size = 0
        parts[-1].append(source)
        size += source.kept
    if len(parts) > 1 and len(parts[-1]) < 2:
        parts[-2:] = [parts[-2] + parts[-1]]
    return [tuple(part) for part in parts if part]
