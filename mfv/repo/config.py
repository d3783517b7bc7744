"""The file `config.toml` of a repository: what people choose. Without one, all is as by default."""

from __future__ import annotations

import difflib
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
"""


class Config(NamedTuple):
    """The settings of one repository."""

    durability: Durability = "full"
    compression: Compression = "dense"
    process: Process = "fork"


class ConfigError(MfvError):
    """The settings cannot be understood; nothing was done."""

    code = "config"
    exit_status = 2


_ALLOWED: dict[str, tuple[str, ...]] = {
    "durability": get_args(Durability),
    "compression": get_args(Compression),
    "process": get_args(Process),
}


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
    for key, value in found.items():
        if key not in _ALLOWED:
            near = difflib.get_close_matches(key, _ALLOWED, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(_ALLOWED)}"
            raise ConfigError(f"{KEY} of the repository sets {key!r}, which is unknown", hint=hint)
        if value not in _ALLOWED[key]:
            choices = " or ".join(f'"{one}"' for one in _ALLOWED[key])
            raise ConfigError(
                f"{KEY} of the repository sets {key} to {value!r}", hint=f"say {choices}"
            )
    return Config(**found)
