"""Harm done to one file of a repository, and whether anybody is misled by it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, combinations
from pathlib import Path
from typing import NamedTuple

import msgspec

from mfv.errors import MfvError
from mfv.maintain.fsck import fsck
from mfv.repo.reachable import (
    blobs_of_manifest,
    blobs_of_opening,
    blobs_of_task,
    blobs_of_tree,
)
from mfv.repo.repository import Repository
from mfv.repo.view import RunView
from mfv.storage.memory import MemoryBackend

# What the harm may cost a reader, who is told of it.
REFUSED = b"refused"

Files = Mapping[str, bytes]


class Harm(NamedTuple):
    """Some files as they are afterwards; None: gone."""

    what: str
    changed: Mapping[str, bytes | None]


class Verdict(NamedTuple):
    """What came of it."""

    found: bool  # by fsck, or the repository is refused
    equal: bool  # every run reads back as it was
    misled: str  # a wrong value, or an exception that is no MfvError; empty: neither

    @property
    def is_good(self) -> bool:
        """Whether the harm is found or costs nothing, and nothing wrong was handed out."""
        return not self.misled and (self.found or self.equal)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a repository outside cache/ and tmp/, by its key."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    return {key: data for key, data in found.items() if not key.startswith(("cache/", "tmp/"))}


def kind_of(key: str) -> str:
    """Which kind of file that is: `packs`, `archive`, `checkpoint`, `entry`, `tip` ..."""
    folder, _, name = key.rpartition("/")
    if folder != "log":
        return folder or name
    return "entry" if name.isdecimal() else name.partition("-")[0]


def flip(files: Files, key: str, bit: int) -> Harm:
    """One bit of one file turned over."""
    data = bytearray(files[key])
    data[bit // 8] ^= 1 << bit % 8
    return Harm(f"bit {bit % 8} of byte {bit // 8} of {key}", {key: bytes(data)})


def sampled_bits(size: int, *, ends: int = 80, between: int = 24) -> Iterator[int]:
    """One bit of each byte at both ends of a file of `size` bytes, and of some in between."""
    stride = max(1, (size - 2 * ends) // between)
    inside = range(ends, max(ends, size - ends), stride)
    for at in sorted({*range(min(ends, size)), *inside, *range(max(0, size - ends), size)}):
        yield at * 8 + (at * 5 + size) % 8


def cuts(files: Files, key: str) -> Iterator[Harm]:
    """One file gone, emptied, cut short and made longer."""
    data = files[key]
    yield Harm(f"{key} is gone", {key: None})
    yield Harm(f"{key} is empty", {key: b""})
    for length in sorted({1, 7, len(data) // 3, len(data) // 2, len(data) - 33, len(data) - 1}):
        if 0 < length < len(data):
            yield Harm(f"{key} is cut to {length} bytes", {key: data[:length]})
    yield Harm(f"{key} ends with zeros", {key: data[: len(data) // 2].ljust(len(data), b"\0")})
    yield Harm(f"{key} has zeros behind it", {key: data + bytes(64)})
    yield Harm(f"{key} is there twice over", {key: data + data})


def swaps(files: Files) -> Iterator[Harm]:
    """Two whole files of one kind under each other's name, and one in place of the other."""
    for one, other in combinations(files, 2):
        if kind_of(one) == kind_of(other):
            yield Harm(f"{one} and {other} swapped", {one: files[other], other: files[one]})
            yield Harm(f"{one} in place of {other}", {other: files[one]})
            yield Harm(f"{other} in place of {one}", {one: files[other]})


class Patient:
    """A whole repository, of which copies are harmed."""

    def __init__(self, files: Files) -> None:
        self.files = dict(files)
        repository = self._harmed(Harm("nothing", {}))
        self.whole = read_back(repository)
        if REFUSED in self.whole.values() or _is_found(repository):
            raise AssertionError("the repository was harmed before")

    def judge(self, harm: Harm) -> Verdict:
        """Looks with fsck, and reads every run back, each as a process of its own would."""
        try:
            try:
                found = _is_found(self._harmed(harm))
            except MfvError:
                found = True
            try:
                reader = self._harmed(harm)
                contents = read_back(reader)
                told = bool(reader.log.damaged)
            except MfvError:
                return Verdict(found=found, equal=False, misled="")
        except Exception as error:
            return Verdict(found=False, equal=False, misled=repr(error))
        return Verdict(found, contents == self.whole, self.misled(contents, told=told))

    def misled(self, contents: Mapping[str, bytes], *, told: bool) -> str:
        """What was read and is wrong.

        A reader who is told that the log is damaged may miss runs and what was said of them, and
        who is refused a record gets nothing that it leads to. What he does get of a stored run is
        right all the same.
        """
        missing = told or REFUSED in contents.values()
        for name in sorted(self.whole.keys() | contents.keys()):
            read = contents.get(name)
            if read == self.whole.get(name) or read == REFUSED:
                continue
            if not (told if name.startswith("log:") else missing and read is None):
                return f"{name} is read as {read!r}"
        return ""

    def _harmed(self, harm: Harm) -> Repository:
        backend = MemoryBackend()
        for key, data in {**self.files, **harm.changed}.items():
            if data is not None:
                backend.put(key, [data])
        return Repository(backend)


