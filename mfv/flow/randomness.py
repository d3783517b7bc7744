"""Random numbers in forked tasks: as if each task were an interpreter of its own.

A fork copies the generators. If the flow's file seeded one, every task shall begin from that seed,
as it does where each task imports the file anew; if it did not, no two tasks may draw the same
numbers. Python's `random` reseeds itself in every fork, numpy's never does: both need help.
"""

from __future__ import annotations

import random
import sys

# As this module is imported by `FlowSpec`'s, before the flow's own lines run.
_UNTOUCHED = random.getstate()

State = tuple[object, ...]


def before_fork() -> State | None:
    """The state of `random` if the flow seeded it, else None."""
    state = random.getstate()
    return None if state == _UNTOUCHED else state


def after_fork(state: State | None) -> None:
    """In the task's process, with what `before_fork` said before the fork."""
    if state is not None:
        random.setstate(state)
    numpy = sys.modules.get("numpy.random")
    generator = getattr(numpy, "get_bit_generator", None)
    if numpy is not None and generator is not None:
        # An explicit seed replaces the sequence that the first seeding came from.
        seeded = getattr(generator(), "seed_seq", None) is None
        if not seeded:
            numpy.seed()
