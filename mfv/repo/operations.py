"""What people did to names, and taking it back: tags, notes, the trash.

Every change is an entry of the log, so the log is the record of operations as well. To take one
back is another entry: nothing is ever rewritten, and what was taken back can be taken back.
"""

from __future__ import annotations

from collections.abc import Iterator

from mfv.errors import ConflictError, NotFoundError
from mfv.repo.archive import read_log
from mfv.repo.entries import (
    Body,
    DropArtifacts,
    Entry,
    NoteRun,
    RestoreRuns,
    SignRun,
    SweepRuns,
    TagRuns,
    TrashRuns,
)
from mfv.repo.log import decode_entry
from mfv.repo.names import State
from mfv.repo.repository import Repository

UNDOABLE = (TagRuns, NoteRun, TrashRuns, RestoreRuns)
_LISTED = (*UNDOABLE, SweepRuns, DropArtifacts, SignRun)


def operations(repository: Repository, most: int) -> list[Entry]:
    """The newest operations that people did, the newest first. Runs are not among them."""
    found: list[Entry] = []
    log, number = repository.log, repository.state.number
    while number and len(found) < most:
        first = max(1, number - 255)
        some = [one for one in log.read(first, number) if isinstance(one.body, _LISTED)]
        found += some[::-1]
        number = first - 1
    return found[:most]


def undo(repository: Repository, number: int | None = None) -> tuple[Entry, Entry]:
    """Takes an operation back: entry `number`, else the newest. Returns it and the new entry.

    Raises NotFoundError if there is none, ConflictError for one that cannot be taken back, or
    where what it did is not so any more.
    """
    entry = _chosen(repository, number)
    before = _state_before(repository, entry.number)

    def build(state: State) -> Body:
        body = _inverse(entry, before, state)
        if body is None:
            raise ConflictError(
                f"what operation {entry.number} did is not so any more",
                hint="`mfv op log` lists all",
            )
        return body

    return entry, repository.log.append(build)


def words(entry: Entry) -> str:
    """What an operation did, in a line."""
    match entry.body:
        case TagRuns(removed, added):
            parts = [f"took {tag} off {flow}/{run}" for flow, run, tag in removed]
            parts += [f"put {tag} on {flow}/{run}" for flow, run, tag in added]
            return ", ".join(parts)
        case NoteRun(flow, run, text):
            return f"noted on {flow}/{run}" if text else f"took the note off {flow}/{run}"
        case TrashRuns(runs, reason):
            return f"put {_listed(runs)} into the trash ({reason})"
        case RestoreRuns(runs):
            return f"restored {_listed(runs)}"
        case SweepRuns(runs):
            return f"swept {_listed(runs)}"
        case DropArtifacts(flow, run, names):
            return f"let {', '.join(names)} of {flow}/{run} go"
        case SignRun(flow, run, signature):
            return f"signed {f'{signature.tag} on ' if signature.tag else ''}{flow}/{run}"
    return ""


def _chosen(repository: Repository, number: int | None) -> Entry:
    if number is None:
        found = [one for one in operations(repository, 1000) if isinstance(one.body, UNDOABLE)]
        if not found:
            raise NotFoundError("there is no operation to take back", hint="`mfv op log` lists all")
        return found[0]
    if not 1 <= number <= repository.state.number:
        raise NotFoundError(f"there is no operation {number}", hint="`mfv op log` lists all")
    (entry,) = repository.log.read(number, number)
    if not isinstance(entry.body, UNDOABLE):
        raise ConflictError(
            f"operation {number} cannot be taken back",
            hint="tags, notes, removing and restoring runs can; what was swept is gone",
        )
    return entry


def _state_before(repository: Repository, number: int) -> State:
    """All names as they were before an entry."""
    state = State()
    for place, data in read_log(repository.backend):
        if place >= number:
            break
        state.apply(*decode_entry(place, data))
    return state


def _inverse(entry: Entry, before: State, now: State) -> Body | None:
    """What takes the entry back, of what is still as it left it; None if nothing is."""
    match entry.body:
        case TagRuns(removed, added):
            off = tuple(_tags(added, before, now, bore=False))
            on = tuple(_tags(removed, before, now, bore=True))
            return TagRuns(off, on) if off or on else None
        case NoteRun(flow, run, text):
            here, then = now.find(flow, run), before.find(flow, run)
            if here is None or here.note != text:
                return None
            return NoteRun(flow, run, "" if then is None else then.note)
        case TrashRuns(runs, _):
            back = []
            for flow, run in runs:
                here, then = now.find(flow, run), before.find(flow, run)
                if here is None or not here.in_trash or (then is not None and then.in_trash):
                    continue
                if here.swept:
                    raise ConflictError(
                        f"the bytes of {here.name} are gone: gc has swept it",
                        hint=f"`mfv clone {here.name}` brings back its code and parameters",
                    )
                back.append((flow, run))
            return RestoreRuns(tuple(back)) if back else None
        case RestoreRuns(runs):
            again = []
            for flow, run in runs:
                here = now.find(flow, run)
                if here is not None and not here.in_trash:
                    again.append((flow, run))
            return TrashRuns(tuple(again), f"undo of {entry.number}") if again else None
    return None


def _tags(
    tags: tuple[tuple[str, int, str], ...], before: State, now: State, *, bore: bool
) -> Iterator[tuple[str, int, str]]:
    """Those that were otherwise before, and still are as the entry left them."""
    for flow, run, tag in tags:
        then, here = before.find(flow, run), now.find(flow, run)
        had = then is not None and tag in then.tags
        has = here is not None and tag in here.tags
        if had == bore and has != bore and here is not None:
            yield flow, run, tag


def _listed(runs: tuple[tuple[str, int], ...]) -> str:
    names = [f"{flow}/{run}" for flow, run in runs]
    return ", ".join(names) if len(names) <= 6 else f"{len(names)} runs"