def read_back(repository: Repository) -> dict[str, bytes]:
    """All that a reader gets of every run, by a name for it; `REFUSED` where he gets nothing.

    What the log alone says has a name that starts with `log:`.
    """
    found: dict[str, bytes] = {}
    for run in repository.state:
        view = RunView(repository, run)
        said = (run.status, run.tags, run.note, run.removed, run.reason, run.time, run.opened)
        found[f"log:{run.name}"] = msgspec.msgpack.encode((*said, run.opening, run.manifest))
        found[f"{run.name} opening"] = _tried(lambda v=view: v.opening)
        found[f"{run.name} environment"] = _tried(lambda v=view: v.environment)
        found[f"{run.name} tree"] = _tried(lambda v=view: v.tree)
        if run.manifest is not None:
            found[f"{run.name} manifest"] = _tried(lambda v=view: v.manifest)
            if found[f"{run.name} manifest"] == REFUSED:
                continue
        blobs = [blobs_of_tree(view.tree)] if found[f"{run.name} tree"] != REFUSED else []
        if found[f"{run.name} opening"] != REFUSED:
            blobs.append(blobs_of_opening(view.opening))
        if view.manifest is not None:
            blobs.append(blobs_of_manifest(view.manifest))
        for ref in view.refs:
            name = f"{run.name}/{ref.step}/{ref.id}"
            found[name] = _tried(lambda r=ref: repository.task(r))
            if found[name] != REFUSED:
                blobs.append(blobs_of_task(repository.task(ref)))
        for blob in chain(*blobs):
            name = f"blob {blob.hex()}"
            if name not in found:
                found[name] = _tried(lambda b=blob: bytes(repository.database.read_blob(b)))
    return found


def _tried(read: Callable[[], object]) -> bytes:
    try:
        return msgspec.msgpack.encode(read())
    except MfvError:
        return REFUSED


def _is_found(repository: Repository) -> bool:
    """Whether fsck tells more than that something may be swept."""
    findings = fsck(repository, data=True).findings
    return any((one.severity, one.kind) != ("note", "garbage") for one in findings)


class Tally(NamedTuple):
    """How many harms of one kind of file were found, were harmless, or neither."""

    found: int = 0
    harmless: int = 0
    bad: tuple[str, ...] = ()

    def __add__(self, other: object) -> Tally:
        assert isinstance(other, Tally)
        return Tally(*(one + another for one, another in zip(self, other, strict=True)))


def tally(patient: Patient, harms: Iterable[Harm]) -> dict[str, Tally]:
    """What comes of each harm, counted by the kind of the first file that it changes."""
    counts: dict[str, Tally] = {}
    for harm in harms:
        verdict = patient.judge(harm)
        if not verdict.is_good:
            one = Tally(bad=(f"{harm.what}: {verdict.misled or 'not found'}",))
        else:
            one = Tally(found=int(verdict.found), harmless=int(not verdict.found))
        kind = kind_of(next(iter(harm.changed)))
        counts[kind] = counts.get(kind, Tally()) + one
    return counts


def flip_all(files: Files, *, first: int = 0, step: int = 1) -> dict[str, Tally]:
    """Every `step`-th bit of every file from `first` on turned over, one at a time.

    Several processes do it.
    """
    stretches = [
        (key, bits)
        for key, data in files.items()
        for bits in _stretches(range(first, len(data) * 8, step))
    ]
    total: dict[str, Tally] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=_begin, initargs=(dict(files),)
    ) as pool:
        for counts in pool.map(_flip_some, *zip(*stretches, strict=True)):
            for kind, one in counts.items():
                total[kind] = total.get(kind, Tally()) + one
    return total


def _stretches(bits: range, length: int = 250) -> Iterator[range]:
    for start in range(0, len(bits), length):
        yield bits[start : start + length]


_patients: list[Patient] = []  # of a worker process: one


def _begin(files: Files) -> None:
    _patients.append(Patient(files))


def _flip_some(key: str, bits: range) -> dict[str, Tally]:
    patient = _patients[0]
    return tally(patient, (flip(patient.files, key, bit) for bit in bits))
