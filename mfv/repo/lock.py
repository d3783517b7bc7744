"""What was installed for a run, as files that installers read. Pure: the record alone decides.

A record may come from anybody: nothing of it is written but in forms that are checked here, since
a requirements file is read by line and may hold options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mfv.capture.pep440 import is_version, public_version
from mfv.manifest.records import Environment, Source

WHEELS = "wheels"
"""The folder beside `pylock.toml` in which wheels are looked for that have no known address."""

CONTENT_HASH = "blake3-of-record"
"""Names the hash in a lock that is not one of the file: see `content` in docs/format.md."""

_SCHEME = r"(?:https?|file|ssh|git|hg|svn|bzr|sftp)(?:\+(?:https?|file|ssh))?"


class File(NamedTuple):
    """A file that an index serves for one package."""

    url: str
    sha256: str  # hex


class Entry(NamedTuple):
    """One package of an environment: what is recorded of it, or why it can be in no lock."""

    name: str
    version: str
    source: Source
    trouble: str = ""


def entries(environment: Environment) -> list[Entry]:
    """Every package, sorted by name; those with `trouble` no installer can be asked for."""
    sources = {source.name: source for source in environment.sources}
    found = []
    for package in environment.packages:
        source = sources.get(package.name, Source(package.name))
        trouble = _trouble(package.name, package.version, source)
        found.append(Entry(package.name, package.version, source, trouble))
    return found


def requirements(environment: Environment) -> str:
    """`environment` as a requirements file for pip or uv: comments, then one line a package.

    An exact version, or the address with the commit or hash where a package came from elsewhere
    than an index; editable ones as `-e`. What cannot be asked for is a comment.
    """
    found = entries(environment)
    lines = [
        f"# python {_plain(environment.python)} ({_plain(environment.implementation)})",
        f"# platform {_plain(_platform(environment))}",
        *(_requirement(entry) for entry in found if not entry.trouble),
        *(
            f"# left out: {_plain(entry.name)} {_plain(entry.version)}: {entry.trouble}"
            for entry in found
            if entry.trouble
        ),
    ]
    return "\n".join(lines) + "\n"


def pylock(environment: Environment, files: Mapping[str, File] | None = None) -> str:
    """`environment` as a `pylock.toml` (PEP 751) for the Python and machine that it was.

    An installer leaves no note of the file that it took from an index. Such a package stands with
    the name of its wheel in the folder WHEELS and with CONTENT_HASH, which no installer takes for
    the hash of a file, so it refuses rather than installs something else. With `files`, by name
    of package, it has the address and hash of its file. What can be in no lock is told under
    `tool.mfv.left-out`, with the reason.
    """
    known = {} if files is None else files
    lines = ['lock-version = "1.0"']
    marker = _marker(environment)
    if marker:
        lines.append(f"environments = [{_text(marker)}]")
    python = re.match(r"(\d+)\.(\d+)", environment.python, re.ASCII)
    if python is not None:
        lines.append(f"requires-python = {_text(f'=={python[1]}.{python[2]}.*')}")
    lines.append('created-by = "mfv"')
    left_out, blocks = [], []
    for entry in entries(environment):
        block = None if entry.trouble else _block(entry, known.get(entry.name))
        if block is None:
            reason = entry.trouble or "no list of its files was found"
            left_out.append((entry.name, entry.version, reason))
        else:
            blocks.append(block)
    lines += [] if blocks else ["packages = []"]
    for block in blocks:
        lines += ["", *block]
    lines += ["", "[tool.mfv]", f"python = {_text(environment.python)}"]
    lines.append(f"implementation = {_text(environment.implementation)}")
    lines.append(f"platform = {_text(_platform(environment))}")
    for name, version, reason in left_out:
        lines += ["", "[[tool.mfv.left-out]]", f"name = {_text(name)}"]
        lines += [f"version = {_text(version)}", f"reason = {_text(reason)}"]
    return "\n".join(lines) + "\n"


def wants_file(entry: Entry) -> bool:
    """Whether a package came from an index, and nobody noted from which file."""
    source = entry.source
    return not entry.trouble and source.kind == "index" and not any(map(_is_hash, source.hashes))


def is_same_file(entry: Entry, url: str) -> bool:
    """Whether the file at `url` is the wheel that was installed, as far as its tags tell."""
    name = _name(url)
    return _is_wheel_of(name, entry) and _tags(name) == _tags(entry.source.wheel)


def _tags(wheel: str) -> list[set[str]]:
    """The tags of a wheel; the order within a part says nothing."""
    return [set(part.split(".")) for part in wheel.removesuffix(".whl").split("-")[2:]]


def _trouble(name: str, version: str, source: Source) -> str:
    if not re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", name):
        return "its name is none that packages have"
    if source.kind == "index":
        if source.url and not _is_url(source.url):
            return "its address is none that an installer takes"
        return "" if is_version(version) else "its version is none that packages have"
    is_folder = source.kind == "directory"
    if not _is_url(source.url) or (is_folder and not source.url.lower().startswith("file:///")):
        return "its address is none that an installer takes"
    if not re.fullmatch(r"[\w./ -]*", source.subdirectory) or ".." in source.subdirectory:
        return "its subdirectory is none that an installer takes"
    if source.kind == "vcs" and not (
        source.vcs in ("git", "hg", "svn", "bzr") and re.fullmatch(r"[\w.:@-]+", source.commit)
    ):
        return "its commit is not known"
    return ""


def _is_url(text: str) -> bool:
    """Whether `text` is an address in one word, which an installer takes as it is."""
    return re.fullmatch(rf"{_SCHEME}:[\x21-\x7e]+", text, re.IGNORECASE) is not None


def _requirement(entry: Entry) -> str:
    source = entry.source
    if source.kind == "index":
        return f"{entry.name}=={entry.version}"
    # Installers put variables of the environment in the place of `${NAME}`.
    url = source.url.replace("$", "%24").replace("#", "%23")
    parts = []
    if source.kind == "vcs":
        url = f"{source.vcs}+{url}@{source.commit}"
    if source.kind == "archive":
        parts += [digest for digest in source.hashes if _is_hash(digest)][:1]
    if source.subdirectory:
        parts.append(f"subdirectory={source.subdirectory.replace(' ', '%20')}")
    fragment = "#" + "&".join(parts) if parts else ""
    if source.editable and source.kind == "directory":
        return f"-e {url}{fragment}"
    return f"{entry.name} @ {url}{fragment}"


def _block(entry: Entry, file: File | None) -> list[str] | None:
    """The table of one package; None where nothing tells which file it was."""
    source = entry.source
    lines = ["[[packages]]", f"name = {_text(entry.name)}"]
    # A folder, or the head of a branch, may have another version at the next look.
    if source.kind == "index" or (source.kind == "archive" and is_version(entry.version)):
        lines.append(f"version = {_text(entry.version)}")
    place: dict[str, object] = {}
    if source.kind == "vcs":
        place = {"type": source.vcs, "url": source.url}
        if source.revision:
            place["requested-revision"] = source.revision
        place["commit-id"] = source.commit
    elif source.kind == "directory":
        place = {"path": _path(source.url)}
        if source.editable:
            place["editable"] = True
    else:
        hashes = _hashes(source)
        if source.kind == "archive" and hashes:
            place = {"url": source.url, "hashes": hashes}
        elif source.kind == "index":
            return _from_index(entry, lines, file, hashes)
    if not place:
        return None
    if source.subdirectory:
        place["subdirectory"] = source.subdirectory
    return [*lines, f"{source.kind} = {_table(place)}"]


def _from_index(
    entry: Entry, lines: list[str], file: File | None, hashes: dict[str, str]
) -> list[str] | None:
    table: dict[str, object]
    if file is not None:
        name, table = _name(file.url), {"url": file.url, "hashes": {"sha256": file.sha256}}
    elif entry.source.url and any(map(_is_hash, entry.source.hashes)):
        name, table = _name(entry.source.url), {"url": entry.source.url, "hashes": hashes}
    elif hashes:
        name = entry.source.wheel
        table = {"path": f"{WHEELS}/{name}", "hashes": hashes}
    else:
        return None
    if _is_wheel_of(name, entry):
        return [*lines, f"wheels = [{_table({'name': name, **table})}]"]
    if "url" in table and _is_sdist_of(name, entry):
        return [*lines, f"sdist = {_table({'name': name, **table})}"]
    return None


def _name(url: str) -> str:
    """The name of the file at `url`."""
    from urllib.parse import unquote

    return unquote(url.partition("#")[0].partition("?")[0].rpartition("/")[2])


def _is_wheel_of(name: str, entry: Entry) -> bool:
    parts = name.removesuffix(".whl").split("-")
    return (
        name.endswith(".whl")
        and len(parts) in (5, 6)
        and _is_of(parts[0], parts[1], entry)
        and all(re.fullmatch(r"[A-Za-z0-9_.]+", tag) for tag in parts[-3:])
        and (len(parts) == 5 or re.fullmatch(r"[0-9][A-Za-z0-9_.]*", parts[2]) is not None)
    )


def _is_sdist_of(name: str, entry: Entry) -> bool:
    stem = name.removesuffix(".tar.gz").removesuffix(".zip")
    project, _, version = stem.rpartition("-")
    return stem != name and _is_of(project, version, entry)


def _is_of(project: str, version: str, entry: Entry) -> bool:
    """Whether a file says that it is the very version of the package that was installed."""
    return (
        re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", project) is not None
        and "__" not in project
        and re.sub(r"[-_.]+", "-", project).lower() == entry.name
        and public_version(version) is not None
        and public_version(version) == public_version(entry.version)
        and version.partition("+")[2].lower() == entry.version.partition("+")[2].lower()
    )


def _hashes(source: Source) -> dict[str, str]:
    """What tells the file of a package: its hashes, else that of what it holds."""
    pairs = (digest.partition("=") for digest in source.hashes if _is_hash(digest))
    known = {algorithm: value for algorithm, _, value in pairs}
    if not known and source.content:
        known = {CONTENT_HASH: source.content.hex()}
    return known


def _is_hash(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9_]+=[0-9a-fA-F]{32,}", text) is not None


def _path(url: str) -> str:
    """The path of a `file:` URL."""
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(url).path) or "."


def _platform(environment: Environment) -> str:
    words = f"{environment.system} {environment.release} {environment.machine}"
    return words + (f", {environment.libc}" if environment.libc else "")


def _marker(environment: Environment) -> str:
    """What must hold where the lock is used, as an environment marker."""
    facts = {
        "implementation_name": environment.implementation.lower(),
        "platform_machine": environment.machine,
        "sys_platform": environment.system.lower(),
    }
    pairs = (
        f"{name} == '{value}'" for name, value in facts.items() if re.fullmatch(r"[\w.-]+", value)
    )
    return " and ".join(pairs)


def _table(values: Mapping[str, object]) -> str:
    """An inline table of TOML."""
    return "{" + ", ".join(f"{key} = {_value(value)}" for key, value in values.items()) + "}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return _table(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(str(value))


def _text(text: str) -> str:
    """A basic string of TOML."""
    return '"' + "".join(_escaped(text)) + '"'


def _escaped(text: str) -> Iterator[str]:
    for char in text:
        if char in '"\\':
            yield "\\" + char
        elif char.isprintable():
            yield char
        else:
            code = ord(char)
            yield f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _plain(text: str) -> str:
    """`text` in one line."""
    return "".join(char if char.isprintable() else "?" for char in text)
