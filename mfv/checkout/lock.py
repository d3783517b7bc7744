"""The packages of a run as they are asked of an installer, and which cannot be asked for."""

from __future__ import annotations

import re
from typing import NamedTuple

from mfv.manifest.records import Environment

OWN = "mfv-store"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.!+_-]*[A-Za-z0-9])?")


class Wanted(NamedTuple):
    """What an installer is asked for."""

    requirements: tuple[str, ...]  # `name==version`
    local: tuple[tuple[str, str], ...]  # packages that no index has, and why


def wanted(environment: Environment) -> Wanted:
    """The packages of `environment` that an index can be asked for, by exact version.

    One that was installed from a folder is never asked for by its name: whoever took that name
    on an index would run code here.
    """
    requirements, local = [], []
    for package in environment.packages:
        if package.name == OWN:
            continue  # the mfv that makes the environment goes into it
        if not _NAME.fullmatch(package.name) or not _VERSION.fullmatch(package.version):
            local.append((f"{package.name} {package.version}", "this is no package's name"))
            continue
        requirements.append(f"{package.name}=={package.version}")
    return Wanted(tuple(requirements), tuple(local))
