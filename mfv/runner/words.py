"""Keyword arguments as words of a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Metaflow's names in Python for what its command line calls otherwise.
_FLAGS = {"tags": "tag", "decospecs": "with", "user_namespace": "namespace"}
_MANY = frozenset({"tag", "with"})
_PAIRS = frozenset({"config", "config-value"})
_LOOSE = "step_to_rerun"  # stands without a flag


def words_before(options: Mapping[str, Any]) -> list[str]:
    """The options before a command. True and False mean that a flag is set, or is its opposite."""
    words: list[str] = []
    for name, value in options.items():
        flag = _flag(name)
        if value is True:
            words.append(f"--{flag}")
        elif value is False:
            opposite = {"quiet": "--not-quiet", "pylint": "--no-pylint"}.get(flag)
            words += [opposite] if opposite else []
        else:
            words += _option(flag, value)
    return words


def words_after(options: Mapping[str, Any]) -> list[str]:
    """The options after a command: its own, and the flow's parameters.

    Lists and dicts become JSON, which a parameter of that type reads; None is left out.
    """
    words = []
    for name, value in options.items():
        if name != _LOOSE:
            words += _option(_flag(name), value)
    step = options.get(_LOOSE)
    return [*words, str(step)] if step is not None else words


def _flag(name: str) -> str:
    # The flow's command line takes dashes and underscores for the same.
    return _FLAGS.get(name, name).replace("_", "-")


def _option(flag: str, value: Any) -> list[str]:
    if value is None:
        return []
    if flag in _MANY and not isinstance(value, str):
        return [f"--{flag}={_text(item)}" for item in value]
    if flag in _PAIRS:
        pairs = value.items() if isinstance(value, Mapping) else value
        return [word for name, item in pairs for word in (f"--{flag}", str(name), _text(item))]
    # With the equals sign: a value may begin with a dash.
    return [f"--{flag}={_text(value)}"]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value)
    return value.decode() if isinstance(value, bytes) else str(value)
