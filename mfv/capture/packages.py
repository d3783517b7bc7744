"""The installed packages: versions, and where each came from, out of their metadata folders.

Names and versions are the names of the folders; sources are in small files beside, which are read
once and noted in a cache until the folder that holds them changes.
"""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from mfv.capture.notes import read_notes, write_notes
from mfv.capture.secrets import strip_credentials
from mfv.capture.text import printable
from mfv.ids import BlobId

EXTENSIONS = "mfv.extensions"
"""The group of entry points by which packages extend mfv."""

_SETTLED = 2_000_000_000  # ns after which a change of a folder must show in its time
_MOST_FOLDERS = 64
_NAME = "packages"
_BY_INSTALLER = re.compile(
    rb"\.dist-info/(?:INSTALLER|RECORD|REQUESTED|direct_url\.json|provenance_url\.json"
    rb"|uv_build\.json|uv_cache\.json),"
)


class Package(msgspec.Struct, frozen=True, order=True):
    """One installed distribution."""

    name: str  # lower-case, runs of - _ . as one -
    version: str


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an installed package came from; the fields are those of the record."""

    name: str
    kind: str = "index"  # index, archive, directory, vcs
    installer: str = ""
    wheel: str = ""
    content: bytes = b""
    url: str = ""
    hashes: tuple[str, ...] = ()
    editable: bool = False
    vcs: str = ""
    commit: str = ""
    revision: str = ""
    subdirectory: str = ""


class Installed(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known of one package."""

    package: Package
    source: Source
    extensions: tuple[str, ...] = ()  # names of entry points in the group EXTENSIONS
    blas: str = ""  # of numpy: the name and version of what it was built with


class _Folder(msgspec.Struct, frozen=True):
    """What was found in one folder of the path, and how to tell that it is still so."""

    stamp: tuple[int, int, int]  # device, inode, ns of the last change
    installed: tuple[Installed, ...]


def find_installed(path: Iterable[str], cache: str | None = None) -> tuple[Installed, ...]:
    """The distributions in the folders of `path`, sorted by name.

    Where several folders have the same one, the first wins, as it does for an import. `cache`: a
    folder where to note what was read; it may vanish at any time. Never raises.
    """
    began = time.time_ns()
    known = read_notes(cache, _NAME, dict[str, _Folder]) or {}
    found: dict[str, Installed] = {}
    new: dict[str, _Folder] = {}
    for name in dict.fromkeys(path):
        folder = os.path.abspath(name or ".")
        stamp = _stamp(folder)
        if stamp is None:
            continue  # missing, or a zip file
        noted = known.get(folder)
        if noted is None or noted.stamp != stamp:
            installed, lasts = _scan(folder)
            noted = _Folder(stamp, installed)
            # A change within the resolution of the clock would leave the time as it is.
            if lasts and began - stamp[2] >= _SETTLED:
                new[folder] = noted
        for one in noted.installed:
            found.setdefault(one.package.name, one)
    if new:
        kept = list((known | new).items())[-_MOST_FOLDERS:]
        write_notes(cache, _NAME, dict(kept))
    return tuple(found[name] for name in sorted(found))


