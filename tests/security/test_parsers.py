"""Every parser on bytes that were right and were changed: it reads them, or refuses in its own words.

From each of a few valid inputs come many with bytes flipped, cut out, doubled, put in, or exchanged
with those of another. Seeds are fixed, so that what fails once fails again.
"""

# ruff: noqa: E501 -- a parser a line

from __future__ import annotations

import random
import resource
import struct
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy
import pytest
from forge import FLOW, MOMENT, STEP
from making import environment, memory_repository, whole_run

from mfv.capture import ignore
from mfv.checkout.names import safe_ending, safe_name
from mfv.errors import MfvError
from mfv.ids import ChunkId, PackId, Seal
from mfv.index.errors import UnusableError
from mfv.index.states import data_of, state_of
from mfv.manifest import records
from mfv.manifest.artifact import Artifact, Column, Summary
from mfv.manifest.encoding import decode, encode
from mfv.odb import codec, delta, numbers, packindex, planes, zframe
from mfv.odb.codec import Codec
from mfv.odb.database import _chunk_ids
from mfv.odb.layer import Layer, assemble
from mfv.odb.pack import Member, PackBuilder
from mfv.outline.reading import outline_of
from mfv.query.parser import parse
from mfv.query.patterns import check_pattern
from mfv.render.fields import Template
from mfv.repo import config, statcache
from mfv.repo import format as formats
from mfv.repo.archive import key_of as entry_key
from mfv.repo.archive import list_entries, open_archive, put_archive
from mfv.repo.entries import Entry, NoteRun, TagRuns
from mfv.repo.log import Log, Tip, decode_entry, encode_entry, read_checkpoint, read_tip, write_tip
from mfv.repo.names import RunState
from mfv.repo.paths import check_path
from mfv.repo.revision import resolve_target
from mfv.serde import inert
from mfv.serde.pickle5 import dump
from mfv.storage.memory import MemoryBackend

SHORT, LONG = 150, 20_000  # changed inputs of one parser
GROWS = 200 << 20  # bytes by which a process may grow over all inputs of one parser
HASH, PACK = bytes(range(32)), bytes(range(16))
TEXT = b"some text that repeats, some text that repeats, some text that repeats " * 4


class Parser(NamedTuple):
    """What reads, the valid inputs, and what it may raise where it refuses."""

    read: Callable[[bytes], object]
    corpus: Sequence[bytes]
    refusals: tuple[type[Exception], ...] = (MfvError,)


def entries() -> list[bytes]:
    bodies = (NoteRun(FLOW, 1, "text"), TagRuns((), ((FLOW, 1, "best"),)))
    return [encode_entry(Entry(1, bytes(32), MOMENT, "ana@host", body))[0] for body in bodies]


def read_entry(data: bytes) -> object:
    """With a seal that is right again, or nothing behind it would ever be read."""
    from mfv.ids import EntryId

    return decode_entry(1, data[:-32] + EntryId.of(data[:-32]))


def log_of(data: bytes) -> object:
    backend = MemoryBackend()
    backend.put(entry_key(1), [data])
    return Log(backend).catch_up()


def checkpoint(data: bytes) -> object:
    backend = MemoryBackend()
    backend.put("log/checkpoint-00000007", [data, Seal.of(data)])
    return read_checkpoint(backend, 7)


def checkpoints() -> list[bytes]:
    repo = memory_repository()
    whole_run(repo, {"a": 1, "b": [1, 2]})
    state = repo.state
    state.number = 7
    return [msgspec.msgpack.encode(state)]


def archives() -> list[bytes]:
    backend = MemoryBackend()
    data = entries()[0]
    put_archive(backend, 1, [len(data)] * 16, [data] * 16)
    return [backend.get("log/archive-00000001-00000016")]


def archive(data: bytes) -> object:
    end = 24 + 4 * 16
    backend = MemoryBackend()
    backend.put(
        "log/archive-00000001-00000016", [data[:end], Seal.of(data[:end]), data[end + 32 :]]
    )
    found = open_archive(backend, 1, 16)
    return list(found.read_from(1)) if not found.trouble else None


def tips() -> list[bytes]:
    backend = MemoryBackend()
    write_tip(backend, Tip(300, 128))
    return [backend.get("tip")]


def tip(data: bytes) -> object:
    backend = MemoryBackend()
    backend.put("tip", [data[:16], Seal.of(data[:16])])
    return read_tip(backend)


def packs() -> list[bytes]:
    builder = PackBuilder()
    builder.id = PackId(PACK)
    for text in (b"one", b"other", TEXT):
        builder.add([Member(ChunkId.of(text), ChunkId.kind, len(text))], 0, text)
    return [b"".join(map(bytes, builder.finish()[0]))]


