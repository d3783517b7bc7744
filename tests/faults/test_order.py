"""The order of writing, read off the system calls of every command that writes.

Packs and their folder before the entry that names them, the log's folder before a word is said,
the condemning entry's before a pack is deleted: what a power cut leaves is then always whole, on
whatever file system.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from everycommand import COMMANDS, Bases, Command
from faulting import Call, Fault, Shim
from ordering import Order, joined
from processes import Place

from mfv.repo.archive import read_log
from mfv.repo.entries import Entry
from mfv.repo.log import decode_entry
from mfv.repo.repository import Repository


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Shim:
    return Shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    return Bases(tmp_path_factory.mktemp("bases"))


def entries(store: Path) -> dict[int, Entry]:
    backend = Repository.open(store).backend
    return {number: decode_entry(number, data)[0] for number, data in read_log(backend)}


def traced(shim: Shim, place: Place, command: Command) -> list[Call]:
    hit = shim.run(place, command.words, Fault(), below=place.folder, trace=True)
    assert hit.done.code == 0, hit.done.text
    assert hit.trace
    return hit.trace


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_what_a_power_cut_leaves_is_whole_whenever_it_comes(
    shim: Shim, bases: Bases, command: Command
) -> None:
    place = bases.copy(command.base)
    trace = traced(shim, place, command)
    assert Order(trace, place.store, entries(place.store)).faults() == []


@pytest.mark.parametrize("name", ["first-run", "run", "tag", "gc-rules", "gc-repack", "archives"])
def test_what_a_killed_command_left_unsettled_is_settled_before_it_is_built_on(
    shim: Shim, bases: Bases, name: str, long: bool
) -> None:
    command = next(one for one in COMMANDS if one.name == name)
    place = bases.copy(command.base)
    hit = shim.run(place, command.words, Fault(), below=place.folder, trace=True)
    bases.drop(place)
    counted = [call for call in hit.trace if not call.path.startswith(str(shim.folder))]
    # Killed between a file's name and the sync of its folder, the next one finds it there.
    named = [at for at, call in enumerate(counted) if call.name in ("link", "rename", "mkdir")]
    for at in named if long else named[-3:]:
        place = bases.copy(command.base)
        hit = shim.run(place, command.words, Fault("after", at), below=place.folder, trace=True)
        if hit.fired:
            trace = joined(hit.trace, traced(shim, place, command))
            found = Order(trace, place.store, entries(place.store)).faults()
            assert found == [], f"after a kill at {hit.call} {hit.path}"
        bases.drop(place)


@pytest.mark.parametrize("name", ["run", "gc-rules", "archives"])
def test_a_fast_repository_syncs_nothing_and_keeps_the_order(
    shim: Shim, bases: Bases, name: str
) -> None:
    command = next(one for one in COMMANDS if one.name == name)
    place = bases.copy(command.base)
    with (place.store / "config.toml").open("a") as file:
        file.write('\ndurability = "fast"\n')
    trace = traced(shim, place, command)
    found = entries(place.store)
    assert Order(trace, place.store, found, durable=False).faults() == []
    # And the lint is awake: for a full one all of that is missing.
    assert Order(trace, place.store, found).faults()
