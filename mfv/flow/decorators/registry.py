"""Decorators by their names, as `--with` and mutators write them; loaded when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from mfv.errors import UsageError, did_you_mean
from mfv.flow.decorators.base import FlowMark, StepMark

_IGNORED = "ignored"

STEP = {
    "retry": "retry",
    "catch": "catch",
    "timeout": "timeout",
    "environment": "environment",
    "resources": "resources",
    "parallel": "parallel",
    "pytorch_parallel": "parallel",
    "secrets": "secrets",
    "card": "card",
    **dict.fromkeys(("kubernetes", "batch", "titus", "slurm", "conda", "pypi"), _IGNORED),
}
FLOW = {
    "project": "project",
    **dict.fromkeys(
        (
            "airflow_external_task_sensor",
            "airflow_s3_key_sensor",
            "conda_base",
            "exit_hook",
            "pypi_base",
            "schedule",
            "trigger",
            "trigger_on_finish",
        ),
        _IGNORED,
    ),
}


def step_mark(name: str) -> StepMark | None:
    """The step decorator of that name; None if there is none."""
    return None if name not in STEP else cast("StepMark", _load(STEP[name], name))


def flow_mark(name: str) -> FlowMark | None:
    """The flow decorator of that name; None if there is none."""
    return None if name not in FLOW else cast("FlowMark", _load(FLOW[name], name))


def unknown(name: str, known: list[str], what: str) -> UsageError:
    """The error for a name that is none of the `known`."""
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    return UsageError(f"there is no {what} decorator '{name}'", hint=hint)


def _load(module: str, name: str) -> object:
    return getattr(import_module(f"mfv.flow.decorators.{module}"), name)
