"""The packages of a run as they are asked of an installer, and which cannot be asked for."""

from __future__ import annotations

import re
from typing import NamedTuple

from mfv.manifest.records import Environment
from mfv.repo.lock import Entry, entries, requirements

OWN = "mfv-store"

_SAFE = re.compile(r"(?:git\+)?(?:https|ssh)://|git\+ssh:", re.IGNORECASE)


class Wanted(NamedTuple):
    """What an installer is asked for."""

    requirements: tuple[str, ...]  # `name==version`, or `name @ url` for what no index had
    local: tuple[tuple[str, str], ...]  # packages that cannot be asked for, and why


def wanted(environment: Environment) -> Wanted:
    """The packages of `environment` that can be had from elsewhere than the machine it was.

    One that was installed from a folder is never asked for by its name: whoever took that name
    on an index would run code here. Nor is anything fetched without TLS.
    """
    lines = {re.split(r"==| @ ", line)[0]: line for line in requirements(environment).splitlines()}
    asked, local = [], []
    for entry in entries(environment):
        if entry.name == OWN:
            continue  # the mfv that makes the environment goes into it
        reason = entry.trouble or _local(entry, lines.get(entry.name, ""))
        if reason:
            local.append((f"{entry.name} {entry.version}", reason))
        else:
            asked.append(lines[entry.name])
    return Wanted(tuple(asked), tuple(local))


def _local(entry: Entry, line: str) -> str:
    """Why a package cannot be asked for; empty if it can."""
    source = entry.source
    if source.kind == "directory":
        how = "it was installed editable" if source.editable else "it was installed"
        return f"{how} from {source.url}"
    if source.kind != "index" and not _SAFE.match(line.partition(" @ ")[2]):
        return f"it was installed from {source.url}, which is not fetched"
    return "" if line else "no installer can be asked for it"
