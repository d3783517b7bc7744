"""How fast is "is this object known, and where?" among ten million, and what does it take?

Real packs of objects without bytes, whose lookup cache mfv builds itself, asked in processes of
their own. Beside it the same ids in SQLite, bisected in a mapped file, and a tenth in a dict.
Then a repository of recorded runs: one small artifact read, and the first new blob.

    python benchmarks/packindex.py              ten million objects in 1,000 packs; 2,000 runs
    python benchmarks/packindex.py --quick      100,000 in 100 packs; 50 runs
"""

from __future__ import annotations

import argparse
import json
import mmap
import multiprocessing
import os
import random
import shutil
import sqlite3
import statistics
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from machine import machine_line

from mfv.ids import BlobId, ChunkId, EnvironmentId, TreeId
from mfv.manifest.records import Environment, Git, GraphNode, Opening, Task, Tree
from mfv.odb.database import Database
from mfv.odb.layer import split
from mfv.odb.layercache import FOLDER
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of
from mfv.odb.whereabouts import PackIndex
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store_all
from mfv.repo.publish import add_record
from mfv.repo.recorder import Finished, RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.local import LocalBackend
from mfv.storage.wrappers import ReadOnlyBackend

MEMORY = ("RssAnon", "RssFile")
ASKED = 20_000  # ids a contender is asked for
Rows = dict[str, str]


def alone(work: Callable[..., object], *words: object) -> object:
    """What `work` returns in a process of its own, which has nothing open yet."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, words)


def each(ask: Callable[[bytes], object], ids: Iterable[bytes]) -> float:
    """Median µs of one call, over batches."""
    batch, ids = 500, list(ids)
    taken = []
    for at in range(0, len(ids), batch):
        some = ids[at : at + batch]
        begun = time.perf_counter()
        for one in some:
            ask(one)
        taken.append((time.perf_counter() - begun) / len(some) * 1e6)
    return statistics.median(taken)


def memory(field: str) -> float:
    """MB of this process: `RssAnon` its own, `RssFile` mapped from files, `VmHWM` at its peak."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(dict(line.split(":", 1) for line in lines)[field].split()[0]) / 1024


def make_packs(folder: Path, ids: np.ndarray, packs: int) -> None:
    """Packs of objects that have ids and no bytes."""
    backend = LocalBackend(folder)
    for some in np.array_split(ids, packs):
        builder = PackBuilder()
        for row in some:
            builder.add([Member(ChunkId(row.tobytes()), ChunkId.kind, 0)], 0, b"")
        parts, receipt = builder.finish()
        backend.put(key_of(receipt.pack), parts, sync=False)


def build(folder: Path) -> Rows:
    """The first process finds no cache: it reads all packs and leaves one."""
    begun = time.perf_counter()
    PackIndex(LocalBackend(folder)).find(bytes(32))
    seconds = time.perf_counter() - begun
    sizes = [path.stat().st_size for path in (folder / FOLDER).iterdir()]
    return {
        "built by who finds none": f"{seconds:.1f} s, {memory('VmHWM'):.0f} MB at its peak",
        "lookup cache": f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files",
    }


def ask_mfv(folder: Path, packs: int, known: Sequence[bytes], unknown: Sequence[bytes]) -> Rows:
    index = PackIndex(LocalBackend(folder))
    before = [memory(field) for field in MEMORY]
    begun = time.perf_counter()
    index.find(known[0])
    opened = time.perf_counter() - begun
    begun = time.perf_counter()
    index.find(unknown[0])  # must be sure: lists the packs
    listed = time.perf_counter() - begun

    def probe(one: bytes) -> None:
        head, tail = split(one)
        for layer in index._layers:
            layer.find(head, tail)

    assert all(index.find(one) for one in known[:1000])
    rows = {
        "opened, first one found": f"{opened * 1e3:.2f} ms",
        "first one not found": f"{listed * 1e3:.2f} ms",
        "mfv: unknown": f"{each(index.find, unknown):.2f} µs",
        "mfv: known, by the layers": f"{each(probe, known):.2f} µs",
    }
    own, mapped = (memory(field) - was for field, was in zip(MEMORY, before, strict=True))
    rows["mfv: memory"] = f"{own:.0f} MB of its own (packs' indexes), {mapped:.0f} MB mapped"
    asked = Database(LocalBackend(folder)).index
    asked.find(known[0])
    begun = time.perf_counter()
    for one in known:
        asked.find(one)
    checked = time.perf_counter() - begun
    rows["mfv: the first of each pack, whose index is checked"] = (
        f"{(checked - each(asked.find, known) * len(known) / 1e6) / packs * 1e3:.2f} ms"
    )
    rows["mfv: known, with its record, any pack"] = f"{each(asked.find, known):.2f} µs"
    few = {asked.find(one)[0].pack for one in known[:10]}
    near = [one for one in known if asked.find(one)[0].pack in few]
    asked = Database(LocalBackend(folder)).index
    for one in near:
        asked.find(one)
    rows["mfv: known, with its record, of ten packs"] = f"{each(asked.find, near * 20):.2f} µs"
    return rows


