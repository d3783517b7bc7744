"""Where secrets come from, for `@secrets`: each source gives variables by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mfv.errors import MfvError


class SecretError(MfvError):
    """A secret cannot be had, or not be set. Its text never has a value in it."""

    code = "secret"


def inline(name: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables in the source of the flow itself, for trying things out."""
    found = options.get("env_vars", {})
    if not isinstance(found, dict):
        raise SecretError(
            f"env_vars of the secret inline.{name} is a {type(found).__name__}",
            hint='write "options": {"env_vars": {"NAME": "value"}}',
        )
    return found


def environment(name: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The variable of that name, which whoever starts the run has to set."""
    if name not in os.environ:
        raise SecretError(
            f"the secret environment.{name} is not there: no such variable is set",
            hint=f"set it where the run is started: {name}=... python flow.py run",
        )
    return {name: os.environ[name]}


def env_file(path: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The NAME=value lines of a file; `export`, quotes, comments and empty lines are fine."""
    try:
        text = Path(path).expanduser().read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SecretError(
            f"the secrets in {path} cannot be read: {reason}",
            hint="the path is looked up from the folder in which the run is started",
        ) from None
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = stripped.removeprefix("export ").partition("=")
        if not equals:
            raise SecretError(
                f"{path}:{number}: no NAME=value", hint="write one variable on each line"
            )
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value.split(" #")[0].rstrip()


SOURCES: dict[str, Callable[[str, Mapping[str, Any]], Mapping[str, Any]]] = {
    "env-file": env_file,
    "environment": environment,
    "inline": inline,
}

# Metaflow's, for which clouds are asked.
ELSEWHERE = frozenset({"aws-secrets-manager", "gcp-secret-manager", "az-key-vault"})
