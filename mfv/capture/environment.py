"""The software and machine that a run stands on: Python, packages, system, hardware.

Only what stays: what changes from one minute to the next, as free memory, is not here, so that
equal environments are equal values.
"""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import msgspec

from mfv.capture import hardware, system
from mfv.capture.packages import Package as Package
from mfv.capture.packages import Source, find_installed


class Extension(msgspec.Struct, frozen=True, order=True):
    """An entry point of the group `mfv.extensions`, and the package that has it."""

    name: str
    package: str
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
    sources: tuple[Source, ...] = ()  # one for each package, in the same order
    extensions: tuple[Extension, ...] = ()  # sorted
    python_build: str = ""
    python_kind: str = ""  # venv, conda, system, other
    distribution: str = ""  # "Debian GNU/Linux 12 (bookworm)"
    cpu_features: tuple[str, ...] = ()  # those that numeric libraries choose their code by
    cpu_usable: int = 0  # processors that this process may use
    gpu_driver: str = ""
    gpu_details: tuple[hardware.Gpu, ...] = ()
    cuda: str = ""
    blas: str = ""  # numpy's: name and version
    locale: str = ""
    encoding: str = ""  # of text files
    timezone: str = ""


def read_environment(cache: str | None = None) -> Environment:
    """The environment of this process, now. Never raises for what it cannot find out.

    `cache`: a folder for notes of what takes long to read, which may vanish at any time.
    """
    kernel = os.uname()
    installed = find_installed(sys.path, cache)
    packages = tuple(one.package for one in installed)
    extensions = (
        Extension(name, one.package.name, one.package.version)
        for one in installed
        for name in one.extensions
    )
    gpus = hardware.gpus(cache=cache)
    driver, details = hardware.cards(gpus, cache)
    return Environment(
        python=sys.version.split()[0].rstrip("+"),
        implementation=sys.implementation.name,
        system=kernel.sysname,
        release=kernel.release,
        machine=kernel.machine,
        libc=system.libc(),
        cpu=hardware.cpu_model(),
        cpu_count=os.cpu_count() or 1,
        memory=hardware.memory(),
        gpus=gpus,
        packages=packages,
        sources=tuple(one.source for one in installed),
        extensions=tuple(sorted(extensions)),
        python_build=system.python_build(),
        python_kind=system.python_kind(),
        distribution=system.distribution(),
        cpu_features=hardware.cpu_features(),
        cpu_usable=hardware.usable_processors(),
        gpu_driver=driver,
        gpu_details=details,
        cuda=system.cuda({package.name: package.version for package in packages}),
        blas=next((one.blas for one in installed if one.blas), ""),
        locale=system.locale_name(),
        encoding=system.encoding(),
        timezone=system.timezone(),
    )


def find_packages(path: Iterable[str]) -> tuple[Package, ...]:
    """The distributions installed in the folders of `path`, sorted by name.

    Where several folders have the same one, the first wins, as it does for an import.
    """
    return tuple(one.package for one in find_installed(path))
