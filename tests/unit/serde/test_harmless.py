"""Pickles that nobody vouches for: what is data alone is made, all else refused by its name."""

from __future__ import annotations

import collections
import copyreg
import datetime
import decimal
import fractions
import io
import os
import pathlib
import pickle
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mfv.errors import UntrustedError
from mfv.serde import harmless, harmlesstypes
from mfv.serde.pickle5 import dump

UTC = datetime.UTC

DATA: list[Any] = [
    None,
    True,
    -(10**30),
    1.5,
    "text",
    b"bytes",
    bytearray(b"more"),
    [1, [2, ()]],
    (1, (2, [3])),
    {"a": {1: (2, 3)}, (1, "b"): [4]},
    {1, 2},
    frozenset({"a"}),
    1 + 2j,
    range(1, 10, 2),
    slice(1, None, 2),
    int,
    collections.OrderedDict([("b", 1), ("a", 2)]),
    collections.defaultdict(list, {"a": [1]}),
    collections.Counter("aab"),
    collections.deque([1, 2]),
    collections.deque([1, 2], 5),
    datetime.date(2026, 11, 26),
    datetime.time(1, 2, 3, 4),
    datetime.datetime(2026, 11, 26, 1, 2, 3, 4),
    datetime.datetime(2026, 11, 26, tzinfo=UTC),
    datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=1), "X")),
    datetime.timedelta(1, 2, 3),
    decimal.Decimal("1.50"),
    fractions.Fraction(2, 3),
    uuid.UUID(int=5),
    pathlib.Path("a/b"),
    pathlib.PureWindowsPath("C:/a"),
    pathlib.PurePosixPath("a/b"),
    "x" * 100_000,
    b"y" * 100_000,
    bytearray(b"z" * 100_000),
]

ARRAYS: list[Any] = [
    np.arange(5),
    np.arange(12.0).reshape(3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(60_000, dtype=np.float32),
    np.arange(60_000).reshape(200, 300).transpose(),
    np.arange(24_000).reshape(20, 30, 40).transpose(0, 2, 1),
    np.array([[True, False]]),
    np.array(["a", "bc"]),
    np.array([b"a", b"bc"]),
    np.array([1 + 2j]),
    np.array(["2026-11-26", "NaT"], "M8[ns]"),
    np.arange(60_000).astype("m8[us]"),
    np.zeros((0, 3)),
    np.array(5),
    np.arange(5, dtype=">i4"),
]


@pytest.mark.parametrize("value", DATA, ids=lambda value: type(value).__name__)
def test_data_comes_back_as_it_was(value: Any) -> None:
    found: Any = harmless.load([frame.data for frame in dump(value, name="self.x")])
    assert (type(found), found) == (type(value), value)
    if isinstance(value, collections.deque):
        assert found.maxlen == value.maxlen


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype}{value.shape}")
def test_an_array_comes_back_as_it_was_and_can_be_written_to(value: Any) -> None:
    frames = [memoryview(bytearray(frame.data)) for frame in dump(value, name="self.x")]
    found: Any = harmless.load(frames)
    np.testing.assert_array_equal(found, value)
    assert (found.dtype, found.flags.writeable) == (value.dtype, True)


@pytest.mark.parametrize("value", [np.float64(1.5), np.int8(3), np.datetime64("2026-11-26")])
def test_a_number_of_numpy_comes_back(value: Any) -> None:
    found = harmless.load([frame.data for frame in dump({"n": value}, name="self.x")])
    assert found == {"n": value}


def test_what_was_shared_is_shared_again_and_what_held_itself_does() -> None:
    shared = [1]
    loop: list[Any] = [shared, shared]
    loop.append(loop)
    found: Any = harmless.load([frame.data for frame in dump(loop, name="self.x")])
    assert found[0] is found[1]
    assert found[2] is found


class Mine:
    def __init__(self) -> None:
        self.a = 1


def refusal(*frames: bytes) -> str:
    with pytest.raises(UntrustedError) as caught:
        harmless.load(frames)
    return caught.value.message


def test_a_class_of_somebodys_own_is_named() -> None:
    assert f"{Mine.__module__}.Mine" in refusal(*(bytes(f.data) for f in dump(Mine(), name="x")))


