"""Changed files as a patch that `git apply` takes."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Mapping

from mfv.diff.code import FileChange
from mfv.manifest.records import TreeFile

_LINE = 52  # bytes of a line of a binary patch
_PLAIN = {ord("\t"): b"\\t", ord("\n"): b"\\n", ord('"'): b'\\"', ord("\\"): b"\\\\"}


def patch_bytes(files: Iterable[FileChange], contents: Mapping[bytes, bytes]) -> bytes:
    """A patch from the files before to those after.

    `contents`: the bytes of the blobs that differ, for what is no text.
    """
    return b"".join(_file(change, contents) for change in files)


def _file(change: FileChange, contents: Mapping[bytes, bytes]) -> bytes:
    before, after = change.before, change.after
    if before is not None and after is not None and _kind(before) != _kind(after):
        # git knows no change from a file to a link: one goes, and the other comes.
        gone = _whole(change.path, before, contents, came=False)
        return gone + _whole(change.path, after, contents, came=True)
    old, new = _name(b"a/", change.path), _name(b"b/", change.path)
    lines = [b"diff --git " + old + b" " + new]
    lines += _modes(before, after)
    if change.text and change.hunks:
        lines += [b"--- " + _head(old if before else None), b"+++ " + _head(new if after else None)]
        lines += [line.encode("utf-8", "surrogateescape") for line in change.hunks]
    elif not change.text:
        sides = [b"" if one is None else contents.get(one.blob) for one in (before, after)]
        if None in sides:
            return b""  # damaged, and told elsewhere
        lines += _binary(sides[0] or b"", sides[1] or b"", before, after)
    return b"\n".join(lines) + b"\n"


def _whole(path: bytes, file: TreeFile, contents: Mapping[bytes, bytes], *, came: bool) -> bytes:
    """A file that comes, or goes, as a binary patch: that needs no lines."""
    before, after = (None, file) if came else (file, None)
    data = contents.get(file.blob, b"")
    lines = [b"diff --git " + _name(b"a/", path) + b" " + _name(b"b/", path)]
    lines += _modes(before, after)
    lines += _binary(b"" if came else data, data if came else b"", before, after)
    return b"\n".join(lines) + b"\n"


def _kind(file: TreeFile) -> int:
    return file.mode & 0o170000


def _modes(before: TreeFile | None, after: TreeFile | None) -> list[bytes]:
    if before is None and after is not None:
        return [b"new file mode %o" % after.mode]
    if after is None and before is not None:
        return [b"deleted file mode %o" % before.mode]
    assert before is not None and after is not None
    if before.mode == after.mode:
        return []
    return [b"old mode %o" % before.mode, b"new mode %o" % after.mode]


def _head(name: bytes | None) -> bytes:
    if name is None:
        return b"/dev/null"
    return name + b"\t" if b" " in name else name


def _name(prefix: bytes, path: bytes) -> bytes:
    """A path as git writes it: quoted where a byte of it is none of plain ASCII."""
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in path):
        return prefix + path
    quoted = b"".join(
        _PLAIN.get(byte) or (bytes([byte]) if 0x20 <= byte < 0x7F else b"\\%03o" % byte)
        for byte in path
    )
    return b'"' + prefix + quoted + b'"'


def _binary(old: bytes, new: bytes, before: TreeFile | None, after: TreeFile | None) -> list[bytes]:
    ids = [
        b"0" * 40 if one is None else _git_id(data) for one, data in ((before, old), (after, new))
    ]
    if ids[0] == ids[1]:
        return []
    index = b"index " + ids[0] + b".." + ids[1]
    return [index, b"GIT binary patch", *_literal(new), b"", *_literal(old), b""]


def _literal(data: bytes) -> list[bytes]:
    packed = zlib.compress(data)
    lines = [b"literal %d" % len(data)]
    for start in range(0, len(packed), _LINE):
        piece = packed[start : start + _LINE]
        size = len(piece)
        mark = 64 + size if size <= 26 else 96 + size - 26
        lines.append(bytes([mark]) + base64.b85encode(piece, pad=True))
    return lines


def _git_id(data: bytes) -> bytes:
    """The name that git gives a blob; `usedforsecurity`: nothing here relies on it."""
    head = b"blob %d\0" % len(data)
    return hashlib.sha1(head + data, usedforsecurity=False).hexdigest().encode()