def ask_sqlite(path: Path, known: Sequence[bytes], unknown: Sequence[bytes]) -> Rows:
    begun = time.perf_counter()
    base = sqlite3.connect(path)
    ask = base.cursor()
    query = "SELECT place FROM objects WHERE id = ?"
    found = ask.execute(query, (known[0],)).fetchone()
    opened = time.perf_counter() - begun
    assert found

    def look(one: bytes) -> object:
        return ask.execute(query, (one,)).fetchone()

    return {
        "SQLite: opened": f"{opened * 1e3:.2f} ms",
        "SQLite: unknown": f"{each(look, unknown):.2f} µs",
        "SQLite: known": f"{each(look, known):.2f} µs",
        "SQLite: file": f"{path.stat().st_size / 1e6:.0f} MB",
    }


def make_sqlite(path: Path, ids: np.ndarray) -> float:
    begun = time.perf_counter()
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE objects (id BLOB PRIMARY KEY, place INTEGER) WITHOUT ROWID")
    rows = ((ids[at].tobytes(), at) for at in range(len(ids)))
    base.executemany("INSERT INTO objects VALUES (?, ?)", rows)
    base.commit()
    base.close()
    return time.perf_counter() - begun


def ask_bisect(path: Path, known: Sequence[bytes], unknown: Sequence[bytes]) -> Rows:
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    places = range(0, len(data), 32)

    def ask(one: bytes) -> bool:
        at = bisect_left(places, one, key=lambda at: data[at : at + 32])
        return at < len(places) and data[at * 32 : at * 32 + 32] == one

    assert ask(known[0])
    return {
        "bisect in a map: unknown": f"{each(ask, unknown):.2f} µs",
        "bisect in a map: known": f"{each(ask, known):.2f} µs",
        "bisect in a map: file": f"{len(data) / 1e6:.0f} MB",
    }


