"""`docs/format.md` says what the code does: its vectors and its tables, read out of the page."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric import ed25519

from mfv import keys
from mfv.ids import RECORD_TYPES as RECORD_IDS
from mfv.ids import ArtifactId, BlobId, ChunkId, EntryId, ObjectId, PackId, Seal, TaskId, TreeId
from mfv.manifest import artifact, records
from mfv.manifest.artifact import Artifact
from mfv.manifest.encoding import decode, encode
from mfv.manifest.records import Task, Tree
from mfv.odb import bundle, delta
from mfv.odb import codec as codecs
from mfv.odb.codec import Codec
from mfv.odb.database import Database
from mfv.odb.numbers import TYPES
from mfv.odb.pack import Member, PackBuilder
from mfv.odb.packindex import key_of, read_index
from mfv.odb.zframe import zstd
from mfv.repo import entries
from mfv.repo import format as formats
from mfv.repo.archive import SIZES, archive_key, read_entry
from mfv.repo.archive import key_of as entry_key
from mfv.repo.entries import Condemn, Repack, TagRuns
from mfv.repo.log import TIP, Log, Tip, checkpoint_key, decode_entry, read_tip, write_tip
from mfv.repo.names import RunState, State
from mfv.storage.memory import MemoryBackend

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")


def read_vectors() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"^```vector (.+?)\n(.*?)^```$", PAGE, re.M | re.S)
    return {name: dict(re.findall(r"^(\w+) = ?(.*)$", body, re.M)) for name, body in blocks}


VECTORS = read_vectors()
CONTEXTS = {name.removeprefix("context ") for name in VECTORS if name.startswith("context ")}


def content(name: str) -> bytes:
    return bytes.fromhex(VECTORS[name]["bytes"])


def test_the_page_has_every_vector_that_is_checked_here() -> None:
    plain = {name for name in VECTORS if not name.startswith("context ")}
    assert plain == {
        *("empty-blob", "blob", "format", "pack of one object", "scalar artifact"),
        *("pack with a list of chunks and a zstd frame", "artifact with a frame", "tree", "task"),
        *("entry 1", "entry 2", "entry 3", "tip", "checkpoint 2", "planes", "numbers", "group"),
        *("archive", "signature", "bundle"),
    }


@pytest.mark.parametrize("name", ["empty-blob", "blob"])
def test_a_blob_is_named_by_the_plain_hash_of_its_bytes(name: str) -> None:
    assert str(BlobId.of(content(name))) == VECTORS[name]["id"] == blake3(content(name)).hexdigest()


def test_every_context_has_a_vector_and_every_vector_a_context() -> None:
    kinds: list[type[ObjectId]] = [*RECORD_IDS.values(), ArtifactId, EntryId, Seal]
    assert {kind.context for kind in kinds} == CONTEXTS
    for kind in kinds:
        name = f"context {kind.context}"
        assert str(kind.of(content(name))) == VECTORS[name]["id"]
        derived = blake3(content(name), derive_key_context=kind.context)
        assert derived.hexdigest() == VECTORS[name]["id"]


def test_the_kinds_in_packs_are_those_of_the_page() -> None:
    rows = dict(re.findall(r"^\| (\w+) \| `mfv v1 [\w ]+` \| (\d+) \|$", PAGE, re.M))
    named = {kind.__name__.removesuffix("Id").lower(): kind.kind for kind in RECORD_IDS.values()}
    assert {name: int(number) for name, number in rows.items()} == named
    assert "| chunk | none | 1 |" in PAGE
    assert "| blob | none | 2 (where it was cut) |" in PAGE


def test_the_codecs_are_those_of_the_page() -> None:
    section = PAGE.split("### Codecs")[1].split("\n#")[0]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", section, re.M)] == list(Codec)


@pytest.mark.parametrize(("name", "codec"), [("planes", Codec.PLANES), ("numbers", Codec.PCODEC)])
def test_what_a_codec_wrote_is_read_whoever_wrote_it(name: str, codec: Codec) -> None:
    raw = bytes.fromhex(VECTORS[name]["raw"])
    assert bytes(codecs.decode(codec, content(name), len(raw))) == raw


def test_a_bundle_is_read_as_the_page_says() -> None:
    raw, stored = bytes.fromhex(VECTORS["bundle"]["raw"]), content("bundle")
    assert bundle.decode(stored) == raw
    assert stored[:4] == struct.pack("<I", len(raw))
    assert zstd.decompress(stored[4:]) == raw


def test_planes_can_be_read_by_the_page_alone() -> None:
    raw, stored = bytes.fromhex(VECTORS["planes"]["raw"]), content("planes")
    count, rest = divmod(len(raw), 4)
    assert stored[0] == 4
    at, items = 17, [bytearray(4) for _ in range(count)]
    for place, length in enumerate(struct.unpack_from("<4I", stored, 1)):
        plane = stored[at : at + length]
        if length < count:
            plane = codecs.decode(Codec.ZSTD, plane, count)
        for item, byte in zip(items, plane, strict=True):
            item[place] = byte
        at += length
    assert b"".join(items) + stored[at:] == raw
    assert len(stored) - at == rest


def test_a_group_can_be_read_by_the_page_alone() -> None:
    raw, before = (bytes.fromhex(VECTORS["group"][key]) for key in ("raw", "before"))
    stored = content("group")
    size, count = struct.unpack_from("<II", stored)
    assert (size, count) == (len(raw), 1)
    assert stored[8:40] == blake3(before).digest()
    decoder = zstd.ZstdDecompressor(zstd_dict=zstd.ZstdDict(before, is_raw=True).as_prefix)
    assert decoder.decompress(stored[40:]) == raw


def test_a_group_is_read_whoever_wrote_it() -> None:
    raw, before = (bytes.fromhex(VECTORS["group"][key]) for key in ("raw", "before"))
    found = delta.parse(content("group"))
    assert found.base == [ChunkId.of(before)]
    assert delta.decode(found, before) == raw


def test_the_types_of_numbers_are_those_of_the_page() -> None:
    section = PAGE.split("#### Numbers")[1].split("\n#")[0]
    words = {"f": "float", "i": "signed", "u": "unsigned"}
    rows = re.findall(r"^\| (\d+) \| (\w+ \d+) \|$", section, re.M)
    assert rows == [(str(n), f"{words[kind]} {8 * size}") for n, (kind, size) in TYPES.items()]


def test_the_format_file_is_read() -> None:
    backend = MemoryBackend()
    backend.put(formats.KEY, [content("format")])
    assert formats.read(backend) == (1, bytes(range(16)))


def test_a_new_format_file_differs_from_the_vector_in_its_id_alone() -> None:
    backend = MemoryBackend()
    formats.create(backend)
    ours = re.sub(rb"(?m)^(id|seal) .*$", rb"\1", backend.get(formats.KEY))
    assert ours == re.sub(rb"(?m)^(id|seal) .*$", rb"\1", content("format"))


def test_the_pack_of_one_object_is_what_the_builder_makes() -> None:
    builder = PackBuilder()
    builder.id = PackId(bytes(range(16)))
    builder.add([Member(BlobId.of(b"hello\n"), 1, 6)], Codec.RAW, b"hello\n", align=True)
    parts, receipt = builder.finish()
    assert b"".join(parts) == content("pack of one object")
    assert str(receipt.pack) == VECTORS["pack of one object"]["pack"]


def test_the_pack_of_one_object_can_be_read_by_the_page_alone() -> None:
    data = content("pack of one object")
    assert (data[:7], data[7], data[8:24], data[24:64]) == (
        b"MFVPACK",
        1,
        bytes(range(16)),
        bytes(40),
    )
    offset, count = struct.unpack_from("<QQ", data, len(data) - 64)
    assert (offset, count) == (70, 1)
    raw_id, kind, codec, _, at, stored, size = struct.unpack_from("<32sBB6sQQQ", data, offset)
    assert (kind, codec, at, stored, size) == (1, 0, 64, 6, 6)
    assert raw_id == blake3(data[64:70]).digest()
    sealed = data[:64] + data[offset : len(data) - 32]
    assert data[-32:] == blake3(sealed, derive_key_context="mfv v1 seal").digest()


def test_a_list_of_chunks_and_a_zstd_frame_are_read_whoever_wrote_them() -> None:
    vector = VECTORS["pack with a list of chunks and a zstd frame"]
    backend, pack = MemoryBackend(), PackId.parse(vector["pack"])
    assert pack is not None
    backend.put(key_of(pack), [bytes.fromhex(vector["bytes"])])
    assert sorted(record.kind for record in read_index(backend, pack)) == [1, 1, 1, 2]
    database = Database(backend)
    blob = BlobId(bytes.fromhex(vector["blob"]))
    assert database.read_blob(blob) == b"hello world\n"
    assert len(database.chunk_ids(blob)) == 2
    assert database.read_blob(BlobId(bytes.fromhex(vector["compressed"]))) == b"a" * 1000


@pytest.mark.parametrize("name", ["scalar artifact", "artifact with a frame"])
def test_an_artifact_is_read_and_has_the_id_of_its_content(name: str) -> None:
    found = decode(Artifact, content(name))
    assert encode(found) == content(name)
    assert str(found.id) == VECTORS[name]["id"]
    stored = bytes.fromhex(VECTORS[name]["content"])
    assert msgspec.msgpack.decode(stored) == [
        found.serializer,
        found.value,
        [frame.blob for frame in found.frames],
    ]
    derived = blake3(stored, derive_key_context="mfv v1 artifact")
    assert derived.hexdigest() == VECTORS[name]["id"]


def test_a_tree_is_read() -> None:
    tree = decode(Tree, content("tree"))
    assert [(file.path, file.mode, file.size) for file in tree.files] == [(b"flow.py", 0o100644, 6)]
    assert str(TreeId.of(content("tree"))) == VECTORS["tree"]["id"]


def test_a_task_is_read() -> None:
    task = decode(Task, content("task"))
    assert (task.pathspec, task.status, task.stdout.lines) == ("Flow/1/start/1", "ok", 1)
    assert str(TaskId.of(content("task"))) == VECTORS["task"]["id"]


def test_the_entries_are_read_and_chained() -> None:
    one, seal = decode_entry(1, content("entry 1"))
    two, last = decode_entry(2, content("entry 2"))
    three, end = decode_entry(3, content("entry 3"))
    assert isinstance(one.body, Condemn)
    assert isinstance(two.body, TagRuns)
    assert isinstance(three.body, Repack)
    assert (one.previous, two.previous, three.previous) == (bytes(32), seal, last)
    assert [str(one) for one in (seal, last, end)] == [
        VECTORS[f"entry {number}"]["seal"] for number in (1, 2, 3)
    ]
    state = State()
    for entry, sealed in ((one, seal), (two, last), (three, end)):
        state.apply(entry, sealed)
    assert state.condemned == {*one.body.condemned, *three.body.condemned}


def test_an_archive_is_read_whoever_wrote_it() -> None:
    backend = MemoryBackend()
    backend.put(archive_key(1, 16), [content("archive")])
    log = Log(backend)
    state = log.catch_up()
    assert (state.number, log.damaged) == (16, {})
    first = [read_entry(backend, number) for number in (1, 2, 3)]
    assert first == [content(f"entry {number}") for number in (1, 2, 3)]


def test_an_archive_can_be_read_by_the_page_alone() -> None:
    data = content("archive")
    magic, version, first, count = struct.unpack_from("<7sBQQ", data)
    assert (magic, version, first, count) == (b"MFVLOGS", 1, 1, 16)
    end = 24 + 4 * count
    lengths = struct.unpack_from(f"<{count}I", data, 24)
    assert data[end : end + 32] == blake3(data[:end], derive_key_context="mfv v1 seal").digest()
    at, previous = end + 32, bytes(32)
    for number, length in enumerate(lengths, 1):
        record, seal = data[at : at + length - 32], data[at + length - 32 : at + length]
        assert seal == blake3(record, derive_key_context="mfv v1 log entry").digest()
        entry = msgspec.msgpack.decode(record)
        assert (entry["number"], entry["previous"]) == (number, previous)
        at, previous = at + length, seal
    assert at == len(data)


def test_a_signature_can_be_made_and_checked_by_the_page_alone() -> None:
    vector = {name: bytes.fromhex(text) for name, text in VECTORS["signature"].items()}
    private = ed25519.Ed25519PrivateKey.from_private_bytes(vector["secret"])
    assert private.public_key().public_bytes_raw() == vector["key"]
    signed = b"mfv v1 signature\n" + vector["statement"]
    assert private.sign(signed) == vector["signature"]
    assert keys.is_signed(vector["key"], signed, vector["signature"])
    said = decode(entries.Statement, vector["statement"])
    assert (said.flow, said.number, said.tag) == ("TrainFlow", 7, "prod")
    assert (said.repository, said.manifest) == (bytes(range(16)), bytes(range(32, 64)))
    assert encode(said) == vector["statement"]


def test_the_sizes_of_archives_are_those_of_the_page() -> None:
    assert f"A block has {SIZES[0]}, {SIZES[1]}, {SIZES[2]} or {SIZES[3]} entries" in PAGE
    assert len(SIZES) == 4


def test_the_checkpoint_is_the_fold_of_the_entries_and_the_tip_a_hint() -> None:
    backend = MemoryBackend()
    for number in (1, 2):
        backend.put(entry_key(number), [content(f"entry {number}")])
    expected = Log(backend).catch_up()
    backend.put(TIP, [content("tip")])
    assert read_tip(backend) == Tip(300, 256)
    write_tip(backend, Tip(300, 256))
    assert backend.get(TIP) == content("tip")
    backend.put(checkpoint_key(2), [content("checkpoint 2")])
    write_tip(backend, Tip(2, 2))
    for number in (1, 2):
        backend.delete(entry_key(number))
    assert Log(backend).catch_up() == expected


def test_the_first_bytes_that_mark_each_body_are_those_of_the_page() -> None:
    tags = set(re.findall(r"`type` is `([\w-]+)`", PAGE))
    assert tags == {kind.__struct_config__.tag for kind in get_args(entries.Body)}


KINDS = {
    kind.__name__: kind
    for module in (artifact, records, entries)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
} | {kind.__name__: kind for kind in (State, RunState)}
TABLES = dict(re.findall(r"^#### (\w+) \(.*?\)\n\n(.*?)\n\n", PAGE, re.M | re.S))


def described(hint: Any) -> str:
    """A type as the page words it."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        bounds = hint.__metadata__[0]
        if bounds.min_length is None:
            return f"{described(args[0])}, at most {bounds.max_length}"
        return f"bin {bounds.min_length}"
    if origin in (Union, UnionType):
        if hint == entries.Body:
            return "one of the bodies below"
        words = [described(arg) for arg in args]
        return " or ".join(sorted(words, key=lambda word: word == "nil"))
    if origin is Literal:
        return " or ".join(f"`{arg}`" for arg in args)
    if origin is tuple and args[-1] is not Ellipsis:
        return f"[{', '.join(map(described, args))}]"
    if origin in (tuple, list, set):
        return f"array of {described(args[0])}"
    if origin is dict:
        return f"map of {described(args[0])} to {described(args[1])}"
    plain = {bytes: "bin", type(None): "nil"}
    return plain.get(hint, hint.__name__)


