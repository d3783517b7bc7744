"""Small things of Metaflow's that flows import and mfv has no other use for."""

from __future__ import annotations

import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from mfv.capture.user import user_name
from mfv.flow.parameters import JSONType

JSONTypeClass = type(JSONType)


def get_username() -> str:
    """Who runs this, as it is recorded."""
    return user_name()


@contextmanager
def profile(label: str, stats_dict: MutableMapping[str, int] | None = None) -> Iterator[None]:
    """Says how long the block took, in ms, or adds it to `stats_dict[label]` without a word."""
    if stats_dict is None:
        print(f"PROFILE: {label} starting")
    start = time.monotonic()
    yield
    took = int((time.monotonic() - start) * 1000)
    if stats_dict is None:
        print(f"PROFILE: {label} completed in {took}ms")
    else:
        stats_dict[label] = stats_dict.get(label, 0) + took