def pack(data: bytes) -> object:
    """With a seal that is right again."""
    from mfv.odb.pack import TRAILER, _seal

    if len(data) >= 192:
        offset = int.from_bytes(data[-64:-56], "little")
        head, index, trailer = data[:64], data[offset:-64], data[-64:-32]
        data = data[:-32] + _seal(head, index, trailer)
        assert TRAILER.size == 64
    backend = MemoryBackend()
    backend.put(packindex.key_of(PackId(PACK)), [data])
    return packindex.read_index(backend, PackId(PACK))


def decoded(number: int) -> Callable[[bytes], object]:
    return lambda data: codec.decode(number, data, 4096)


def planes_of(width: int) -> bytes:
    return planes.encode(
        memoryview(numpy.arange(4096 // width, dtype=f"u{width}").tobytes()), width
    )


def numbers_of(number: int) -> bytes:
    kind, width = numbers.TYPES[number]
    found = numbers.encode(numpy.arange(4096 // width).astype(f"{kind}{width}").tobytes(), number)
    assert found is not None
    return found


def group(data: bytes) -> object:
    return delta.decode(delta.parse(data), TEXT)


def groups() -> list[bytes]:
    return [delta.encode(memoryview(TEXT + b"more"), [ChunkId.of(TEXT)], TEXT)]


def layers() -> list[bytes]:
    ids = sorted(ChunkId.of(bytes([place])) for place in range(40))
    fan = [0] * 257
    for one in ids:
        for bucket in range(one[0] + 1, 257):
            fan[bucket] += 1
    tails = b"".join(one[1:5] for one in ids)
    made = assemble(
        [(PackId(PACK), 40)], 8, struct.pack("=257I", *fan), tails, struct.pack("=40I", *range(40))
    )
    return [bytes(made.data)]


def layer(data: bytes) -> object:
    found = Layer(memoryview(data))
    return [list(found.find(bucket << 24, b"abcd")) for bucket in range(256)], found.is_whole()


def resealed_layer(data: bytes) -> object:
    """With a head whose seal is right again."""
    from mfv.odb import layer as layers_module

    start, header = layers_module._START, layers_module._HEADER.size
    if len(data) < start:
        return layer(data)
    count = int.from_bytes(data[16:20], "little")
    head = start + 16 * count + 4 * (count + 1)
    if head > len(data):
        return layer(data)
    seal = layers_module._head_seal(data[:header], data[header + 32 : start], data[start:head])
    return layer(data[:header] + seal + data[header + 32 :])


def streams() -> list[bytes]:
    import collections
    import datetime
    import decimal

    import pandas

    values: list[Any] = [
        {"a": [1, 2.5, None, True], "b": ("x", b"y"), "c": {1, 2}},
        numpy.arange(12.0).reshape(3, 4),
        pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        [datetime.datetime(2020, 1, 1), decimal.Decimal("1.5"), collections.OrderedDict(a=1)],
    ]
    return [bytes(dump(value, name="x")[0].data) for value in values]


def look(data: bytes) -> object:
    """A stream read, and what it holds as the pages of `show` and `diff` have it."""
    node = inert.read([data, bytes(100), bytes(50)])
    return outline_of(node), b"".join(map(bytes, inert.joined([data])))


def records_of(kind: type[msgspec.Struct], *found: msgspec.Struct) -> Parser:
    return Parser(lambda data: decode(kind, data), [encode(one) for one in found])


def as_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def revision(text: str) -> object:
    from mfv.history.history import History

    global _names
    if _names is None:
        repo = memory_repository()
        whole_run(repo, {"a": 1})
        _names = History(repo).names
    return resolve_target(_names, text)


_names: Any = None


def stat_cache(data: bytes) -> object:
    return statcache._decode(Seal.of(data) + data)


def index_state(data: bytes) -> object:
    """With a sum that is right again."""
    return state_of(data[:-4] + crc32(data[:-4]).to_bytes(4, "big"))


ARTIFACT = Artifact(
    "x", "f", "bytes", None, (), Summary("t", (1, 2), "f8", 3, (Column("a", "b"),), 0.5)
)
TASK = records.Task(
    FLOW, 1, STEP, 1, "ok", MOMENT, MOMENT, artifacts=(ARTIFACT,), parents=(1, 2),
    splits=(records.Split(STEP, "v", 0, 1, "x"),), stdout=records.Log(5, 1, b"hello"),
    failure=records.Failure("E", "m", "t"), dropped=(("a", "b"),), cpu=0.5,
)  # fmt: skip
REF = records.TaskRef(STEP, 1, 0, "ok", MOMENT, MOMENT, HASH, PACK)
RUN = records.Run(
    FLOW, 1, PACK, HASH, "ok", MOMENT, MOMENT, (REF,), (Artifact("a", "int", value=1),)
)
SAVED = msgspec.msgpack.encode(
    [1, b"/root", 5, 6, [[[PACK], [HASH]]], [[b"a/b", 1, 2, 3, 4, 5, HASH, 0]]]
)
CONFIG = b"durability = 'fast'\n[keep]\nlast = 5\nwithin = '30d'\nwhere = 'x > 1'\n[code]\nmax_file_size = '10 MiB'\n"
QUERIES = [
    b"(params.lr >= 0.5 and not tag:best) or status in (ok, failed)",
    b"note ~ 'a.*b' and started > yesterday and package:numpy>=2.0",
    b'params."a b" = "c"',
]
PATTERNS = [rb"^(a|b)+[^c-e]{2,5}(?i:x)\w*$", rb"(?P<n>a)(?=b)\d{3}"]
IGNORED = [b"*.pyc\n!keep\n/build/\n**/a[!b-d]?/**\n[[:alpha:]]x\\ \n# c\n"]

PARSERS = {
    "entry": Parser(read_entry, entries()),
    "log": Parser(log_of, entries()),
    "checkpoint": Parser(checkpoint, checkpoints()),
    "archive": Parser(archive, archives()),
    "tip": Parser(tip, tips()),
    "format": Parser(lambda data: formats.read(_backend(formats.KEY, data)), []),
    "pack": Parser(pack, packs()),
    "chunk-list": Parser(_chunk_ids, [HASH * 5]),
    "zstd": Parser(decoded(Codec.ZSTD), [zframe.compress((TEXT * 15)[:4096]), zframe.compress(bytes(4096))]),
    "planes": Parser(decoded(Codec.PLANES), [planes_of(width) for width in (2, 4, 8)]),
    "pcodec": Parser(decoded(Codec.PCODEC), [numbers_of(number) for number in (4, 5, 6, 8, 10, 11)]),
    "group": Parser(group, groups()),
    "layer": Parser(layer, layers()),
    "layer-resealed": Parser(resealed_layer, layers()),
    "task": records_of(records.Task, TASK),
    "run": records_of(records.Run, RUN),
    "environment": records_of(records.Environment, environment()),
    "tree": records_of(records.Tree, records.Tree((records.TreeFile(b"a/b", 0o100644, HASH, 5),)), records.Tree((), (HASH,))),
    "index-state": Parser(index_state, [data_of(RunState(FLOW, 1, 5, MOMENT, "ok", HASH, PACK, HASH, PACK, tags=["a"], tasks=[REF]))], (UnusableError,)),
    "stat-cache": Parser(stat_cache, [SAVED], (ValueError, msgspec.MsgspecError)),
    "pickle": Parser(look, streams()),
    "query": Parser(as_text(parse), QUERIES),
    "pattern": Parser(as_text(check_pattern), PATTERNS),
    "template": Parser(as_text(Template), [b"{name} {params.lr:>8.3} {{x}} \\n{started:<12}"]),
    "revision": Parser(as_text(revision), [b"TrainFlow/1/start/1/a", b"@{-1}~2", b"TrainFlow@latest", b"abcdef12"]),
    "config": Parser(config.parse, [CONFIG]),
    "ignore": Parser(lambda data: [rule.pattern.fullmatch(b"a/b/c.pyc") for rule in ignore._parse(data)], IGNORED),
    "path": Parser(check_path, [b"a/b/c.py", "caf\u00e9/\u202ex".encode(), b"CON/nul.txt"]),
    "name": Parser(as_text(lambda text: (safe_name(text), safe_ending(text))), [b"model.pkl", b"con", b"../x"]),
}  # fmt: skip


def _backend(key: str, data: bytes) -> MemoryBackend:
    backend = MemoryBackend()
    backend.put(key, [data])
    return backend


def _formats() -> list[bytes]:
    backend = MemoryBackend()
    formats.create(backend)
    return [backend.get(formats.KEY)]


PARSERS["format"] = PARSERS["format"]._replace(corpus=_formats())

EDGES = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\xff" * 8,
    b"\x00" * 8,
    b"\x7f" + b"\xff" * 7,
)


def changed(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """A valid input with one to four changes."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        length = chance.choice((1, 1, 2, 4, 8, 32))
        match chance.randrange(7):
            case 0 if data:
                data[at % len(data)] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + length] = chance.choice(EDGES)
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
            case 4:
                data[at:at] = chance.randbytes(length)
            case 5:
                del data[at:]
            case _:
                other = chance.choice(corpus)
                place = chance.randrange(len(other) + 1)
                data[at : at + length] = other[place : place + length]
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_what_was_not_changed_is_read(name: str) -> None:
    parser = PARSERS[name]
    for data in parser.corpus:
        try:
            parser.read(data)
        except MfvError:
            assert name in ("group", "revision"), data  # of what is not there


@pytest.mark.parametrize("name", PARSERS)
def test_what_was_changed_is_read_or_refused(name: str, long: bool) -> None:
    parser, chance = PARSERS[name], random.Random(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(LONG if long else SHORT):
        data = changed(chance, parser.corpus)
        try:
            parser.read(data)
        except parser.refusals:
            pass
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error} from {data!r}") from error
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < GROWS


def test_every_entry_of_a_repository_is_in_the_corpus_by_kind() -> None:
    repo = memory_repository()
    whole_run(repo, {"a": 1})
    for number in list_entries(repo.backend):
        data = repo.backend.get(entry_key(number))
        decode_entry(number, data)