def ask_dict(path: Path, known: Sequence[bytes], unknown: Sequence[bytes]) -> Rows:
    before = memory("RssAnon")
    data = path.read_bytes()
    begun = time.perf_counter()
    places = {data[at : at + 32]: at for at in range(0, len(data) // 10, 32)}
    filled = time.perf_counter() - begun
    size = len(data) / 1e6
    del data
    return {
        "dict of a tenth: filled": f"{filled:.2f} s",
        "dict of a tenth: unknown": f"{each(places.get, unknown):.2f} µs",
        "dict of a tenth: memory": f"{memory('RssAnon') - before:.0f} MB, without any records",
        "all ids, as bytes": f"{size:.0f} MB",
    }


def million(folder: Path, objects: int, packs: int) -> Rows:
    """Everything about one large number of objects."""
    ids = np.frombuffer(os.urandom(32 * objects), "u1").reshape(-1, 32)
    ids = ids[np.argsort(ids[:, :8].copy().view(">u8").ravel(), kind="stable")]
    rng = random.Random(1)
    known = [ids[rng.randrange(objects)].tobytes() for _ in range(ASKED)]
    unknown = [rng.randbytes(32) for _ in range(ASKED)]
    make_packs(folder / "repo", ids[np.random.default_rng(1).permutation(objects)], packs)
    (folder / "ids").write_bytes(ids.tobytes())
    rows: Rows = {}
    rows |= alone(build, folder / "repo")  # type: ignore[arg-type]
    rows |= alone(ask_mfv, folder / "repo", packs, known, unknown)  # type: ignore[arg-type]
    rows["SQLite: built, in order"] = f"{make_sqlite(folder / 'ids.sqlite', ids):.1f} s"
    rows |= alone(ask_sqlite, folder / "ids.sqlite", known, unknown)  # type: ignore[arg-type]
    rows |= alone(ask_bisect, folder / "ids", known, unknown)  # type: ignore[arg-type]
    rows |= alone(ask_dict, folder / "ids", known, unknown)  # type: ignore[arg-type]
    return rows


def make_opening(writer: Writer) -> Opening:
    tree, _ = add_record(writer, TreeId, Tree(()))
    machine = Environment("3", "CPython", "Linux", "6", "x86_64", "glibc", "a cpu", 2, 1, (), ())
    environment, _ = add_record(writer, EnvironmentId, machine)
    return Opening(
        flow="Small",
        created=0,
        script="flow.py",
        parameters=(),
        constants=(),
        graph=(GraphNode("start", "start", (), False, 1, ""),),
        tree=bytes(tree),
        environment=bytes(environment),
        git=Git("0" * 40, "main", None, False, (), None),
        version=None,
        left_out=(),
        argv=(),
        cwd="",
        user="",
        host="",
        variables=(),
        mfv="",
    )


def record(folder: Path, runs: int) -> list[bytes]:
    """Records runs of ten artifacts of 50 B to 20 KB, half of them repeated; ids of some blobs."""
    repository = Repository.create(folder)
    rng = random.Random(1)
    old = [rng.randbytes(rng.randrange(50, 20_000)) for _ in range(20)]
    blobs = []
    for number in range(runs):
        new = [rng.randbytes(rng.randrange(50, 20_000)) for _ in range(5)]
        run = RunRecorder(repository, make_opening)
        writer = Writer(repository.database)
        values = {f"a{place}": one for place, one in enumerate([*new, *rng.sample(old, 5)])}
        stored = store_all(writer, values)
        task = Task("Small", run.number, "start", 1, "ok", 0, number, artifacts=stored.artifacts)
        handed = writer.parcel()
        assert handed is not None
        run.commit([Finished(task, b"", b"", handed[0], (), frozenset(handed[1]))])
        run.seal("ok", ended=1)
        blobs.append(bytes(BlobId.of(new[0])))
    return blobs


def read_one(folder: Path, blobs: list[bytes]) -> tuple[float, float]:
    """ms of the first read of a process, and of each further one."""
    database = Database(LocalBackend(folder))
    begun = time.perf_counter()
    database.read_blob(BlobId(blobs[0]))
    first = time.perf_counter() - begun
    rest = each(lambda one: database.read_blob(BlobId(one)), blobs[1:])
    return first * 1e3, rest / 1e3


def write_one(folder: Path, cached: bool) -> float:
    """ms of the first `add_blob` of a process."""
    local = LocalBackend(folder)
    writer = Writer(Database(local if cached else ReadOnlyBackend(local)))
    data = os.urandom(1000)
    begun = time.perf_counter()
    writer.add_blob(data)
    return (time.perf_counter() - begun) * 1e3


def recorded(folder: Path, runs: int) -> Rows:
    """Everything about a repository of many small runs."""
    blobs = record(folder, runs)
    packs = sum(1 for _ in (folder / "packs").iterdir())
    random.Random(2).shuffle(blobs)
    alone(write_one, folder, True)  # leaves the cache as good as it gets

    def median(work: Callable[..., object], *words: object) -> float:
        return statistics.median(alone(work, *words) for _ in range(5))  # type: ignore[type-var]

    reads = [alone(read_one, folder, blobs) for _ in range(5)]
    first, rest = (statistics.median(column) for column in zip(*reads, strict=True))  # type: ignore[arg-type]
    caches = [path.stat().st_size for path in (folder / FOLDER).iterdir()]
    return {
        f"{runs} runs": f"{packs} packs, cache {sum(caches) / 1e6:.2f} MB in {len(caches)} files",
        "first artifact that a process reads": f"{first:.2f} ms",
        "every further one": f"{rest:.3f} ms",
        "first new blob of a process": f"{median(write_one, folder, True):.1f} ms",
        "the same without any cache": f"{median(write_one, folder, False):.1f} ms",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000_000)
    parser.add_argument("--packs", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=2000, help="recorded runs")
    parser.add_argument("--quick", action="store_true", help="100,000 objects and 50 runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.objects, options.packs, options.runs = 100_000, 100, 50
    folder = Path(tempfile.mkdtemp(prefix="mfv-bench-"))
    rows: Rows = {}
    try:
        if options.objects:
            rows |= million(folder, options.objects, options.packs)
        if options.runs:
            rows |= recorded(folder / "recorded" / ".mfv", options.runs)
    finally:
        shutil.rmtree(folder)
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    print(f"{machine_line()}\n\n| {options.objects} objects in {options.packs} packs | |")
    print("| --- | ---: |")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
