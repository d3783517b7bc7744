"""The comparison of two snapshots as data: it is empty, turned, and applied as algebra says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mfv.diff.code import FileChange, diff_trees, needed_blobs
from mfv.ids import BlobId
from mfv.manifest.records import Tree, TreeFile

Files = dict[bytes, tuple[int, bytes]]  # path to mode and content

LINES = st.sampled_from(
    [b"a", b"b", b"c", b"", b"  d", b"\\ No newline", b"-x", b"+y", b"@@", b"e\r"]
)
TEXT = st.builds(
    lambda lines, end: b"\n".join(lines) + (b"\n" if end and lines else b""),
    st.lists(LINES, max_size=8),
    st.booleans(),
)
ODD = st.sampled_from([b"\xff\xfe text\n", b"form\x0cfeed\n", "\u2028x\n".encode(), b"\x85\n"])
CONTENT = st.one_of(TEXT, TEXT, ODD, st.sampled_from([b"\0", b"bin\0ary\n"]))
MODES = st.sampled_from([0o100644, 0o100755])
FILES: st.SearchStrategy[Files] = st.dictionaries(
    st.sampled_from([b"a.py", b"b.py", b"sub/c.py", b"\xffodd", b"z"]),
    st.tuples(MODES, CONTENT),
    max_size=4,
)


def tree_of(files: Files) -> Tree:
    return Tree(
        tuple(
            TreeFile(path, mode, bytes(BlobId.of(data)), len(data))
            for path, (mode, data) in sorted(files.items())
        )
    )


def compared(before: Files, after: Files) -> tuple[FileChange, ...]:
    old, new = tree_of(before), tree_of(after)
    contents = {bytes(BlobId.of(d)): d for files in (before, after) for _, d in files.values()}
    wanted = needed_blobs(old, new)
    return diff_trees(old, new, {blob: contents[blob] for blob in wanted})


def applied(data: bytes, hunks: tuple[str, ...]) -> bytes:
    """`data` after a patch, by the book: every line that the patch keeps or removes must fit."""
    pieces = data.split(b"\n")
    lines = [*(piece + b"\n" for piece in pieces[:-1]), *([pieces[-1]] if pieces[-1] else [])]
    result: list[bytes] = []
    place = 0
    for number, hunk in enumerate(hunks):
        head = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@", hunk)
        raw = hunk.encode("utf-8", "surrogateescape")
        if head and (number == 0 or not _inside(hunks, number)):
            start = int(head[1]) if head[2] == "0" else int(head[1]) - 1
            result += lines[place:start]
            place = start
            continue
        if hunk.startswith("\\"):
            continue
        ended = number + 1 < len(hunks) and hunks[number + 1].startswith("\\")
        text = raw[1:] + (b"" if ended else b"\n")
        if hunk[0] in " -":
            assert lines[place] == text
            place += 1
        if hunk[0] in " +":
            result.append(text)
    return b"".join([*result, *lines[place:]])


def _inside(hunks: tuple[str, ...], number: int) -> bool:
    """Whether a line that looks like a head is a line of a hunk; each of those has a mark."""
    return hunks[number][:1] in " +-\\"


@given(FILES)
def test_a_snapshot_does_not_differ_from_itself(files: Files) -> None:
    assert compared(files, files) == ()


@given(FILES, FILES)
@settings(max_examples=300)
def test_the_other_way_round_is_the_inverse(before: Files, after: Files) -> None:
    assert compared(after, before) == tuple(change.inverse() for change in compared(before, after))
    assert all(change.inverse().inverse() == change for change in compared(before, after))


@given(FILES, FILES)
@settings(max_examples=300)
def test_every_difference_is_there_once_and_applying_it_gives_the_other_side(
    before: Files, after: Files
) -> None:
    changes = {change.path: change for change in compared(before, after)}
    differing = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    assert changes.keys() == differing
    for path, change in changes.items():
        old, new = before.get(path), after.get(path)
        assert (change.before is None, change.after is None) == (old is None, new is None)
        binary = any(side is not None and b"\0" in side[1] for side in (old, new))
        assert change.text == (not binary)
        if change.text:
            start, end = (b"" if side is None else side[1] for side in (old, new))
            assert applied(start, change.hunks) == end
            assert applied(end, change.inverse().hunks) == start
        else:
            assert change.hunks == ()


@given(FILES, FILES)
def test_a_change_of_the_mode_alone_is_told_as_such(before: Files, after: Files) -> None:
    for change in compared(before, after):
        same = change.path in before and change.path in after
        alike = same and before[change.path][1] == after[change.path][1]
        expected = {(False, False): {"added", "removed"}, (True, False): {"changed"}}
        assert change.status in expected.get((same, alike), {"mode"})
        if change.status == "mode":
            assert (change.hunks, change.added, change.removed) == ((), 0, 0)


@given(TEXT, TEXT)
def test_lines_are_counted_as_the_hunks_have_them(old: bytes, new: bytes) -> None:
    for change in compared({b"f": (0o100644, old)}, {b"f": (0o100644, new)}):
        grown = len(new.split(b"\n")) - len(old.split(b"\n"))
        ends = new.endswith(b"\n") or not new, old.endswith(b"\n") or not old
        assert change.added - change.removed == grown + ends[1] - ends[0]


PATCHES = [
    (b"one\ntwo\nthree\n", b"one\n2\nthree\n"),
    (b"", b"new\nfile\n"),
    (b"old\n", b""),
    (b"no end", b"no end\n"),
    (b"an end\n", b"an end"),
    (b"both\nwithout", b"both\nwith out"),
    (b"".join(b"%d\n" % n for n in range(60)), b"".join(b"%d\n" % n for n in range(0, 60, 7))),
    (b"form\x0cfeed\nx\n", b"form\x0cfeed\ny\n"),
    (b"\xff\xfe\nx\n", b"\xff\xfe\ny\n"),
    (b"carriage\r\nreturn\r\n", b"carriage\r\nreturns\r\n"),
]


@pytest.mark.parametrize(("old", "new"), PATCHES)
def test_git_applies_the_hunks_too(tmp_path: Path, old: bytes, new: bytes) -> None:
    for before, after in ((old, new), (new, old)):
        (change,) = compared({b"f": (0o100644, before)}, {b"f": (0o100644, after)})
        body = "".join(f"{line}\n" for line in change.hunks).encode("utf-8", "surrogateescape")
        (tmp_path / "f").write_bytes(before)
        command = ["git", "apply", "--whitespace=nowarn", "--unidiff-zero", "-"]
        patch = b"--- a/f\n+++ b/f\n" + body
        done = subprocess.run(command, cwd=tmp_path, input=patch, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert (tmp_path / "f").read_bytes() == after


def test_a_file_too_large_for_lines_is_compared_as_a_whole() -> None:
    old, new = b"x\n" * (1 << 20), b"x\n" * (1 << 20) + b"y\n"
    before, after = tree_of({b"f": (0o100644, old)}), tree_of({b"f": (0o100644, new)})
    assert needed_blobs(before, after) == {bytes(BlobId.of(old))}
    (change,) = compared({b"f": (0o100644, old)}, {b"f": (0o100644, new)})
    assert (change.status, change.text, change.hunks) == ("changed", False, ())


def test_content_that_is_missing_counts_as_binary() -> None:
    before, after = tree_of({b"f": (0o100644, b"a\n")}), tree_of({b"f": (0o100644, b"b\n")})
    (change,) = diff_trees(before, after, {})
    assert (change.status, change.text) == ("changed", False)
