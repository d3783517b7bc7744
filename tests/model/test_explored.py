"""The gc protocol in every order of its steps, with any process dead at any of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from explorer import BrokenError, Explored, World, explore, finish
from maintenance import Gc, Repack
from protocol import Reader, Renamer, Rules, Writer
from scenes import LITTERED, LONG, SCENES, TRASH, TWO_RUNS, Scene, pack, writer
from storage import Name, Shared, whole
from unsafe import MarkWaitDelete, Sweep


def check(shared: Shared) -> str:
    """What is wrong here, or would be if all died here and somebody came later."""
    return whole(shared) or next(filter(None, troubles_later(shared)), "")


def troubles_later(shared: Shared) -> Iterator[str]:
    """All that is running is dead: what is left can be gone on with, and cleaned up."""
    facts = shared.facts()
    for sweeps in (False, True) if facts.trash - facts.swept else (False,):
        after = finish(shared, Gc(sweeps))
        yield whole(after) or untidy(after)
        after = finish(after, Repack("later"))
        yield whole(after) or untidy(after)
        if len(after.packs) > 1:
            yield "10: more packs than one after a repack"
    after = finish(shared, Writer("later", (frozenset({"a", "x"}),)))
    if not any(entry.run == "later" for entry in after.log):
        yield "11: a writer that came later could not commit"
    yield whole(after)


def untidy(shared: Shared) -> str:
    facts = shared.facts()
    needed = {one.name for one in shared.packs if one.blobs & facts.live}
    extra: set[Name] = {one.name for one in shared.packs} - needed | facts.condemned & needed
    return f"10: {sorted(extra)} is left, and nothing leads to it" if extra else ""


def explored(scene: Scene) -> Explored:
    return explore(World(scene.start, scene.processes), check)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_in_every_order_of_steps_and_whoever_dies_nothing_is_lost(scene: Scene) -> None:
    found = explored(scene)
    assert not found.trouble, found.story()
    assert found.ends, "no order came to its end"


@pytest.mark.parametrize("scene", LONG.values(), ids=LONG)
def test_in_more_of_them_nothing_is_lost_either(scene: Scene, long: bool) -> None:
    if not long:
        pytest.skip("millions of states; --long goes through them")
    found = explored(scene)
    assert not found.trouble, found.story()


# Without any one of its rules the protocol fails, and the explorer says how.
NEEDED = {
    "writers look for what was condemned": (
        Rules(writers_look_for_condemned=False),
        lambda rules: Scene(LITTERED, (writer("v", "a", rules=rules), Gc())),
        "7: an entry relies on a pack that was condemned before",
    ),
    "a gc condemns before it deletes": (
        Rules(gc_condemns=False),
        lambda rules: Scene(LITTERED, (writer("v", "a"), Gc(rules=rules))),
        "1, 2: a is lost",
    ),
    "a gc looks at what came": (
        Rules(gc_looks_at_what_came=False),
        lambda rules: Scene(LITTERED, (writer("v", "a"), Gc(rules=rules))),
        "1, 2: a",
    ),
    "a repack looks at what came": (
        Rules(repack_looks_at_what_came=False),
        lambda rules: Scene(TWO_RUNS, (writer("v", "b"), Repack("p", rules))),
        "1, 2: b is lost",
    ),
    "a sweep looks again": (
        Rules(sweep_looks_again=False),
        lambda rules: Scene(TRASH, (Renamer("restore", "r0"), Gc(True, rules))),
        "1: a run is swept that was restored",
    ),
    "readers look again as often as it takes": (
        Rules(readers_are_patient=False),
        lambda rules: Scene(TWO_RUNS, (Repack("p"), Repack("q"), Reader(rules))),
        "13: a reader does not find",
    ),
    "writers doubt what they wrote just now": (
        Rules(writers_doubt_what_they_wrote=False),
        lambda rules: Scene(LITTERED, (writer("v", "z", rules=rules), Gc())),
        "7: an entry relies on a pack that was condemned before",
    ),
}


@pytest.mark.parametrize(("rules", "scene", "trouble"), NEEDED.values(), ids=NEEDED)
def test_each_rule_is_needed(rules: Rules, scene: Any, trouble: str) -> None:
    found = explored(scene(rules))
    assert found.trouble.startswith(trouble), found.story()


OLD = LITTERED._replace(old=frozenset({("dead", 0)}))
UNSAFE = {
    "naive": (Sweep(by_age=False), LITTERED),
    "grace by age": (Sweep(by_age=True), OLD),
    "mark, wait, delete": (MarkWaitDelete(), LITTERED),
}


@pytest.mark.parametrize(("gc", "start"), UNSAFE.values(), ids=UNSAFE)
def test_of_a_protocol_that_is_known_to_lose_saves_it_finds_how(gc: Any, start: Shared) -> None:
    found = explore(World(start, (writer("v", "a"), gc)), whole)
    assert found.trouble.startswith("1, 2: a"), found.story()
    assert len(found.path) < 12, "the shortest way there is told"


# As `LITTERED`, with packs that are named by their content.
BY_CONTENT = LITTERED._replace(packs=frozenset({pack("a", "a"), pack("r0", "x")}))
NAMED = Rules(fresh_names=False)


def test_with_packs_named_by_content_what_was_condemned_can_never_be_saved_again() -> None:
    def check_later(shared: Shared) -> str:
        try:
            return whole(finish(shared, writer("later", "a", rules=NAMED)))
        except BrokenError as error:
            return f"11: {error}"

    found = explore(World(BY_CONTENT, (Gc(),)), check_later)
    assert found.trouble == "11: a writer that is alone does not end", found.story()


def test_with_packs_named_by_content_whoever_trusts_what_it_wrote_loses_it() -> None:
    rules = NAMED._replace(writers_doubt_what_they_wrote=False)
    found = explore(World(BY_CONTENT, (writer("v", "a", rules=rules), Gc())), lost_alone)
    assert found.trouble == "1, 2: a is lost", found.story()


def lost_alone(shared: Shared) -> str:
    """What is lost already, whatever any entry relies on."""
    held = {blob for one in shared.packs for blob in one.blobs}
    lost = sorted(shared.facts().live - held)
    return f"1, 2: {', '.join(lost)} is lost" if lost else ""
