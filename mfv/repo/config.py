"""The file `config.toml` of a repository: what people choose. Without one, all is as by default."""

from __future__ import annotations

import difflib
import re
from typing import Literal, NamedTuple, get_args

from mfv.errors import MfvError, NotFoundError
from mfv.storage.base import Backend

KEY = "config.toml"

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

# Larger files, which are data and not code, are left out of the code snapshots of runs, by name; so
# are the largest where all together are more.
# code.max_file_size = "10 MiB"
# code.max_total_size = "500 MiB"
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


def read(backend: Backend) -> Config:
    """The settings of the repository in `backend`; ConfigError names what is wrong with them."""
    try:
        data = backend.get(KEY)
    except NotFoundError:
        return Config()
    if data == DEFAULT:
        return Config()  # as nearly always, and then the parser is not imported
    return parse(data)


def parse(data: bytes) -> Config:
    """The settings that `data` states; ConfigError."""
    import tomllib

    try:
        found = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            f"{KEY} of the repository is not TOML: {error}", hint="mend the line that it names"
        ) from None
    code = found.pop("code", {})
    if not isinstance(code, dict):
        found["code"] = code  # which is unknown, as a value
        code = {}
    settings: dict[str, object] = found | {f"code.{key}": value for key, value in code.items()}
    known = (*_ALLOWED, *_SIZES)
    chosen: dict[str, object] = {}
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(known)}"
            raise ConfigError(f"{KEY} of the repository sets {key!r}, which is unknown", hint=hint)
        if key in _SIZES:
            chosen[_SIZES[key]] = _size(key, value)
            continue
        if value not in _ALLOWED[key]:
            choices = " or ".join(f'"{one}"' for one in _ALLOWED[key])
            raise ConfigError(
                f"{KEY} of the repository sets {key} to {value!r}", hint=f"say {choices}"
            )
        chosen[key] = value
    return Config(**chosen)  # type: ignore[arg-type]


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
