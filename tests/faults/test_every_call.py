"""Every system call of every command that writes: the last one, or one that fails.

Whatever was acknowledged before is there and equal, whatever the command reported as well; fsck
has nothing to say, and the same command works without any repair.
"""

from __future__ import annotations

import errno
import re

import pytest
from everycommand import COMMANDS, Bases, Command
from faulting import Fault, Hit, Shim
from processes import Place
from unharmed import Content, Facts, assert_unharmed, contents, facts

from mfv.maintain import gc
from mfv.repo.repository import Repository
from mfv.storage.local import TMP

_FAILED = re.compile(r"run F/\d+ failed in")
_REASON = re.compile(r"failed after \S+: (mfv\.errors\.\w+: cannot|exited: )")
FEW = 4  # calls of a command that are tried in the short form
MANY = 40  # and those of reading in the long form


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return Shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    return Bases(tmp_path_factory.mktemp("bases"))


class Trial:
    """One command, tried again and again on copies of one repository."""

    def __init__(self, shim: Shim, bases: Bases, command: Command) -> None:
        self.shim, self.bases, self.command = shim, bases, command
        place = bases.copy(command.base)
        self.before: Facts = facts(place.store)
        self.contents: dict[str, Content] = contents(place.store)
        whole = self.run(place, Fault())
        assert whole.done.code == 0, whole.done.text
        self.after: Facts = facts(place.store)
        assert command.did(self.before, self.after, self.after)
        bases.drop(place)
        self.tries = self.hits = 0

    def run(self, place: Place, fault: Fault) -> Hit:
        return self.shim.run(place, self.command.words, fault, but=place.folder / "nowhere")

    def count(self, fault: Fault) -> int:
        """How many calls count in an undisturbed run."""
        place = self.bases.copy(self.command.base)
        hit = self.run(place, Fault(calls=fault.calls))
        self.bases.drop(place)
        return hit.calls

    def everywhere(self, fault: Fault, long: bool) -> None:
        """Tries every call, or a few; of reads and opens, which are many, a spread of them."""
        if long and fault.calls in ("writes", "data"):
            at = 0
            while self.at(fault._replace(at=at)):
                at += 1
        else:
            few = MANY if long else FEW
            for at in places(self.count(fault), few):
                self.at(fault._replace(at=at))
        print(f"{self.command}, {fault}: {self.tries} tries, {self.hits} came")

    def at(self, fault: Fault) -> bool:
        """Tries one call; False if the command did not come so far."""
        place = self.bases.copy(self.command.base)
        hit = self.run(place, fault)
        told = f"{fault}: {hit.call} {hit.path}\n{hit.done.text}"
        try:
            self.check(place, fault, hit)
        except Exception as error:
            raise AssertionError(f"{told}\n{error}") from error
        self.bases.drop(place)
        self.tries += 1
        self.hits += hit.fired > 0
        return hit.fired > 0

    def check(self, place: Place, fault: Fault, hit: Hit) -> None:
        done = hit.done
        assert_unharmed(place.store, self.contents, done.out)
        killed = fault.act in ("before", "after") and hit.fired
        if not killed:
            assert_told(hit)
        if done.code == 0:
            assert self.did(place), "it said that it was done"
        elif not self.did(place):
            again = place.python(*self.command.words)
            assert again.code == 0, again.text
            assert self.did(place)
        repository = Repository.open(place.store)
        gc.run(repository, gc.plan(repository, grace=0), grace=0)
        assert not list((place.store / TMP).iterdir())
        assert_unharmed(place.store, self.contents, done.out)

    def did(self, place: Place) -> bool:
        return self.command.did(self.before, facts(place.store), self.after)


def assert_told(hit: Hit) -> None:
    """A command that was not killed: one error with a hint, or none and success."""
    done = hit.done
    assert "Traceback" not in done.text
    assert done.code in (0, 1)
    if _FAILED.search(done.out):  # a task says so by itself, and the run is recorded as failed
        assert _REASON.search(done.out)
    elif done.code:
        lines = done.err.splitlines()
        assert len([line for line in lines if line.startswith("error: ")]) == 1
        assert len([line for line in lines if line.startswith("hint: ")]) == 1


def places(count: int, few: int) -> list[int]:
    """A few of so many calls, the first and the last among them."""
    return sorted({round(one * (count - 1) / (few - 1)) for one in range(few)})


@pytest.mark.parametrize("act", ["before", "after"])
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_killed_at_any_call_loses_nothing_and_works_again(
    shim: Shim, bases: Bases, command: Command, act: str, long: bool
) -> None:
    trial = Trial(shim, bases, command)
    trial.everywhere(Fault(act), long)
    assert trial.hits, "no kill came before the end"


FAILING = [
    *(
        Fault("error", 0, number, for_good)
        for number in (errno.ENOSPC, errno.EIO, errno.EROFS)
        for for_good in (False, True)
    ),
    *(Fault("error", 0, errno.EMFILE, for_good, "opens") for for_good in (False, True)),
    *(Fault("short", 0, 0, for_good, "data") for for_good in (False, True)),
    *(Fault("error", 0, errno.EIO, for_good, "reads") for for_good in (False, True)),
]


@pytest.mark.parametrize("fault", FAILING, ids=str)
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_of_which_any_call_fails_says_so_once_and_loses_nothing(
    shim: Shim, bases: Bases, command: Command, fault: Fault, long: bool
) -> None:
    trial = Trial(shim, bases, command)
    trial.everywhere(fault, long)
    assert trial.hits
