"""A repair killed at any call: nothing more is lost by it, and the next one ends what it began."""

from __future__ import annotations

from pathlib import Path

import pytest
from everycommand import Bases
from faulting import Fault, Shim
from making import damage
from processes import Place
from unharmed import Content, assert_unharmed, contents

from mfv.odb.packindex import key_of, list_packs
from mfv.repo.archive import key_of as entry_key
from mfv.repo.log import TIP
from mfv.repo.repository import Repository

WORDS = ("-m", "mfv", "fsck", "--repair")
LOST = 9  # a log entry; what it said of names is in a fold


class Hurt:
    """A filled project: its content, and copies in which much is damaged, and nothing for good."""

    def __init__(self, folder: Path) -> None:
        self.bases = Bases(folder)
        whole = self.bases.copy("filled")
        Repository.open(whole.store).log.catch_up()
        self.contents: dict[str, Content] = contents(whole.store)

    def copy(self) -> Place:
        place = self.bases.copy("filled")
        repository = Repository.open(place.store)
        _ = repository.state
        repository.log.write_checkpoint()
        backend = repository.backend
        packs = sorted(list_packs(backend), key=lambda pack: backend.stat(key_of(pack)).size)
        damage(backend, key_of(packs[-1]), 3)
        damage(backend, key_of(packs[-2]), -100, 0x10)
        damage(backend, key_of(packs[0]), 70, 0x01)
        damage(backend, entry_key(5), 30, 0x20)
        backend.delete(entry_key(LOST))
        damage(backend, TIP, 2)
        return place


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Hurt:
    return Hurt(tmp_path_factory.mktemp("hurt"))


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return Shim(tmp_path_factory.mktemp("shim"))


def assert_repaired(hurt: Hurt, place: Place) -> None:
    done = place.python(*WORDS)
    assert done.code == 0, done.text
    assert_unharmed(place.store, hurt.contents)
    place.mfv("tag", "again", "F/1")


@pytest.mark.parametrize("act", ["before", "after"])
def test_a_repair_killed_at_any_call_is_ended_by_the_next(
    hurt: Hurt, shim: Shim, act: str, long: bool
) -> None:
    place = hurt.copy()
    calls = shim.run(place, WORDS, Fault(), but=place.folder / "nowhere").calls["writes"]
    assert_repaired(hurt, place)
    hurt.bases.drop(place)
    moments = range(calls) if long else sorted({0, calls // 3, 2 * calls // 3, calls - 1})
    for at in moments:
        place = hurt.copy()
        hit = shim.run(place, WORDS, Fault(act, at), but=place.folder / "nowhere")  # type: ignore[arg-type]
        assert hit.fired, f"{at} of {calls}"
        assert_repaired(hurt, place)
        hurt.bases.drop(place)
