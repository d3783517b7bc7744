"""Pickles and what holds them: no command but a load that was asked for runs what they name."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forge import NAME, Forge
from sites import CANARY, Row, Site, readers, try_row

from mfv.manifest.artifact import BYTES, FILE, PICKLE, Summary

COMMAND = f"touch {CANARY}"


class Evil:
    def __reduce__(self) -> Any:
        return __import__("os").system, (COMMAND,)


class EvilState:
    def __reduce__(self) -> Any:
        return dict, (), {"x": 1}, iter([Evil()]), iter([("k", Evil())])


def pickled(value: object, protocol: int) -> bytes:
    return pickle.dumps(value, protocol)


def old(body: bytes) -> bytes:
    return body + b"."


CALLS = {
    "reduce-0": pickled(Evil(), 0),
    "reduce-2": pickled(Evil(), 2),
    "reduce-4": pickled(Evil(), 4),
    "reduce-5": pickled(Evil(), 5),
    "state-and-items": pickled(EvilState(), 5),
    "inst": old(b"(S'" + COMMAND.encode() + b"'\nios\nsystem\n"),
    "obj": old(b"(cos\nsystem\nS'" + COMMAND.encode() + b"'\no"),
    "global-builtins": old(b"cbuiltins\nexec\n(S'open(\"" + CANARY.encode() + b"\",\"w\")'\ntR"),
    "stack-global": old(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(COMMAND)]) + COMMAND.encode() + b"\x85R"),
    "stack-global-of-a-dotted-name": old(b"\x80\x04\x8c\x02os\x8c\x0bpath.exists\x93)R"),
    "newobj-ex": old(b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93\x8c\x04true\x85}\x92"),
    "build-setattr": old(b"\x80\x04c__main__\nThing\n)\x81}\x8c\x0a__class__\x8c\x01xsb"),
    "getattr-chain": old(b"\x80\x04cbuiltins\ngetattr\n(cos\nsystem\n\x8c\x08__call__tR(S'" + COMMAND.encode() + b"'\ntR"),
    "import": old(b"cthis\nd\n"),
    "like-numpy": old(b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\n(K\x00tC\x01btR"),
    "like-pandas": old(b"\x80\x04cpandas.core.internals.managers\n_unpickle_block\n(cos\nsystem\ntR"),
    "like-torch": old(b"\x80\x04ctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\nK\x00K\x01\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"),
    "like-joblib": old(b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}\x8c\x08subclasscos\nsystem\nsb"),
    "dataframe-of-a-callable": old(b"\x80\x04cpandas.core.frame\nDataFrame\n)\x81}\x8c\x04_mgrcos\nsystem\n(S'" + COMMAND.encode() + b"'\ntRsb"),
}  # fmt: skip

NONSENSE = {
    "persistent-id": b"Pevil\n.",
    "binary-persistent-id": b"\x8c\x04evilQ.",
    "extension-code": b"\x82\x01.",
    "extension-code-4": b"\x84\xff\xff\xff\x7f.",
    "second-pickle": pickled([1], 5) + pickled(Evil(), 5),
    "second-pickle-behind-zeros": pickled([1], 5) + bytes(100) + pickled(Evil(), 5),
    "no-stop": pickled([1], 5)[:-1],
    "empty": b"",
    "stop-alone": b".",
    "text": b"import os; os.system('true')\n",
    "long4-of-2-GiB": b"\x80\x05\x8b\xff\xff\xff\x7f1.",
    "long4-negative": b"\x80\x05\x8b\xff\xff\xff\xff1.",
    "binbytes8-of-2^63": b"\x80\x05\x8e" + struct.pack("<Q", 2**63) + b"x.",
    "unicode8-of-2^40": b"\x80\x05\x8d" + struct.pack("<Q", 2**40) + b"x.",
    "bytearray8-of-2^62": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
    "frame-of-2^63": b"\x80\x05\x95" + struct.pack("<Q", 2**63) + b"K\x01.",
    "put-2^31": b"\x80\x05K\x01r\xff\xff\xff\x7f.",
    "put-of-a-large-number": b"K\x01p" + b"9" * 5000 + b"\n.",
    "int-of-many-digits": b"I" + b"9" * 1_000_000 + b"\n.",
    "long-of-many-digits": b"L" + b"9" * 1_000_000 + b"L\n.",
    "get-unset": b"\x80\x05h\x07.",
    "mark-unmatched": b"\x80\x05((((e.",
    "pop-nothing": b"\x80\x050.",
    "buffer-not-there": b"\x80\x05\x97.",
    "protocol-99": b"\x80\x63K\x01.",
    "float-wrong": b"Fnot a float\n.",
    "string-wrong": b"Sno quotes\n.",
    "utf8-wrong": b"\x80\x05\x8c\x02\xff\xfe.",
}  # fmt: skip


def deep(depth: int, opening: bytes = b"]", closing: bytes = b"a") -> bytes:
    return b"\x80\x05" + opening * depth + closing * (depth - 1) + b"."


def laughs(levels: int) -> bytes:
    """A tuple of ten times the one before, so often that nobody could write it out."""
    found = b"\x80\x05)"
    for level in range(levels):
        found += b"q" + bytes([level]) + b"0(" + (b"h" + bytes([level])) * 10 + b"t"
    return found + b"."


def laughing_dict(levels: int) -> bytes:
    found = b"\x80\x05}"
    for level in range(levels):
        get = b"h" + bytes([level])
        found += (
            b"q"
            + bytes([level])
            + b"0}("
            + b"".join(b"K" + bytes([one]) + get for one in range(10))
            + b"u"
        )
    return found + b"."


def holding_itself() -> bytes:
    value: list[object] = []
    value.append(value)
    other: dict[str, object] = {"list": value}
    other["self"] = other
    value.append(other)
    return pickle.dumps(value, 5)


def doubled_text(times: int) -> bytes:
    """Text that is added to itself by calls, were they made."""
    found = b"\x80\x05coperator\nadd\n\x94\x8c\x02ab\x94"
    for _ in range(times):
        found += b"q\x00" + b"0h\x00" + b"K\x020"
    return found + b"."


LARGE = {
    "list-1e5-deep": deep(100_000),
    "tuple-1e5-deep": b"\x80\x05)" + b"\x85" * 100_000 + b".",
    "dict-1e4-deep": b"\x80\x05" + b"}K\x01" * 10_000 + b"}" + b"s" * 10_000 + b".",
    "set-1e4-deep": b"\x80\x05)" + b"(\x91" .replace(b"(\x91", b"") + (b"q\x000(h\x00\x91" * 10_000) + b".",
    "laughs": laughs(60),
    "laughing-dict": laughing_dict(60),
    "holding-itself": holding_itself(),
    "doubled-text": doubled_text(100),
    "3e5-marks": b"\x80\x05" + b"(" * 300_000 + b".",
    "1e7-empty-lists": b"\x80\x05](" + b"]" * 11_000_000 + b"e.",
    "4e6-empty-texts": b"\x80\x05](" + b"\x8c\x00" * 4_000_000 + b"e.",
    "1e5-empty-lists": b"\x80\x05](" + b"]" * 100_000 + b"e.",
    "3e4-calls": b"\x80\x05](" + b"cx\ny\n)R" * 30_000 + b"e.",
    "3e5-memos": b"\x80\x05N" + b"\x94" * 300_000 + b".",
}  # fmt: skip

ARRAY = b"\x80\x05\x8c\x16numpy.core.numeric\x94".replace(b"\x16", b"\x12")


def array(shape: tuple[int, ...], dtype: str, data: bytes, order: str = "C") -> bytes:
    """A pickle of an array as numpy makes one of a buffer, of other shape and type."""
    from numpy._core.numeric import _frombuffer  # type: ignore[attr-defined]

    class Array:
        def __reduce__(self) -> Any:
            import numpy

            return _frombuffer, (data, numpy.dtype(dtype), shape, order)

    return pickle.dumps(Array(), 5)


ARRAYS = {
    "shape-2^40": array((2**40,), "f8", b"12345678"),
    "shape-negative": array((-1,), "f8", b"12345678"),
    "shape-overflows": array((2**32, 2**32), "u1", b"1"),
    "shape-of-1000-dimensions": array((1,) * 1000, "u1", b"1"),
    "shape-zero-times-2^60": array((0, 2**60), "f8", b""),
    "objects": array((1,), "O", b"12345678"),
    "void-of-2-GiB": array((1,), "V2000000000", b"1"),
    "text-of-2^28": array((1,), "U268435456", b"1"),
    "fields": array((1,), "f4,f4,f4", b"1" * 12),
    "order-unknown": array((1,), "u1", b"1", "Z"),
}  # fmt: skip


def stored(
    stream: bytes, serializer: str = PICKLE, kind: str = "evil.Thing", **facts: Any
) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.origin = bytes(16)  # runs of somebody else
        for more in (b"", b"\x80\x05K\x01."):
            made.run(
                values=[
                    made.artifact(
                        more + stream if not more else stream[: len(stream) // 2] + more,
                        serializer,
                        kind=kind,
                        **facts,
                    )
                ]
            )
        made.run(values=[made.artifact(stream, serializer, kind=kind, **facts)])

    return forge


def npy(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled(Evil(), 2)


def torch_zip() -> bytes:
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("archive/data.pkl", pickled(Evil(), 2))
        file.writestr("../../evil", b"evil")
    return out.getvalue()


HELD = {
    "npy-of-objects": (npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"), BYTES, {}),
    "npy-header-of-code": (npy(b"__import__('os').system('" + COMMAND.encode() + b"')\n"), BYTES, {}),
    "npy-as-a-file": (npy(b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}\n"), FILE, {"path": "x.npy"}),
    "pickle-as-bytes": (pickled(Evil(), 5), BYTES, {}),
    "pickle-as-a-file": (pickled(Evil(), 5), FILE, {"path": "model.pkl"}),
    "pickle-said-to-be-a-number": (pickled(Evil(), 5), PICKLE, {"kind": "int"}),
    "pickle-said-to-be-an-array": (pickled(Evil(), 5), PICKLE, {"kind": "numpy.ndarray"}),
    "pickle-said-to-be-a-table": (pickled(Evil(), 5), PICKLE, {"kind": "pandas.core.frame.DataFrame"}),
    "pickle-said-to-be-a-polars-table": (pickled(Evil(), 5), PICKLE, {"kind": "polars.dataframe.frame.DataFrame"}),
    "pickle-said-to-be-an-arrow-table": (pickled(Evil(), 5), PICKLE, {"kind": "pyarrow.lib.Table"}),
    "pickle-said-to-be-a-tensor": (pickled(Evil(), 5), PICKLE, {"kind": "torch.Tensor"}),
    "pickle-said-to-be-a-picture": (pickled(Evil(), 5), PICKLE, {"summary": Summary(media="image/png")}),
    "torch-file": (torch_zip(), FILE, {"path": "model.pt"}),
    "svg-with-a-script": (b"<svg onload='alert(1)'><script>alert(1)</script></svg>", BYTES, {"summary": Summary(media="image/svg+xml")}),
}  # fmt: skip

ROWS = [
    *(Row(f"calls-{name}", stored(stream)) for name, stream in CALLS.items()),
    *(Row(f"nonsense-{name}", stored(stream)) for name, stream in NONSENSE.items()),
    *(Row(f"large-{name}", stored(stream)) for name, stream in LARGE.items()),
    *(
        Row(f"array-{name}", stored(stream, kind="numpy.ndarray"))
        for name, stream in ARRAYS.items()
    ),
    *(
        Row(f"held-{name}", stored(stream, how, **facts))
        for name, (stream, how, facts) in HELD.items()
    ),
]

COMMANDS = (
    "log", "log --stat", "show", "show --json", "show @/start/1/x", "show @/start/1/x --json",
    "diff @{-1} @", "diff @{-1} @ --json", "diff @{-2} @", "ls -l @/start/1", "cat @/start/1/x",
    "cat --raw @/start/1/x", "du --artifacts", "grep os --artifacts", "whence @/start/1/x",
    "blame Flow artifact start/x", "fsck --data", "gc --dry-run", "clone @ ../out/data --data",
)  # fmt: skip


FEW = ("show @/start/1/x", "diff @{-1} @", "cat --raw @/start/1/x", "clone @ ../out/data --data")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_a_pickle_names_is_not_run_by_looking_at_it(site: Site, row: Row, long: bool) -> None:
    heavy = row.id in ("large-1e7-empty-lists", "large-4e6-empty-texts")
    commands = COMMANDS if long or row.id.startswith("calls") else FEW
    done = try_row(site, row._replace(commands=commands, heavy=heavy), long)
    assert canaries(site) == []
    assert done["cat --raw @/start/1/x"].status == 0  # its bytes are never lost
    assert done["clone @ ../out/data --data"].status == 0
    for line in ("show @/start/1/x", "diff @{-1} @"):
        assert done[line].status == 0
        assert len(done[line].out) < 100_000


def canaries(site: Site) -> list[Path]:
    return list(site.root.rglob(CANARY))


def test_a_load_that_was_asked_for_runs_it(site: Site) -> None:
    """So the canary is one."""
    stored(CALLS["reduce-5"])(site.forge())
    site.visit([["cat", "--load", "--trust", "@/start/1/x"]], check=False)
    assert canaries(site) != []


@pytest.mark.parametrize(
    ("stream", "says"),
    [
        (old(b"cno.such_module\nThing\n)R"), "no.such_module"),
        (old(b"ccollections\nNoSuchClass\n)R"), "NoSuchClass"),
        (b"Pevil\n.", "persistent"),
        (b"\x82\x01.", "extension"),
        (pickled([1], 5) + b"more", "behind the end"),
        (old(b"cbuiltins\nint\n(S'x'\ntR"), "ValueError"),
        (b"", "EOFError"),
    ],
)
def test_a_load_that_fails_names_what_it_lacks(site: Site, stream: bytes, says: str) -> None:
    made = site.forge()
    made.run(values=[made.artifact(stream, PICKLE)])
    done = site.visit([["cat", "--load", "@/start/1/x"], ["cat", "--raw", "@/start/1/x"]])
    assert done["cat --load @/start/1/x"].status in (1, 5)
    assert says in done["cat --load @/start/1/x"].err
    assert done["cat --raw @/start/1/x"].status == 0


def test_every_reader_passes_a_pickle_by(site: Site) -> None:
    stored(CALLS["reduce-5"], kind=f"evil.{NAME}")(site.forge())
    site.visit(readers())
    assert canaries(site) == []


@pytest.mark.parametrize(
    "act", ["os._exit(7)", "os.kill(os.getpid(), 9)", "os.fork()", "print('x')", "os.close(1)"]
)
def test_a_load_that_ends_the_process_hurts_no_repository(site: Site, act: str) -> None:
    made = site.forge()
    stream = old(b"cbuiltins\nexec\n(S'import os; " + act.replace("'", '"').encode() + b"'\ntR")
    made.run(values=[made.artifact(stream, PICKLE)])
    site.visit([["cat", "--load", "@/start/1/x"]], check=False)
    done = site.visit([["fsck", "--data"], ["tag", "best", "@"], ["gc"]])
    assert {one.status for one in done.values()} == {0}
