"""Asking pip which file an index serves for a version: its address and hash.

Nothing is installed, and no code of a package runs: only wheels are asked for, since pip runs what
a source archive holds to learn its name. The one place that reaches out to a network, and only for
who asked for it.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from mfv.capture.secrets import strip_credentials
from mfv.errors import NotFoundError, StorageError

_GONE = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)==")


class Served(NamedTuple):
    """The file of one package."""

    url: str  # without credentials
    sha256: str  # hex


class Answer(NamedTuple):
    """What an index has of the versions that were asked for."""

    files: dict[str, Served]  # by name of package
    gone: tuple[str, ...]  # packages without a wheel of that version for this Python


def find_files(versions: Mapping[str, str]) -> Answer:
    """The wheels that pip would install here for `versions`, by name of package.

    pip's own settings say which index that is. Takes seconds. Raises NotFoundError without pip,
    StorageError with pip's words where it cannot reach the index.
    """
    left, gone = dict(versions), list[str]()
    while left:
        status, report, errors = _ask(left)
        if status == 0:
            return Answer(_files(report), tuple(gone))
        found = _GONE.search(errors)
        name = re.sub(r"[-_.]+", "-", found[1]).lower() if found is not None else ""
        if name not in left:
            raise _failed(errors)
        gone.append(name)
        del left[name]
    return Answer({}, tuple(gone))


def _ask(versions: Mapping[str, str]) -> tuple[int, bytes, str]:
    import subprocess

    with tempfile.TemporaryDirectory(prefix="mfv-pip-") as folder:
        asked, answer = os.path.join(folder, "asked.txt"), os.path.join(folder, "answer.json")
        with open(asked, "w", encoding="utf-8") as file:
            file.writelines(f"{name}=={version}\n" for name, version in versions.items())
        command = [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *("--no-deps", "--only-binary", ":all:", "--no-input", "--disable-pip-version-check"),
            *("--quiet", "--report", answer, "-r", asked),
        ]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, cwd=folder, check=False
        )
        report = b""
        if done.returncode == 0:
            with open(answer, "rb") as written:
                report = written.read()
    return done.returncode, report, done.stderr.decode("utf-8", "replace")


def _failed(errors: str) -> Exception:
    if "No module named pip" in errors:
        return NotFoundError(
            "this Python has no pip to ask", hint="`python -m ensurepip` brings it"
        )
    lines = [line for line in errors.splitlines() if line.startswith("ERROR:")] or [errors]
    words = lines[-1].removeprefix("ERROR:").strip()[:500]
    return StorageError(
        f"pip could not tell the files of the packages: {words}",
        hint="without --resolve no index is asked",
    )


def _files(report: bytes) -> dict[str, Served]:
    """The addresses and hashes in a report of pip; what has none is left out."""
    try:
        items = msgspec.json.decode(report, type=_Report).install
    except msgspec.DecodeError as error:
        raise StorageError(f"pip's report cannot be read: {error}") from None
    found = {}
    for item in items:
        info = item.download_info.archive_info
        digest = info.hashes.get("sha256", "") if info is not None else ""
        if re.fullmatch(r"[0-9a-f]{64}", digest):
            name = re.sub(r"[-_.]+", "-", item.metadata.name).lower()
            found[name] = Served(strip_credentials(item.download_info.url), digest)
    return found


class _Archive(msgspec.Struct):
    hashes: dict[str, str] = {}


class _Download(msgspec.Struct):
    url: str
    archive_info: _Archive | None = None


class _Metadata(msgspec.Struct):
    name: str


class _Item(msgspec.Struct):
    download_info: _Download
    metadata: _Metadata


class _Report(msgspec.Struct):
    install: list[_Item] = []
