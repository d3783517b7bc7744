"""A person's own settings: whom they trust, and what they sign with.

They lie outside of every repository, because a repository may come from anybody: nothing in it can
make itself trusted, or name a key or a program.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from mfv.errors import ConflictError, StorageError, near
from mfv.modes import PRIVATE
from mfv.repo.config import ConfigError

_KNOWN = ("trust.folders", "trust.origins", "sign.key", "sign.allowed")
_ORIGIN = re.compile(r"[0-9a-f]{32}")


class Settings(NamedTuple):
    """What a person's settings say."""

    folders: tuple[str, ...] = ()  # of repositories that are trusted
    origins: frozenset[bytes] = frozenset()  # ids of those whose runs are, wherever they lie
    key: str = ""  # a file
    allowed: Mapping[str, str] = {}  # by label: public keys


def read(path: str) -> Settings:
    """The settings in the file `path`; ConfigError, StorageError."""
    return parse(_text(path), path)


def parse(text: str, path: str) -> Settings:
    """The settings that `text` states; ConfigError, which names `path`."""
    if not text.strip():
        return Settings()
    import tomllib

    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{path} is not TOML: {error}", hint="mend the line that it names"
        ) from None
    values: dict[str, Any] = {}
    for section, inner in found.items():
        named = inner if isinstance(inner, dict) else {"": inner}
        values |= {f"{section}.{key}".rstrip("."): value for key, value in named.items()}
    for key in values:
        if key not in _KNOWN:
            meant = near(key, _KNOWN, limit=1)
            hint = f"did you mean {meant[0]!r}?" if meant else f"it knows {', '.join(_KNOWN)}"
            raise ConfigError(f"{path} sets {key!r}, which is unknown", hint=hint)
    folders = _texts(values.get("trust.folders", []), "trust.folders", path)
    origins = _texts(values.get("trust.origins", []), "trust.origins", path)
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError(f"{path}: {origin!r} is no id of a repository")
    key, allowed = values.get("sign.key", ""), values.get("sign.allowed", {})
    if not isinstance(key, str):
        raise ConfigError(f"{path} sets sign.key to {key!r}", hint="it takes the path of a file")
    if not isinstance(allowed, dict) or not all(isinstance(v, str) for v in allowed.values()):
        raise ConfigError(
            f"{path} sets sign.allowed to {allowed!r}",
            hint='it takes labels with keys: {ana = "ssh-ed25519 AAAA..."}',
        )
    return Settings(tuple(folders), frozenset(map(bytes.fromhex, origins)), key, allowed)


def trust(path: str, *, folder: str = "", origin: str = "") -> bool:
    """Adds a folder, or the id of a repository, to what the settings in `path` trust.

    False where it is there already. Everything else in the file stays as it is. Raises
    ConflictError where the file is written in a way that hides where to add it.
    """
    text = _text(path)
    before = parse(text, path)
    name, value = ("folders", folder) if folder else ("origins", origin)
    if folder in before.folders or (origin and bytes.fromhex(origin) in before.origins):
        return False
    after = _with(text, name, value)
    expected = (
        before._replace(folders=(value, *before.folders))
        if folder
        else before._replace(origins=before.origins | {bytes.fromhex(origin)})
    )
    try:
        added = parse(after, path) == expected
    except ConfigError:
        added = False
    if not added:
        raise ConflictError(
            f"mfv cannot tell where in {path} to add that",
            hint=f"add it by hand to `{name}` under [trust]: {_quoted(value)}",
        )
    _write(path, after)
    return True


def _with(text: str, name: str, value: str) -> str:
    """`text` with `value` in the list `name` of its table `trust`."""
    quoted = _quoted(value)
    header = re.search(r"^[ \t]*\[trust\][ \t]*(#.*)?$", text, re.MULTILINE)
    if header is None:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[trust]\n{name} = [\n  {quoted},\n]\n"
    there = re.compile(rf"^[ \t]*{name}[ \t]*=[ \t]*\[", re.MULTILINE)
    listed = there.search(text, header.end())
    if listed is None:
        return f"{text[: header.end()]}\n{name} = [\n  {quoted},\n]{text[header.end() :]}"
    return f"{text[: listed.end()]}\n  {quoted},{text[listed.end() :]}"


def _quoted(value: str) -> str:
    import json

    return json.dumps(value)  # which is a string of TOML too


def _texts(value: object, key: str, path: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigError(f"{path} sets {key} to {value!r}", hint='it takes a list: ["..."]')
    return value


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text", hint="write it as UTF-8") from None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None


def _write(path: str, text: str) -> None:
    """Replaces the file as a whole, also one that a link leads to."""
    path = os.path.realpath(path)
    made = f"{path}.{os.urandom(4).hex()}"
    try:
        PRIVATE.make_folders(os.path.dirname(path))
        with open(made, "x", encoding="utf-8") as file:
            PRIVATE.settle(file.fileno(), os.fstat(file.fileno()))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
