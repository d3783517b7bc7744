"""The code does what the model does: its calls of the storage, in orders that the test chooses.

Whoever changes the order of writes in the code sees a test fail here until the model has it too,
and then the model is explored anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import count

import pytest
from explorer import Edge, World, explore
from keeping import (
    NOW,
    add_pack,
    assert_holds,
    assert_well,
    count_packs,
    maintain,
    open_run_of,
    payload,
    record,
)
from making import FLOW, memory_repository
from protocol import LOST, PUT, WON
from scenes import SCENES
from schedules import Schedule, Turn, all_schedules
from traced import Alphabet, Ledger, Traced, successions

from mfv.errors import ConflictError
from mfv.ids import BlobId
from mfv.maintain import gc, repack, sweep
from mfv.maintain.retention import Policy
from mfv.repo import trash
from mfv.repo.entries import Condemn
from mfv.repo.names import OPEN, RunState
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.base import Backend
from mfv.storage.memory import MemoryBackend

STARTS = {"writer": {"list"}, "gc": {"read"}, "repack": {"read"}, "renamer": {"read"}}
KEPT, TRASHED = 1, 2  # runs, and what they hold
FOUND, BESIDE = 7, 8  # what writers find in what a dead one left: alone, beside what runs need


@cache
def alphabets() -> dict[str, Alphabet]:
    """What each role does in any scene of the model; the largest scene adds nothing to that."""
    edges: set[Edge] = set()
    for name, scene in SCENES.items():
        if name != "two writers and two gcs":
            edges |= explore(World(scene.start, scene.processes), lambda _: "").edges
    return {role: Alphabet(edges, role, starts) for role, starts in STARTS.items()}


@cache
def start() -> dict[str, bytes]:
    """Two runs, one of them in the trash, and what dead ones left.

    A gc had condemned a pack; a writer had written one and no entry.
    """
    repository = memory_repository()
    backend = repository.backend
    record(repository, KEPT)
    maintain(backend)
    record(repository, TRASHED)
    trash.remove(repository, [run_of(repository, TRASHED)], reason="by the test")
    left = add_pack(backend, payload(80))
    repository.log.append(lambda _: Condemn((bytes(left),)))
    add_pack(backend, payload(FOUND), payload(-FOUND), payload(70))
    add_pack(backend, payload(BESIDE), payload(KEPT), payload(71))
    return {key: backend.get(key) for key in backend.list("")}


def run_of(repository: Repository, number: int) -> RunState:
    state = repository.state.find(FLOW, number)
    assert state is not None
    return state


Reported = dict[str, int]  # runs that somebody was told of, and what they hold


class Played:
    """One schedule, played on a repository of its own."""

    def __init__(self, roles: tuple[str, ...], *, at_every_call: bool = False) -> None:
        self.backend = MemoryBackend()
        for key, data in start().items():
            self.backend.put(key, [data])
        self.reported: Reported = {f"{FLOW}/{KEPT}": KEPT}
        ledger = Ledger(self.backend)
        self.actors = []
        for role in roles:
            act = partial(ACTS[role], self.reported)
            self.actors.append(Traced(ledger, role.split()[0], act, at_every_call=at_every_call))

    def play(self, schedule: Schedule, kill_at: int = -1) -> set[tuple[str, str, str]]:
        """Checks all that can be checked; returns by role which write followed which."""
        schedule.play(self.actors, kill_at)
        killed = [actor for actor in self.actors if actor.was_killed]
        seen = set()
        for actor in self.actors:
            trouble = alphabets()[actor.name].trouble(actor.trace, ended=actor not in killed)
            assert not trouble, f"{actor.name}: {trouble}\n{schedule.story()}"
            seen |= {(actor.name, *pair) for pair in successions(actor.trace)}
        self._assert_whole()
        return seen

    def _assert_whole(self) -> None:
        repository = Repository(self.backend)
        for state in repository.state:
            view = RunView(repository, state)
            if state.status == OPEN and state.name in self.reported:
                (file,) = view.tree.files
                held = repository.database.read_blob(BlobId(file.blob))
                assert held == payload(self.reported[state.name])
            elif state.name in self.reported:
                assert_holds(repository, view, self.reported[state.name])

    def settle(self) -> None:
        """Nobody is there any more: what a gc leaves is what runs lead to."""
        maintain(self.backend)
        self._assert_whole()
        assert_well(self.backend)
        assert count_packs(self.backend) == 1


def open_one(held: int, reported: Reported, own: Backend) -> None:
    """One entry, whose bytes lie in what a gc or a repack takes away."""
    repository = Repository(own, writer="ana@host")
    reported[open_run_of(repository, payload(held)).name] = held


def write(reported: Reported, own: Backend) -> None:
    """A whole run of three entries, of the same bytes."""
    repository = Repository(own, writer="ana@host")
    reported[record(repository, FOUND)] = FOUND


def collect(reported: Reported, own: Backend) -> None:
    """As the command does it: what came since is looked at, not planned anew."""
    repository = Repository(own, writer="eva@host")
    marks = gc.Marks(repository)
    planned = gc.plan(repository, grace=NOW, marks=marks)
    gc.run(repository, planned, grace=NOW, marks=marks)


def sweep_and_collect(reported: Reported, own: Backend) -> None:
    repository = Repository(own, writer="eva@host")
    planned = sweep.plan(repository, Policy(), grace=NOW)
    sweep.run(repository, planned, Policy(), grace=NOW)
    collect(reported, own)


def rewrite(reported: Reported, own: Backend) -> None:
    repository = Repository(own, writer="eva@host")
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)


def restore(reported: Reported, own: Backend) -> None:
    repository = Repository(own, writer="ida@host")
    try:
        if trash.restore(repository, [run_of(repository, TRASHED)]):
            reported[f"{FLOW}/{TRASHED}"] = TRASHED
    except ConflictError:
        pass  # a gc has swept it


ACTS: dict[str, Callable[[Reported, Backend], None]] = {
    "writer": partial(open_one, FOUND),
    "writer beside": partial(open_one, BESIDE),
    "writer of a run": write,
    "gc": collect,
    "gc that sweeps": sweep_and_collect,
    "repack": rewrite,
    "renamer": restore,
}
PAIRS = [
    ("writer", "gc"),
    ("writer beside", "repack"),
    ("writer", "gc that sweeps"),
    ("writer", "writer"),
    ("gc", "gc"),
    ("gc", "repack"),
    ("repack", "repack"),
    ("renamer", "gc that sweeps"),
]
CROWDS = [
    ("writer", "writer", "gc", "gc"),
    ("writer beside", "writer of a run", "gc", "repack"),
    ("writer", "gc that sweeps", "repack", "renamer"),
]


@pytest.mark.parametrize("roles", PAIRS, ids=" and ".join)
def test_in_every_order_with_few_preemptions_two_of_them_do_as_the_model_does(
    roles: tuple[str, ...], long: bool
) -> None:
    orders = play_all(roles, 3 if long else 2)
    assert orders > 20, "hardly anybody was ever interrupted"


@pytest.mark.parametrize("roles", CROWDS, ids=" and ".join)
def test_in_every_order_with_few_preemptions_four_of_them_do_as_the_model_does(
    roles: tuple[str, ...], long: bool
) -> None:
    orders = play_all(roles, 2 if long else 0)
    assert orders >= 24, "not everybody was first, second, third and last"


def play_all(roles: tuple[str, ...], preemptions: int) -> int:
    played = count()

    def run(schedule: Schedule) -> None:
        one = Played(roles)
        one.play(schedule)
        if next(played) % 10 == 0:
            one.settle()

    return sum(1 for _ in all_schedules(run, preemptions))


class Dice(Schedule):
    """Anybody's turn at every step."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)

    def choose(self, left: Sequence[int]) -> int:
        chosen = self._random.choice(left)
        self.turns.append(Turn(chosen, tuple(left), -1))
        return chosen

    def story(self) -> str:
        return f"seed {self._random!r}"


@pytest.mark.parametrize("roles", CROWDS, ids=" and ".join)
def test_in_random_order_of_all_calls_and_whoever_is_killed_they_do_as_the_model_does(
    roles: tuple[str, ...], long: bool
) -> None:
    kill_at = random.Random("kills")
    for seed in range(3000 if long else 25):
        played = Played(roles, at_every_call=True)
        played.play(Dice(seed), kill_at.choice([-1, kill_at.randrange(200)]))
        played.settle()


# Where several are at it at the same moment more than once, which takes more luck than there is.
RARE = {("writer", WON, WON), ("repack", PUT, PUT)}


def test_whatever_the_model_can_write_next_the_code_was_seen_to_write_next() -> None:
    seen: set[tuple[str, str, str]] = set()
    for roles in [*CROWDS, *PAIRS]:
        for seed in range(10 if roles in CROWDS else 60):
            seen |= Played(roles).play(Dice(seed))
    for role, alphabet in alphabets().items():
        pairs = {(role, *pair) for pair in alphabet.successions() if LOST not in pair}
        assert pairs - RARE <= seen
        assert (role, LOST) in {pair[:1] + pair[2:] for pair in seen}, "nobody was ever too late"
