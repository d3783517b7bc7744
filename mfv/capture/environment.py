"""The software and machine that a run stands on: Python, packages, system, hardware.

Packages are read off the names of their metadata folders: one listing per folder of the path
instead of a parse per package, so that recording them on every run costs a few milliseconds.
"""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

import msgspec

from mfv.capture import hardware


class Package(msgspec.Struct, frozen=True, order=True):
    """One installed distribution."""

    name: str  # lower-case, runs of - _ . as one -
    version: str


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a run's result may depend on besides its code and data. `packages` sorted by name."""

    python: str  # "3.11.7"
    implementation: str  # "cpython"
    system: str  # "Linux"
    release: str  # of the kernel
    machine: str  # "x86_64"
    libc: str  # "glibc 2.36"; empty where it has no such name
    cpu: str  # model
    cpu_count: int  # of the machine, not only those that this process may use
    memory: int  # bytes; 0 where unknown
    gpus: tuple[str, ...]  # models
    packages: tuple[Package, ...]


def read_environment() -> Environment:
    """The environment of this process, now. Never raises for what it cannot find out."""
    system = os.uname()
    return Environment(
        python=sys.version.split()[0].rstrip("+"),
        implementation=sys.implementation.name,
        system=system.sysname,
        release=system.release,
        machine=system.machine,
        libc=_libc(),
        cpu=hardware.cpu_model(),
        cpu_count=os.cpu_count() or 1,
        memory=hardware.memory(),
        gpus=hardware.gpus(),
        packages=find_packages(sys.path),
    )


def find_packages(path: Iterable[str]) -> tuple[Package, ...]:
    """The distributions installed in the folders of `path`, sorted by name.

    Where several folders have the same one, the first wins, as it does for an import.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(path):
        for name, version in _packages_in(folder or "."):
            found.setdefault(name, version)
    return tuple(Package(name, version) for name, version in sorted(found.items()))


def lock_text(environment: Environment) -> str:
    """`environment` as a requirements file: comments on Python and system, then exact versions."""
    platform = f"{environment.system} {environment.release} {environment.machine}"
    lines = [
        f"# python {environment.python} ({environment.implementation})",
        f"# platform {platform}" + (f", {environment.libc}" if environment.libc else ""),
        *(f"{package.name}=={package.version}" for package in environment.packages),
    ]
    return "\n".join(lines) + "\n"


def _packages_in(folder: str) -> list[tuple[str, str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []  # missing, or a zip file
    packages = []
    for entry in names:
        package = None
        if entry.endswith(".dist-info"):
            package = _from_dist_info(folder, entry)
        elif entry.endswith(".egg-info"):
            package = _from_egg_info(folder, entry)
        # pip renames what it is about to remove to begin with ~.
        if package and package[1] and not entry.startswith("~"):
            packages.append((_normalised(package[0]), package[1]))
    return packages


def _from_dist_info(folder: str, entry: str) -> tuple[str, str] | None:
    # An uninstall that failed half-way leaves the folder without its METADATA.
    if not os.access(f"{folder}/{entry}/METADATA", os.F_OK):
        return None
    name, dash, version = entry.removesuffix(".dist-info").rpartition("-")
    return (name, version) if dash else None


def _from_egg_info(folder: str, entry: str) -> tuple[str, str] | None:
    name, dash, rest = entry.removesuffix(".egg-info").partition("-")
    if dash:
        return name, rest.partition("-py")[0]
    # A development install has no version in its name.
    return name, _version_in(f"{folder}/{entry}/PKG-INFO")


def _version_in(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                if not line.strip():
                    break  # the description begins
                field, _, value = line.partition(":")
                if field == "Version":
                    return value.strip()
    except OSError:
        pass
    return ""


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        # Only glibc has that name; the other one of Linux is told by what Python was built for.
        return "musl" if "musl" in getattr(sys.implementation, "_multiarch", "") else ""
