"""What the histories are asked; no more than constants, since the peers' programs read them too.

The parameter `seed` of every run is its number in the order in which they were made.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping

NEWEST, BEST, ONE = "newest", "best", "one"
QUESTIONS = (NEWEST, BEST, ONE)
LISTED = 20
LR, ACCURACY = 0.05, 0.9
EXPERIMENT = "TrainFlow"  # of the peers, which all get their runs in one


def fits(lr: object, accuracy: object) -> bool:
    """Whether a run is one that the question for the best is about."""
    return float(str(lr)) < LR and float(str(accuracy)) > ACCURACY


def tell(rows: Iterable[Mapping[str, object]]) -> None:
    """Prints an answer, one JSON object a run."""
    for row in rows:
        sys.stdout.write(json.dumps(row, default=str) + "\n")
