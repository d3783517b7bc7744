"""The file `config.toml` of a repository: what people choose. Without one, all is as by default."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, get_args

from mfv.errors import MfvError, NotFoundError, near
from mfv.storage.base import Backend

KEY = "config.toml"
_LARGEST = 64 << 10  # bytes
_LONGEST = 1024  # bytes of a line: the parser takes memory by the square of a key's parts

Durability = Literal["full", "fast"]
Compression = Literal["dense", "fast"]
Process = Literal["fork", "spawn"]

DEFAULT = b"""\
# Settings of this repository. Delete a line's `#` to change what it says; what stands here is the
# default. `docs/guide/keeping.md` of mfv tells what each costs and brings.

# "full": a finished task is on the disk before mfv says so, whatever happens to the machine.
# "fast": it is in the system's hands: a killed process loses nothing, a power cut may.
# durability = "full"

# "dense": each kind of data by the codec that makes it small, later versions after earlier ones.
# "fast": raw where zstd hardly pays, so that arrays are mapped when they are loaded.
# compression = "dense"

# "fork": a task's process is a copy of one that has imported the flow, made in milliseconds.
# "spawn": it is a new interpreter that runs the flow's script anew, for libraries that do not
# survive a fork.
# process = "fork"

# Whether all of the folder's group may read, write and gc. Do not set it here: `mfv init --shared`
# does, and gives the group the files that are there.
# shared = false

# Larger files, which are data and not code, are left out of the code snapshots of runs, by name; so
# are the largest where all together are more.
# code.max_file_size = "10 MiB"
# code.max_total_size = "500 MiB"

# Other repositories, by their ids, whose runs are trusted as those made here are: their artifacts
# are unpickled. It counts for whoever trusts this repository.
# trust.origins = []

# Which runs `mfv gc` keeps, each rule for itself and flow by flow. The others go into the trash. As
# long as no rule stands here, all are kept.
# keep.last = 50
# keep.within = "30d"
# keep.tagged = true
# keep.successful = true
# keep.where = "accuracy > 0.9"

