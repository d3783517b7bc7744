"""The commands that write, and a small repository on which each of them has something to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from keeping import add_pack, payload
from processes import Place
from unharmed import Facts

from mfv.maintain import logarchive
from mfv.odb.packindex import key_of
from mfv.repo.archive import SIZES
from mfv.repo.log import CHECKPOINT_EVERY
from mfv.repo.repository import Repository
from mfv.storage.local import TMP, LocalBackend

# Small values travel with the commit; large ones a task writes out itself.
BODY = """
@step
def start(self):
    self.items = [1, 2]
    self.next(self.work, foreach="items")

@step
def work(self):
    print("worked on", self.input)
    self.small = self.input
    self.large = os.urandom(300_000)
    self.next(self.join)

@step
def join(self, inputs):
    if os.environ.get("ENDING") == "fail":
        raise ValueError("as asked")
    if os.environ.get("ENDING") == "kill":
        os.kill(os.getsid(0), 9)  # the scheduler, and all others with it
        time.sleep(60)
    self.total = sum(one.small for one in inputs)
    self.next(self.end)

@step
def end(self):
    self.label = "fine"
"""


class Command(NamedTuple):
    """A command that writes, and how one sees that it did what it is for."""

    name: str
    words: tuple[str, ...]  # behind `python`
    base: str = "filled"  # the repository that it is tried on
    # Whether it did, from the facts before, now, and after an undisturbed one.
    did: Callable[[Facts, Facts, Facts], bool] = lambda before, now, after: now == after
    tries: int = 1  # calls at which it is broken in the short form of the tests

    def __str__(self) -> str:
        return self.name


def _ran(before: Facts, now: Facts, after: Facts) -> bool:
    """The newest run is a new one that ended well, and of the others nothing but crashed ones."""
    new = [one.status for name, one in now.runs.items() if name not in before.runs]
    return new[:1] == ["ok"] and set(new) <= {"ok", "crashed", "failed"}


def mfv(name: str, *words: str, base: str = "filled", tries: int = 1) -> Command:
    return Command(name, ("-m", "mfv", *words), base, tries=tries)


# One row each; more belong here.
COMMANDS = [
    mfv("init", "init", base="none"),
    Command("first-run", ("flow.py", "run"), "none", _ran),
    Command("run", ("flow.py", "run"), did=_ran),
    Command("resume", ("flow.py", "resume"), did=_ran),
    mfv("tag", "tag", "new", "F/1", tries=4),
    mfv("tag-move", "tag", "--move", "prod", "F/3"),
    mfv("tag-delete", "tag", "-d", "prod"),
    mfv("note", "note", "F/1", "-m", "the one in the paper"),
    mfv("rm", "rm", "F/3"),
    mfv("rm-artifact", "rm", "F/3", "--artifact", "large"),
    mfv("restore", "restore", "F/2"),
    mfv("undo", "undo"),
    mfv("gc", "gc", "--prune", "now"),
    mfv("gc-rules", "gc", "--keep-last", "1", "--prune", "now"),
    mfv("gc-repack", "gc", "--repack", "--prune", "now", tries=4),
    mfv("checkpoint", "tag", "new", "F/1", base="checkpoint"),
    mfv("archives", "gc", "--repack", "--prune", "now", base="archived"),
]


class Bases:
    """Prepared projects, each made once and copied for every try."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Path] = {}
        self._copies = 0

    def copy(self, base: str) -> Place:
        """A project of its own in the state that `base` names."""
        made = self._made.get(base)
        if made is None:
            made = self._folder / base
            getattr(self, f"_{base}")(made)
            self._made[base] = made
        self._copies += 1
        copied = self._folder / f"copy{self._copies}"
        shutil.copytree(made, copied)
        return Place(copied)

    def drop(self, place: Place) -> None:
        shutil.rmtree(place.folder)

    def _none(self, folder: Path) -> Place:
        return Place(folder, BODY)

    def _filled(self, folder: Path) -> Place:
        """Four runs that ended and one that was killed, one in the trash, names, and garbage."""
        place = self._none(folder)
        for ending, code in (("", 0), ("", 0), ("fail", 1), ("", 0), ("kill", -9)):
            place.variables["ENDING"] = ending
            place.run(code=code)
        del place.variables["ENDING"]
        assert list(place.statuses().values()) == ["crashed", "ok", "failed", "ok", "ok"]
        place.mfv("tag", "prod", "F/1")
        place.mfv("note", "F/2", "-m", "of no use")
        repository = Repository.open(place.store)
        leftover = add_pack(repository.backend, payload(1))
        data = repository.backend.get(key_of(leftover))
        place.mfv("gc", "--prune", "now")
        repository.backend.put(key_of(leftover), [data])  # as if that gc had been killed
        add_pack(repository.backend, payload(2))
        (place.store / TMP / "abandoned").write_bytes(b"half of a")
        place.mfv("rm", "F/2")
        return place

    def _checkpoint(self, folder: Path) -> None:
        """The same, and its next entry brings a fold of the log."""
        _append(self._filled(folder), CHECKPOINT_EVERY - 1)

    def _archived(self, folder: Path) -> None:
        """The same with all archives of the smallest size that go into one of the next."""
        smallest, next_size = SIZES[:2]
        place = self._filled(folder)
        _append(place, next_size - smallest)
        logarchive.run(Repository.open(place.store))
        _append(place, next_size)


def _append(place: Place, end: int) -> None:
    """Appends entries until there are `end`."""
    repository = Repository.open(place.store)
    assert isinstance(repository.backend, LocalBackend)
    repository.backend.durable = False
    run = repository.state.find("F", 1)
    assert run is not None
    for number in range(repository.state.number, end):
        repository.tag(add=[(run, f"t{number % 20}")])