def default(value: Any) -> str:
    """A default as the page words it."""
    if value is msgspec.NODEFAULT:
        return ""
    if hasattr(value, "factory"):
        value = value.factory()
    if isinstance(value, (msgspec.Struct, dict)):
        return "{}"
    if value is None:
        return "nil"
    if isinstance(value, (tuple, list, set)):
        return "[]"
    if isinstance(value, bytes):
        return f"{len(value)} zero bytes"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def test_every_record_has_a_table() -> None:
    assert set(TABLES) == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_table_of_a_record_has_its_fields_types_and_defaults_in_order(name: str) -> None:
    kind = KINDS[name]
    hints = get_type_hints(kind, include_extras=True)
    fields, given = kind.__struct_fields__, kind.__struct_defaults__
    defaults = (msgspec.NODEFAULT,) * (len(fields) - len(given)) + given
    expected = [
        (field, described(hints[field]), default(value))
        for field, value in zip(fields, defaults, strict=True)
    ]
    rows = [tuple(cell.strip() for cell in row.split("|")[1:4]) for row in TABLES[name].split("\n")]
    assert rows[2:] == expected


@pytest.mark.parametrize("name", KINDS)
def test_the_heading_of_a_table_says_how_the_record_is_written(name: str) -> None:
    config = KINDS[name].__struct_config__
    heading = re.search(rf"^#### {name} \((.*)\)$", PAGE, re.M)
    assert heading is not None
    words = "array" if config.array_like else "map"
    words += ", defaults left out" if config.omit_defaults else ""
    words += f", `type` is `{config.tag}`" if config.tag else ""
    assert heading[1] == words
