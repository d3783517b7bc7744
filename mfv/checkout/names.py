"""What a clone keeps in the folder of its own, and names that are safe in any folder."""

from __future__ import annotations

import hashlib
import re
import unicodedata

PARAMETERS, INFO, GUIDE = "parameters.json", "INFO.json", "REPRODUCE.md"
LOCK, PYLOCK = "requirements.txt", "pylock.toml"
INPUTS, DATA = "inputs", "data"
ENVIRONMENT = ".venv"

_LONGEST = 120  # bytes
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)


def safe_name(text: str) -> str:
    """`text` as the name of a file that means nothing else to any system; never empty.

    A Python name of usual length is left as it is. All else is percent-encoded, and what is too
    long is cut and told apart by its hash.
    """
    name = text
    plain = re.fullmatch(r"[\w-]+", text) and unicodedata.normalize("NFKC", text) == text
    if not plain or text.startswith("-"):
        name = re.sub(r"[^A-Za-z0-9_]", _encoded, text) or "%"
    if len(name.encode()) > _LONGEST:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        name = f"{re.sub('[^A-Za-z0-9_%]', '_', name)[: _LONGEST - 20]}~{digest}"
    return f"_{name}" if _DEVICE.fullmatch(name) else name


def safe_ending(path: str) -> str:
    """The ending of a file's name, with its dot, where it is a harmless one; else nothing."""
    found = re.search(r"[^./\\](\.[A-Za-z0-9_]{1,8})\Z", path)
    return found[1] if found else ""


class Names:
    """Names that were given away in one folder, told apart also where case does not count."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str, ending: str) -> str:
        """`name` and `ending`, with a number between them if somebody has that already."""
        found, number = name + ending, 1
        while found.casefold() in self._taken:
            number += 1
            found = f"{name}~{number}{ending}"
        self._taken.add(found.casefold())
        return found


def _encoded(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))
