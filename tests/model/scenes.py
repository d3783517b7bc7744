"""Where the model begins: what is stored, and who works on it at once."""

from __future__ import annotations

from typing import Any, NamedTuple

from maintenance import Gc, Repack
from protocol import Reader, Renamer, Rules, Writer
from storage import Entry, Pack, Shared

ALL_RULES = Rules()


def pack(name: str, *blobs: str) -> Pack:
    return Pack((name, 0), frozenset(blobs))


def run(name: str, *blobs: str) -> Entry:
    return Entry("run", name, frozenset(blobs), frozenset({(name, 0)}))


# What a writer left that died before its entry; what others want as well is in it.
LITTER = pack("dead", "a", "nobody's")
LITTERED = Shared(frozenset({LITTER, pack("r0", "x")}), (run("r0", "x"),))
# Nothing needs the pack any more, and a gc that died had condemned it.
CONDEMNED = Entry("condemn", condemned=frozenset({("dead", 0)}))
LEFT_OVER = LITTERED._replace(log=(*LITTERED.log, CONDEMNED))
# Two runs, and beside what one of them needs lies what nobody does.
RUNS = (run("r0", "x"), run("r1", "y"))
TWO_RUNS = Shared(frozenset({LITTER, pack("r0", "x"), pack("r1", "y", "b")}), RUNS)
TRASH = TWO_RUNS._replace(log=(*RUNS, Entry("trash", "r0")))


def writer(name: str, *wanted: str, rules: Rules = ALL_RULES) -> Writer:
    """One that commits an entry for each of `wanted`, which names blobs by single letters."""
    return Writer(name, tuple(frozenset(one) for one in wanted), rules)


class Scene(NamedTuple):
    start: Shared
    processes: tuple[Any, ...]


SCENES = {
    "a writer and two gcs": Scene(LITTERED, (writer("v", "a"), Gc(), Gc())),
    "two writers and a gc": Scene(LITTERED, (writer("v", "a"), writer("w", "ax"), Gc())),
    "two writers and two gcs": Scene(LITTERED, (writer("v", "a"), writer("w", "a"), Gc(), Gc())),
    "a writer of two entries and a gc": Scene(LITTERED, (writer("v", "a", "a"), Gc(), Gc())),
    "a writer that has nothing new": Scene(
        LITTERED, (writer("v", "a")._replace(has_records=False), Gc(), Gc())
    ),
    "what an earlier gc left": Scene(LEFT_OVER, (writer("v", "a"), writer("w", "a"), Gc())),
    "a writer and a repack": Scene(TWO_RUNS, (writer("v", "ab"), Repack("p"))),
    "a writer, a repack and a gc": Scene(TWO_RUNS, (writer("v", "ab"), Repack("p"), Gc())),
    "two writers and a repack": Scene(TWO_RUNS, (writer("v", "b"), writer("w", "b"), Repack("p"))),
    "two repacks and a reader": Scene(TWO_RUNS, (Repack("p"), Repack("q"), Reader())),
    "a sweep and a writer": Scene(TRASH, (writer("v", "x"), Gc(sweeps=True), Gc())),
    "a sweep, a restore and a writer": Scene(
        TRASH, (writer("v", "x"), Renamer("restore", "r0"), Gc(sweeps=True))
    ),
    "a sweep, a restore, a repack and a reader": Scene(
        TRASH, (Renamer("restore", "r0"), Gc(sweeps=True), Repack("p"), Reader())
    ),
}
LONG = {
    "two writers of more and two gcs": Scene(
        LITTERED, (writer("v", "a"), writer("w", "ax"), Gc(), Gc())
    ),
    "two writers of two entries and a gc": Scene(
        LITTERED, (writer("v", "a", "a"), writer("w", "a", "x"), Gc())
    ),
    "what was left, two writers and two gcs": Scene(
        LEFT_OVER, (writer("v", "a"), writer("w", "a"), Gc(), Gc())
    ),
    "two writers, a repack and a gc": Scene(
        TWO_RUNS, (writer("v", "b"), writer("w", "a"), Repack("p"), Gc())
    ),
    "two writers and two repacks": Scene(
        TWO_RUNS, (writer("v", "b"), writer("w", "b"), Repack("p"), Repack("q"))
    ),
    "a writer and two repacks": Scene(TWO_RUNS, (writer("v", "b"), Repack("p"), Repack("q"))),
    "two repacks, a writer and a reader": Scene(
        TWO_RUNS, (Repack("p"), Repack("q"), writer("v", "b"), Reader())
    ),
    "two writers and two gcs that sweep": Scene(
        TRASH, (writer("v", "x"), writer("w", "x"), Gc(sweeps=True), Gc(sweeps=True))
    ),
}
