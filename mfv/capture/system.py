"""The system and the interpreter: which Python, which distribution, locale and time zone."""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
import re
import sys

from mfv.capture.text import printable

_RELEASE_FILES = ("/etc/os-release", "/usr/lib/os-release")
_MAC_VERSION = "/System/Library/CoreServices/SystemVersion.plist"
_CUDA_FILE = "/usr/local/cuda/version.json"


def python_build() -> str:
    """What Python says of how it was built: branch, date, compiler."""
    return sys.version.partition(" ")[2].replace("\n", " ").strip()


def python_kind() -> str:
    """`venv`, `conda`, `system` (of the distribution) or `other`."""
    if sys.prefix != sys.base_prefix:
        return "venv"
    if os.path.isdir(f"{sys.prefix}/conda-meta"):
        return "conda"
    return "system" if os.path.realpath(sys.executable).startswith("/usr/bin/") else "other"


def distribution(files: tuple[str, ...] = _RELEASE_FILES, mac: str = _MAC_VERSION) -> str:
    """The full name of the operating system; empty where it has none."""
    for path in files:
        found = re.search(r"^PRETTY_NAME=(\"?)(.*)\1$", _text_of(path), re.M)
        if found is not None:
            return found[2]
    version = re.search(r"<key>ProductVersion</key>\s*<string>([^<]*)<", _text_of(mac))
    return f"macOS {version[1]}" if version is not None else ""


def libc() -> str:
    """Name and version of the C library; empty where it has no such name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        # Only glibc has that name; the other one of Linux is told by what Python was built for.
        return "musl" if "musl" in getattr(sys.implementation, "_multiarch", "") else ""


def locale_name() -> str:
    """The locale of text as the variables set it, in the order in which they count."""
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    return printable(next((name for name in names if name), "C"))


def encoding() -> str:
    """How Python reads text files that nobody gave an encoding."""
    if sys.flags.utf8_mode:
        return "utf-8"
    import locale

    return locale.getencoding().lower()


def timezone(link: str = "/etc/localtime", file: str = "/etc/timezone") -> str:
    """The time zone's name (`Europe/Berlin`) where one is set, else its letters (`CET CEST`)."""
    if os.environ.get("TZ"):
        return printable(os.environ["TZ"].removeprefix(":"))
    _, found, name = os.path.realpath(link).rpartition("/zoneinfo/")
    if found:
        return printable(name)
    named = _text_of(file).strip()
    if named:
        return named.splitlines()[0]
    import time

    return " ".join(dict.fromkeys(time.tzname))


def cuda(versions: dict[str, str], path: str = _CUDA_FILE) -> str:
    """The version of CUDA's runtime: of the installed packages (`versions`), else the system's."""
    for name in sorted(versions, reverse=True):
        if re.fullmatch(r"nvidia-cuda-runtime(-cu\d+)?", name):
            return versions[name]
    found = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([^"]*)"', _text_of(path))
    return found[1] if found is not None else ""


def _text_of(path: str) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(1 << 16).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
