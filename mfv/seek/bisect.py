"""The first bad run of a row, by halving. Knows nothing of what makes a run bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mfv.found.changes import Culprit, Tested

GOOD, BAD, SKIPPED = "good", "bad", "skipped"


def bisect(runs: Sequence[str], judge: Callable[[int], str]) -> Culprit:
    """The first bad one of `runs`, of which the first is good and the last is bad.

    `judge` says GOOD, BAD or SKIPPED of the run at a place. Asks as few as it can, and none twice.
    """
    good, bad = 0, len(runs) - 1
    skipped: set[int] = set()
    tested: list[Tested] = []
    while True:
        left = [place for place in range(good + 1, bad) if place not in skipped]
        if not left:
            break
        middle = (good + bad) / 2
        place = min(left, key=lambda one: abs(one - middle))
        verdict = judge(place)
        tested.append(Tested(runs[place], verdict))
        if verdict == GOOD:
            good = place
        elif verdict == BAD:
            bad = place
        else:
            skipped.add(place)
    among = tuple(runs[good + 1 : bad + 1])
    return Culprit(runs[good], runs[bad] if len(among) == 1 else None, among, tuple(tested))
