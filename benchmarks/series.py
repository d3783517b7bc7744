"""Versions of something, stored by several engines in turn, and given back.

Every engine stores version N before any of them stores version N + 1, so that the versions are
paired samples: what one engine needs for a version is compared with what another needed for the
same one, moments before or after.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from engines.base import Engine, size_of
from harness import BenchmarkError, Sample

# A median that is claimed has so many pairs at the least: an engine that is slow may stop then.
ENOUGH = 5


@dataclass
class Record:
    """What one engine did, a sample a version; a sample of a store also says what it left."""

    name: str
    version: str = ""
    stores: list[Sample] = field(default_factory=list)
    restores: list[Sample] = field(default_factory=list)
    ended: str = ""  # why it did not do all; empty if it did


class Series(NamedTuple):
    """The records of all engines; the first is the baseline."""

    title: str
    raw: Sequence[int]  # bytes of each version as it came
    records: Sequence[Record]

    @property
    def baseline(self) -> Record:
        return self.records[0]

    def of(self, name: str) -> Record | None:
        """The record of the engine `name`, if it took part."""
        return next((record for record in self.records if record.name == name), None)


def values(record: Record, action: str, metric: str) -> list[float]:
    """Values of one metric: of "first" or "further" versions stored, or of "restores"."""
    samples = {"first": record.stores[:1], "further": record.stores[1:]}
    return [sample[metric] for sample in samples.get(action, record.restores)]


def ratios(record: Record, base: Record, action: str, metric: str) -> list[float]:
    """The engine's value over the baseline's, version by version, where both have one."""
    pairs = zip(values(record, action, metric), values(base, action, metric), strict=False)
    return [own / other for own, other in pairs if other]


def middle(record: Record, action: str, metric: str) -> float | None:
    """The median, or None where there is no sample."""
    found = values(record, action, metric)
    return median(found) if found else None


def measure_series(
    title: str,
    engines: Sequence[Engine],
    versions: Sequence[Path],
    scratch: Path,
    *,
    patience: float,
    arrange: Callable[[int], Path] | None = None,
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True),
) -> Series:
    """Stores all versions with every engine, then restores them in the same way.

    A peer that has stored for more than `patience` seconds, or restored for half of that, stops
    there as soon as it has ENOUGH pairs. One that cannot be had or fails ends with the reason, and
    the others go on; only where the baseline fails, so does the whole. `arrange` puts version N
    where it is stored from.
    """
    records = [Record(engine.name) for engine in engines]
    running = []
    for engine, record in zip(engines, records, strict=True):
        place = scratch / re.sub(r"\W+", "-", f"{title} {engine.name}")
        if _goes_on(record, say, partial(_begin, engine, record, place)):
            running.append((engine, record, place))
    _check_baseline(records)
    _store(title, running, versions, patience, arrange, say)
    _check_baseline(records)
    _restore(title, running, versions, patience / 2, say)
    _check_baseline(records)
    return Series(title, [_length(path) for path in versions], records)


_Running = Sequence[tuple[Engine, Record, Path]]


def _begin(engine: Engine, record: Record, place: Path) -> None:
    record.version = engine.version()
    engine.begin(place)


def _store(
    title: str,
    running: _Running,
    versions: Sequence[Path],
    patience: float,
    arrange: Callable[[int], Path] | None,
    say: Callable[[str], None],
) -> None:
    spent = dict.fromkeys((record.name for _, record, _ in running), 0.0)
    for number, version in enumerate(versions):
        source = version if arrange is None else arrange(number)
        told = []
        for engine, record, place in running:
            if record.ended:
                continue
            slow = spent[record.name] > patience and record is not running[0][1]
            if slow and number > ENOUGH:
                record.ended = f"slow, stopped after {number} of {len(versions)} versions"
                continue
            begun = time.monotonic()
            if _goes_on(record, say, partial(_store_one, engine, record, place, source, number)):
                told.append(f"{record.name} {record.stores[-1]['wall']:.2f}")
            spent[record.name] += time.monotonic() - begun
        say(f"{title}: v{number:02d} stored (s): {', '.join(told)}")


def _restore(
    title: str,
    running: _Running,
    versions: Sequence[Path],
    patience: float,
    say: Callable[[str], None],
) -> None:
    spent = dict.fromkeys((record.name for _, record, _ in running), 0.0)
    # What stopped because it is slow is whole as far as it goes; what failed is not.
    able = [one for one in running if not one[1].ended or one[1].ended.startswith("slow")]
    failed: set[str] = set()
    for number, version in enumerate(versions):
        told = []
        for engine, record, place in able:
            if number >= len(record.stores) or record.name in failed:
                continue
            slow = spent[record.name] > patience and record is not running[0][1]
            if slow and number >= ENOUGH:
                continue
            begun = time.monotonic()
            if _goes_on(record, say, partial(_restore_one, engine, record, place, version, number)):
                told.append(f"{record.name} {record.restores[-1]['wall']:.2f}")
            else:
                failed.add(record.name)
            spent[record.name] += time.monotonic() - begun
        say(f"{title}: v{number:02d} restored (s): {', '.join(told)}")


def _store_one(engine: Engine, record: Record, place: Path, source: Path, number: int) -> None:
    # What another engine left to be written to the disk is not to be written in this one's time.
    os.sync()
    cost = engine.store(place, source, number)
    record.stores.append({**cost, **size_of(engine.kept(place))})


def _restore_one(engine: Engine, record: Record, place: Path, source: Path, number: int) -> None:
    os.sync()
    record.restores.append(engine.restore(place, source, number))


def _goes_on(record: Record, say: Callable[[str], None], act: Callable[[], None]) -> bool:
    """Acts; an engine that fails is out, with its reason, and the others go on."""
    try:
        act()
    except (BenchmarkError, OSError) as error:
        record.ended = reason(error)
        say(f"{record.name} failed: {error}")
        return False
    return True


def reason(error: Exception) -> str:
    """Why something failed, in one line for a table: the last words of a command, if it had any."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    last = [line.lstrip("| ") for line in lines if line.startswith("|")][-1:]
    return " ".join(last or lines).replace("|", "/")[:300]


def _check_baseline(records: Sequence[Record]) -> None:
    if not records or not records[0].ended:
        return
    why = records[0].ended
    hint = f"install it for {sys.executable}" if "No module named" in why else None
    raise BenchmarkError(f"{records[0].name}, the baseline, failed: {why}", hint=hint)


def _length(path: Path) -> int:
    return int(size_of(path)["stored"]) if path.is_dir() else path.stat().st_size