# So long a run stays in the trash, from where `mfv restore` brings it back, before a gc frees its
# bytes. Its record and its code stay for good.
# trash = "30d"
"""

_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_UNITS |= {"kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class Config(NamedTuple):
    """The settings of one repository."""

    durability: Durability = "full"
    compression: Compression = "dense"
    process: Process = "fork"
    max_file_size: int = 10 << 20  # bytes of one file of a code snapshot
    max_total_size: int = 500 << 20  # bytes of all files of one
    shared: bool = False
    trust_origins: frozenset[bytes] = frozenset()  # ids of other repositories
    keep_last: int | None = None
    keep_within: float | None = None  # seconds
    keep_tagged: bool = False
    keep_successful: bool = False
    keep_where: str | None = None  # a query
    trash: float = 30 * 86400.0  # seconds


class ConfigError(MfvError):
    """The settings cannot be understood; nothing was done."""

    code = "config"
    exit_status = 2


_ALLOWED: dict[str, tuple[str, ...]] = {
    "durability": get_args(Durability),
    "compression": get_args(Compression),
    "process": get_args(Process),
}
# Sizes, by their names in the file.
_SIZES = {"code.max_file_size": "max_file_size", "code.max_total_size": "max_total_size"}
_AGES = {"keep.within": "keep_within", "trash": "trash"}
_OTHERS: dict[str, tuple[str, type, str]] = {
    "shared": ("shared", bool, "true or false"),
    "keep.last": ("keep_last", int, "a number"),
    "keep.tagged": ("keep_tagged", bool, "true or false"),
    "keep.successful": ("keep_successful", bool, "true or false"),
    "keep.where": ("keep_where", str, "a query"),
}
_ORIGINS = "trust.origins"
_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 365 * 86400}


def read(backend: Backend) -> Config:
    """The settings of the repository in `backend`; ConfigError names what is wrong with them."""
    try:
        data = backend.get(KEY, 0, _LARGEST + 1)
    except NotFoundError:
        return Config()
    if len(data) > _LARGEST:
        raise ConfigError(
            f"{KEY} of the repository has more than {_LARGEST} bytes", hint="settings take few"
        )
    if _is_comment(data):
        return Config()  # as nearly always, and then the parser is not imported
    return parse(data)


def _is_comment(data: bytes) -> bool:
    """Whether that says nothing, as the default of any version of mfv; False in case of doubt."""
    if not data.isascii():
        return False
    lines = data.decode("ascii").split("\n")
    return all(not line or (line[0] == "#" and line.isprintable()) for line in lines)


def parse(data: bytes) -> Config:
    """The settings that `data` states; ConfigError."""
    import tomllib

    if max(map(len, data.split(b"\n"))) > _LONGEST:
        raise ConfigError(
            f"{KEY} of the repository has a line of more than {_LONGEST} bytes",
            hint="a long text may go over several lines, between three quotes and three",
        )
    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # what is no TOML, no UTF-8, or no number
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(
            f"{KEY} of the repository is not TOML: {why}", hint="mend the line that it names"
        ) from None
    settings: dict[str, object] = {}
    for key, value in found.items():
        if key in ("code", "keep", "trust") and isinstance(value, dict):
            settings |= {f"{key}.{inner}": one for inner, one in value.items()}
        else:
            settings[key] = value
    known = (*_ALLOWED, *_SIZES, *_AGES, *_OTHERS, _ORIGINS)
    chosen: dict[str, object] = {}
    for key, value in settings.items():
        if key not in known:
            meant = near(key, known, limit=1)
            hint = f"did you mean {meant[0]!r}?" if meant else f"it knows {', '.join(known)}"
            raise ConfigError(f"{KEY} of the repository sets {key!r}, which is unknown", hint=hint)
        if key == _ORIGINS:
            chosen["trust_origins"] = _origins(value)
            continue
        if key in _SIZES:
            chosen[_SIZES[key]] = _size(key, value)
            continue
        if key in _AGES:
            chosen[_AGES[key]] = _age(key, value)
            continue
        if key in _OTHERS:
            chosen[_OTHERS[key][0]] = _other(key, value)
            continue
        if value not in _ALLOWED[key]:
            choices = " or ".join(f'"{one}"' for one in _ALLOWED[key])
            raise ConfigError(
                f"{KEY} of the repository sets {key} to {value!r}", hint=f"say {choices}"
            )
        chosen[key] = value
    return Config(**chosen)  # type: ignore[arg-type]


def period(text: str) -> float | None:
    """`now`, `90s`, `30m`, `12h`, `2d`, `1w` in seconds; None for anything else."""
    if text == "now":
        return 0.0
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)([a-z])", text, re.ASCII)
    if found is None or found[2] not in _PERIODS:
        return None
    return float(found[1]) * _PERIODS[found[2]]


def _age(key: str, value: object) -> float:
    seconds = period(value) if isinstance(value, str) else None
    if seconds is None:
        raise ConfigError(
            f"{KEY} of the repository sets {key} to {value!r}, which is no time",
            hint='say "12h", "30d" or "2w"',
        )
    return seconds


def _other(key: str, value: object) -> object:
    _, kind, wanted = _OTHERS[key]
    if type(value) is not kind or (kind is int and int(str(value)) < 0):
        raise ConfigError(
            f"{KEY} of the repository sets {key} to {value!r}", hint=f"it takes {wanted}"
        )
    return value


def _origins(value: object) -> frozenset[bytes]:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) and re.fullmatch(r"[0-9a-f]{32}", one) for one in texts):
        raise ConfigError(
            f"{KEY} of the repository sets {_ORIGINS} to {value!r}",
            hint="it takes a list of ids of repositories, as `mfv init --json` tells them",
        )
    return frozenset(map(bytes.fromhex, texts))


def _size(key: str, value: object) -> int:
    """Bytes, given as a number of them or as text with a unit."""
    text = str(value) if isinstance(value, str) or type(value) is int else ""
    found = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*", text, re.ASCII)
    if found is None or found[2] not in _UNITS:
        raise ConfigError(
            f"{KEY} of the repository sets {key} to {value!r}, which is no size",
            hint='say how many bytes, or "50 MiB" or "1.5 GB"',
        )
    return int(float(found[1]) * _UNITS[found[2]])