def _stamp(folder: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    is_folder = status.st_mode & 0o170000 == 0o040000
    return (status.st_dev, status.st_ino, status.st_mtime_ns) if is_folder else None


def _scan(folder: str) -> tuple[tuple[Installed, ...], bool]:
    """The packages in one folder; and whether the folder's time tells of every change of them."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return (), False
    found, lasts = [], True
    for entry in names:
        # pip renames what it is about to remove to begin with ~.
        if entry.startswith("~"):
            continue
        one = None
        if entry.endswith(".dist-info"):
            one = _from_dist_info(folder, entry)
        elif entry.endswith(".egg-info"):
            one = _from_egg_info(folder, entry)
            lasts = lasts and "-" in entry.removesuffix(".egg-info")
        if one is not None and one.package.version:
            found.append(one)
    return tuple(found), lasts


def _from_dist_info(folder: str, entry: str) -> Installed | None:
    project, dash, version = entry.removesuffix(".dist-info").rpartition("-")
    place = f"{folder}/{entry}"
    try:
        files = frozenset(os.listdir(place)) if dash else frozenset()
    except OSError:
        return None
    # An uninstall that failed half-way leaves the folder without its METADATA.
    if "METADATA" not in files:
        return None
    name = _normalised(project)

    def read(file: str) -> bytes:
        return _read(f"{place}/{file}") if file in files else b""

    direct = _direct(read("direct_url.json"))
    index = {} if direct else _provenance(read("provenance_url.json"))
    is_editable = direct.get("editable") is True
    source = Source(
        name,
        **{**direct, **index},
        installer=_text(read("INSTALLER"))[:40].strip(),
        wheel="" if is_editable else _wheel_name(project, version, read("WHEEL")),
        content=b"" if is_editable else content_hash(read("RECORD")),
    )
    return Installed(
        Package(name, printable(version)),
        source,
        _extensions(read("entry_points.txt")),
        _blas(folder) if name == "numpy" else "",
    )


def _from_egg_info(folder: str, entry: str) -> Installed | None:
    name, dash, rest = entry.removesuffix(".egg-info").partition("-")
    project = _normalised(name)
    if dash:
        return Installed(Package(project, printable(rest.partition("-py")[0])), Source(project))
    # A development install has no version in its name, and lies in the folder of its code.
    place = f"{folder}/{entry}"
    package = Package(project, _version_in(f"{place}/PKG-INFO"))
    source = Source(project, "directory", url=_file_url(folder), editable=True)
    return Installed(package, source, _extensions(_read(f"{place}/entry_points.txt")))


def content_hash(record: bytes) -> bytes:
    """The hash that tells the files of one wheel from those of another; see docs/format.md.

    Empty where `record`, the text of RECORD, lists nothing.
    """
    lines = sorted(
        line
        for line in record.splitlines()
        # What has no hash was made while installing; what lies above was rewritten then.
        if not line.endswith(b",,")
        and not line.startswith((b"..", b'"..'))
        and b".pyc," not in line
        and _BY_INSTALLER.search(line) is None
        and line.strip()
    )
    return bytes(BlobId.of(b"".join(line + b"\n" for line in lines))) if lines else b""


def _direct(data: bytes) -> dict[str, Any]:
    """What direct_url.json says, in the fields of Source; empty without the file."""
    facts = _object(data)
    url = facts.get("url")
    if not isinstance(url, str):
        return {}
    found: dict[str, Any] = {"url": _address(url)}
    found["subdirectory"] = _string(facts, "subdirectory")
    if isinstance(vcs := facts.get("vcs_info"), dict):
        found |= {"kind": "vcs", "vcs": _string(vcs, "vcs"), "commit": _string(vcs, "commit_id")}
        found["revision"] = _string(vcs, "requested_revision")
    elif isinstance(folder := facts.get("dir_info"), dict):
        found |= {"kind": "directory", "editable": folder.get("editable") is True}
    else:
        found |= {"kind": "archive", "hashes": _hashes(facts.get("archive_info"))}
    return found


def _provenance(data: bytes) -> dict[str, Any]:
    """The file that an index gave, where an installer notes it."""
    facts = _object(data)
    url = facts.get("url")
    if not isinstance(url, str):
        return {}
    return {
        "url": _address(url),
        "hashes": _hashes(facts.get("archive_info")),
    }


def _address(url: str) -> str:
    """An address in ASCII, and without credentials."""
    if not url.isascii() or " " in url:
        from urllib.parse import quote

        url = quote(printable(url), safe="!#$%&'()*+,/:;=?@[]~")
    return strip_credentials(url)


def _hashes(info: object) -> tuple[str, ...]:
    if not isinstance(info, dict):
        return ()
    hashes = info.get("hashes")
    if isinstance(hashes, dict) and hashes:
        return tuple(sorted(f"{printable(str(n))}={printable(str(h))}" for n, h in hashes.items()))
    return (_string(info, "hash"),) if _string(info, "hash") else ()


def _wheel_name(project: str, version: str, wheel: bytes) -> str:
    """The name of the wheel, put together again from its tags; empty without any."""
    parts: tuple[dict[str, None], ...] = ({}, {}, {})
    build = ""
    for line in _text(wheel).splitlines():
        field, _, value = line.partition(":")
        if field == "Build":
            build = value.strip()
        if field == "Tag" and value.count("-") == 2:
            for part, tag in zip(parts, value.strip().split("-"), strict=True):
                part[tag] = None
    if not parts[0]:
        return ""
    tags = "-".join(".".join(part) for part in parts)
    return printable(f"{project}-{version}-{build + '-' if build else ''}{tags}.whl")


def _extensions(entry_points: bytes) -> tuple[str, ...]:
    """The names in the group EXTENSIONS of entry_points.txt."""
    if EXTENSIONS.encode() not in entry_points:
        return ()
    names, group = [], ""
    for line in _text(entry_points).splitlines():
        if line.startswith("["):
            group = line.strip().strip("[]").strip()
        elif group == EXTENSIONS and "=" in line and not line.startswith(("#", ";")):
            names.append(line.partition("=")[0].strip())
    return tuple(sorted(names))


def _blas(folder: str) -> str:
    """What numpy says in its own files that it was built with; it is not imported for this."""
    config = _text(_read(f"{folder}/numpy/__config__.py"))
    section = re.search(r"\"blas\":\s*\{(.*?)\}", config, re.S)
    if section is not None:
        facts = dict(re.findall(r"\"(name|version)\":\s*\"([^\"]*)\"", section[1]))
        return " ".join(facts[key] for key in ("name", "version") if facts.get(key))
    try:
        libraries = os.listdir(f"{folder}/numpy.libs")
    except OSError:
        return ""
    names = (re.match(r"lib\w*(openblas|mkl|blis|atlas)\w*", name) for name in sorted(libraries))
    return next((printable(name[0].removeprefix("lib")) for name in names if name), "")


def _version_in(path: str) -> str:
    for line in _text(_read(path)).splitlines():
        if not line.strip():
            break  # the description begins
        field, _, value = line.partition(":")
        if field == "Version":
            return value.strip()
    return ""


def _object(data: bytes) -> dict[str, object]:
    try:
        found = msgspec.json.decode(data) if data else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _string(facts: dict[str, object], key: str) -> str:
    value = facts.get(key)
    return printable(value) if isinstance(value, str) else ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.readall()
    except OSError:
        return b""


def _file_url(folder: str) -> str:
    from urllib.parse import quote

    return "file://" + quote(os.fsencode(folder))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", printable(name)).lower()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