class Evil:
    """Runs a command where it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_call_is_refused_by_its_name_and_not_made(tmp_path: Path, protocol: int) -> None:
    canary = tmp_path / "canary"
    told = refusal(pickle.dumps({"model": [Evil(canary)]}, protocol))
    assert f"{os.system.__module__}.system" in told
    assert not canary.exists()


def written(text: str) -> bytes:
    """A pickle by hand: the canary is written by whoever calls `os.system`."""
    return text.encode("latin-1")


@pytest.mark.parametrize(
    ("stream", "named"),
    [
        (written("(S'true'\nios\nsystem\n."), "os.system"),  # INST
        (written("(cos\nsystem\nS'true'\no."), "os.system"),  # OBJ
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "os.system"),
        (written("cbuiltins\neval\n(S'1'\ntR."), "builtins.eval"),
        (written("cbuiltins\ngetattr\n(cbuiltins\nstr\nS'format'\ntR."), "builtins.getattr"),
        (written("cbuiltins\ngetattr\n(cos\nS'system'\ntR."), "builtins.getattr"),
        (written("cnumpy\nload\n(S'/etc/passwd'\ntR."), "numpy.load"),
        (written("cnumpy\nndarray.tofile\n(NS'x'\ntR."), "numpy.ndarray.tofile"),
        (written("cos\nsystem\n."), "os.system"),  # merely named, and never called
        (written("cbuiltins\nprint\n."), "builtins.print"),
        (written("ccollections\nOrderedDict\n)R}S'a'\ncos\nsystem\nsb."), "os.system"),
    ],
)
def test_every_form_of_naming_is_looked_at(stream: bytes, named: str) -> None:
    assert named in refusal(stream)


@pytest.mark.parametrize(
    "stream",
    [
        b"Pid\n.",  # a persistent id
        b"\x80\x02Kx\x51.",
        b"\x80\x02\x82\x01.",  # an extension code
        pickle.dumps(1) + pickle.dumps(2),  # a second pickle
        pickle.dumps([1]) + b"x",
        pickle.dumps([1])[:-1],
        b"",
        b"\x80\x05\x8e" + (2**62).to_bytes(8, "little") + b"x.",  # a claim of 4 EiB
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",  # nested 100,000 times
        b"cdecimal\nDecimal\n(S'x'\ntR.",
        b"cfractions\nFraction\n(S'1e99999999'\ntR.",
        b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.",  # bytes(2**31 - 1)
        b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.",
        b"cbuiltins\nset\n(cbuiltins\nrange\n(K\x00J\xff\xff\xff\x7fK\x01tRtR.",
        b"ccollections\ndefaultdict\n(cbuiltins\nprint\ntR.",
        b"cbuiltins\nint\n(S'1'\ntR.",
        b"}]Ns.",  # a list as a key
    ],
)
def test_what_mfv_never_writes_is_refused(stream: bytes) -> None:
    assert refusal(stream)


def test_an_extension_that_python_knows_already_is_refused_too() -> None:
    copyreg.add_extension("os", "system", 240)
    try:
        data = pickle.dumps(os.system, 2) if os.system.__module__ == "os" else b"\x80\x02\x82\xf0."
        assert refusal(data)
    finally:
        copyreg.remove_extension("os", "system", 240)


def array_pickle(**wrong: Any) -> bytes:
    """An array as numpy writes it, with something else in one place."""
    given = {"shape": (2,), "kind": "f8", "fields": None, "flags": 0, "data": bytes(16), **wrong}
    names = None if given["fields"] is None else tuple(given["fields"])

    class Dtype:
        def __reduce__(self) -> Any:
            state = (3, "<", None, names, given["fields"], -1, -1, given["flags"])
            return np.dtype, (given["kind"], False, True), state

    class Array:
        def __reduce__(self) -> Any:
            made = np.arange(2).__reduce__()[0]
            state = (1, given["shape"], Dtype(), False, given["data"])
            return made, (np.ndarray, (0,), b"b"), state

    return pickle.dumps(Array(), 5)


def test_the_array_by_hand_is_one() -> None:
    np.testing.assert_array_equal(harmless.load([array_pickle()]), np.zeros(2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (2**40,)},
        {"shape": (-1,)},
        {"shape": (2**63, 0)},
        {"kind": "O8"},  # pointers out of the stream
        {"kind": "V8"},
        {"kind": "V8", "fields": {"a": (np.dtype("O"), 0)}},
        {"data": bytes(8)},
        {"data": [1, 2]},
        {"kind": "f8,O"},
        {"kind": "U999999999"},
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(wrong: dict[str, Any]) -> None:
    assert refusal(array_pickle(**wrong))


def test_a_key_that_would_take_ages_to_hash_is_refused() -> None:
    key: Any = (1,)
    for _ in range(40):
        key = (key, key)
    # Its hash visits 2**40 values, so it is put together by hand.
    inner = pickle.dumps(key, 4)
    stream = inner[:2] + b"}" + inner[11:-1] + b"Ns."
    out = io.BytesIO()
    out.write(stream)
    assert "key" in refusal(out.getvalue())


def test_a_memo_of_a_huge_number_takes_no_memory() -> None:
    assert harmless.load([b"\x80\x02]r\xff\xff\xff\x7f\x85."]) == ([],)


@pytest.mark.parametrize("name", harmlesstypes.MAKERS)
def test_every_name_on_the_list_is_one_that_a_test_here_has_made(name: str) -> None:
    elsewhere = ("numpy.core", "numpy._core", "pathlib._local")  # of other versions
    values = [*DATA, *ARRAYS, np.float64(1)]
    streams = b"".join(bytes(dump(value, name="x")[0].data) for value in values)
    streams += pickle.dumps([{1}, frozenset({1})], 2)
    assert name.rpartition(".")[2].encode() in streams or name.startswith(elsewhere)


def test_nothing_is_imported_by_a_name_of_the_stream(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("open('canary', 'w')\n")
    code = (
        "from mfv.serde import harmless\nfrom mfv.errors import UntrustedError\n"
        "try:\n    harmless.load([b'cplanted\\nThing\\n)R.'])\n"
        "except UntrustedError as error:\n    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "planted.Thing" in done.stdout
    assert not (tmp_path / "canary").exists()
