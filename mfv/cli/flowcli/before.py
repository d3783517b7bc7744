"""The options before a flow's command: `python flow.py --quiet run`."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

from mfv.cli.command import option

# What Metaflow's command line takes for its services and clouds, and what is so here instead.
_INSTEAD = {
    "metadata": "runs are recorded in the mfv repository",
    "datastore": "artifacts are stored in the mfv repository",
    "datastore_root": "MFV_DIR says where the repository is",
    "environment": "tasks run in this Python",
    "package_suffixes": "the snapshot holds every file of the project",
    "event_logger": "a run logs to its repository",
    "monitor": "a run logs to its repository",
}


def options(
    quiet: Annotated[bool, option("--quiet", help="Print only what was asked for.")] = False,
    not_quiet: Annotated[bool, option("--not-quiet", help="The default.", hidden=True)] = False,
    pylint: Annotated[bool, option("--pylint", help="Ignored.", hidden=True)] = False,
    no_pylint: Annotated[bool, option("--no-pylint", help="Ignored.", hidden=True)] = False,
    metadata: Annotated[str | None, option("--metadata", help="Ignored.", hidden=True)] = None,
    datastore: Annotated[str | None, option("--datastore", help="Ignored.", hidden=True)] = None,
    datastore_root: Annotated[
        str | None, option("--datastore-root", help="Ignored.", hidden=True)
    ] = None,
    environment: Annotated[
        str | None, option("--environment", help="Ignored.", hidden=True)
    ] = None,
    package_suffixes: Annotated[
        str | None, option("--package-suffixes", help="Ignored.", hidden=True)
    ] = None,
    event_logger: Annotated[
        str | None, option("--event-logger", help="Ignored.", hidden=True)
    ] = None,
    monitor: Annotated[str | None, option("--monitor", help="Ignored.", hidden=True)] = None,
) -> None:
    """Declares them. Metaflow's for other places than this machine are taken and do nothing."""


def say_ignored(before: Mapping[str, Any]) -> None:
    """Says on stderr which options do nothing here, where one may have relied on them."""
    for name, instead in _INSTEAD.items():
        value = before[name]
        if value is not None and value != "local":
            flag = f"--{name.replace('_', '-')}"
            print(f"note: {flag} {value} does nothing here: {instead}", file=sys.stderr)
