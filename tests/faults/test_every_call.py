"""Every system call of every command that writes: the last one, or one that fails.

Whatever was acknowledged before is there and equal, whatever the command reported as well; fsck
has nothing to say, and the same command works without any repair.
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Sequence

import pytest
from everycommand import COMMANDS, Bases, Command, mfv
from faulting import Fault, Hit, Shim
from processes import Place
from unharmed import Content, Facts, assert_unharmed, contents, facts

from mfv.maintain import gc
from mfv.repo.repository import Repository
from mfv.storage.local import TMP

_FAILED = re.compile(r"run F/\d+ failed in")
_REASON = re.compile(r"failed after \S+: (mfv\.errors\.\w+: cannot|exited: )")
MANY = 40  # calls of reading of a command that are tried in the long form


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return Shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    return Bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def trials() -> dict[str, Trial]:
    """Those that were begun, by the name of their command."""
    return {}


@pytest.fixture(params=COMMANDS, ids=str)
def trial(
    request: pytest.FixtureRequest, shim: Shim, bases: Bases, trials: dict[str, Trial]
) -> Trial:
    command: Command = request.param
    if command.name not in trials:
        trials[command.name] = Trial(shim, bases, command)
    return trials[command.name]


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
        self.calls = whole.calls
        bases.drop(place)
        self.tries = self.hits = 0

    def run(self, place: Place, fault: Fault) -> Hit:
        return self.shim.run(place, self.command.words, fault, but=place.folder / "nowhere")

    def everywhere(self, fault: Fault) -> None:
        """Tries every call; of reads and opens, which are many, a spread of them."""
        self.tries = self.hits = at = 0
        if fault.calls in ("opens", "reads"):
            for at in spread(self.calls[fault.calls], MANY):
                self.at(fault._replace(at=at))
        else:
            while self.at(fault._replace(at=at)):
                at += 1
        print(f"{self.command}, {fault}: {self.tries} tries, {self.hits} came")
        assert self.hits

    def here_and_there(self, faults: Sequence[Fault]) -> None:
        """Tries a few calls, each with another fault; and every command begins with another."""
        few, first = self.command.tries, COMMANDS.index(self.command)
        for place in range(few):
            fault = faults[(first + 5 * place) % len(faults)]
            last = self.calls[fault.calls] - 1
            self.at(fault._replace(at=round(last * (place + 0.5) / few)))

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


def spread(count: int, many: int) -> list[int]:
    """So many of `count` calls, the first and the last among them."""
    return sorted({round(one * (count - 1) / (many - 1)) for one in range(many)})


KILLS = [Fault("before"), Fault("after")]
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each fault is a test of its own in the long form; in the short one they take turns."""
    if "turns" in metafunc.fixturenames:
        known = KILLS if "killed" in metafunc.function.__name__ else FAILING
        long = metafunc.config.getoption("--long")
        each = [[one] for one in known] if long else [known]
        metafunc.parametrize("turns", each, ids=[str(one[0]) if long else "any" for one in each])


def test_a_command_killed_at_any_call_loses_nothing_and_works_again(
    trial: Trial, turns: list[Fault], long: bool
) -> None:
    trial.everywhere(turns[0]) if long else trial.here_and_there(turns)


def test_a_command_of_which_any_call_fails_says_so_once_and_loses_nothing(
    trial: Trial, turns: list[Fault], long: bool
) -> None:
    trial.everywhere(turns[0]) if long else trial.here_and_there(turns)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", 0, errno.ENOSPC, True),
        Fault("error", 0, errno.EROFS, True),
        Fault("error", 0, errno.EIO, True, "reads"),
    ],
    ids=str,
)
def test_a_cache_that_fails_costs_no_command_its_success(
    shim: Shim, bases: Bases, fault: Fault, long: bool
) -> None:
    looking = [
        mfv("whence", "whence", "--json", "flow.py"),
        mfv("log", "log", "--json"),
        mfv("du", "du"),
    ]
    some = [one for one in COMMANDS if one.name in ("run", "tag", "gc-repack")]
    for command in [*looking, *(COMMANDS if long else some)]:
        place, other = bases.copy(command.base), bases.copy(command.base)
        for one in (place, other):
            shutil.rmtree(one.store / "cache", ignore_errors=True)
        usual = other.python(*command.words)
        before, done = contents(place.store), facts(other.store)
        hit = shim.run(place, command.words, fault, below=place.store / "cache")
        assert hit.done.code == 0, (command, hit.done.text)
        if command in looking:
            assert hit.done.out == usual.out
        else:
            assert command.did(facts(bases.copy(command.base).store), facts(place.store), done)
        assert_unharmed(place.store, before, hit.done.out)
