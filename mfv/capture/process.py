"""The process of a run: who started it, where, and with which arguments and variables.

This module reads the environment variables; that is its job. Only those on a list are recorded,
and arguments are cleaned of what looks like a secret. Bytes that are not UTF-8 stand as `\\udcff`,
so that every string here can be stored and printed.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable

import msgspec

from mfv.capture.secrets import REDACTED, is_secret_name, strip_credentials
from mfv.capture.text import printable
from mfv.capture.user import user_name

RANDOM = "random"

_VARIABLES = (
    "BLIS_NUM_THREADS",
    "CI",
    "CONDA_DEFAULT_ENV",
    "CONDA_PREFIX",
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_DEVICE_ORDER",
    "CUDA_LAUNCH_BLOCKING",
    "CUDA_VISIBLE_DEVICES",
    "GITHUB_ACTIONS",
    "GITHUB_RUN_ID",
    "HIP_VISIBLE_DEVICES",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "LANG",
    "LC_ALL",
    "LOCAL_RANK",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_VISIBLE_DEVICES",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "PYTHONHASHSEED",
    "PYTHONPATH",
    "PYTORCH_CUDA_ALLOC_CONF",
    "RANK",
    "ROCR_VISIBLE_DEVICES",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_NTASKS",
    "SLURM_PROCID",
    "TF_DETERMINISTIC_OPS",
    "TZ",
    "VECLIB_MAXIMUM_THREADS",
    "VIRTUAL_ENV",
    "WORLD_SIZE",
    "XLA_FLAGS",
)

_URL = r"[A-Za-z][\w.+-]*://[^\s\"'<>]+"
# The prefixes that services give their tokens so that filters like this one can see them.
_TOKEN = (
    r"\b(?:gh[oprsu]_|github_pat_|glpat-|hf_|sk-|xox[abp]-)[\w-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
)
_ASSIGNMENT = r"([\w-]+)[\"']?\s*[=:](?!//)\s*"
_OPTION = r"--?[A-Za-z][\w.-]*"


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """How a run was started."""

    argv: tuple[str, ...]  # of the interpreter too; secrets as REDACTED
    cwd: str  # empty if the folder is gone
    user: str  # "unknown" if no variable says
    host: str
    variables: tuple[tuple[str, str], ...]  # name and value, sorted
    hash_seed: str = RANDOM  # RANDOM, or a number: what hashes of text begin from


def read_process() -> Process:
    """This process, now. Never raises."""
    environment = os.environ
    variables = sorted(
        (name, _clean(environment[name]))
        for name in _VARIABLES
        if name in environment and not is_secret_name(name)
    )
    return Process(
        argv=redact(sys.orig_argv),
        cwd=_working_folder(),
        user=user_name(),
        host=printable(os.uname().nodename),
        variables=tuple(variables),
        hash_seed=hash_seed(),
    )


def hash_seed() -> str:
    """What the hashes of this interpreter began from: a number, or RANDOM.

    Sets of text come in another order where it is another: a run under RANDOM need not give the
    same bytes again.
    """
    if not sys.flags.hash_randomization:
        return "0"
    seed = "" if sys.flags.ignore_environment else os.environ.get("PYTHONHASHSEED", "")
    return seed if seed.isascii() and seed.isdecimal() else RANDOM


def redact(arguments: Iterable[str]) -> tuple[str, ...]:
    """`arguments` with REDACTED in place of secrets; as many as there were.

    Secret is the argument after an option with a secret name, what follows `name=` or `name:` of
    such a name, credentials in URLs, and tokens that services mark as such.
    """
    cleaned: list[str] = []
    after_secret_option = False
    for argument in arguments:
        if after_secret_option and not argument.startswith("--"):
            cleaned.append(REDACTED)
            after_secret_option = False
            continue
        cleaned.append(_without_assignment(_clean(argument)))
        is_option = re.fullmatch(_OPTION, argument) is not None
        after_secret_option = is_option and is_secret_name(argument)
    return tuple(cleaned)


def _without_assignment(argument: str) -> str:
    for assignment in re.finditer(_ASSIGNMENT, argument):
        if is_secret_name(assignment[1]):
            return argument[: assignment.end()] + REDACTED
    return argument


def _clean(text: str) -> str:
    text = re.sub(_URL, lambda url: strip_credentials(url[0]), text)
    return re.sub(_TOKEN, REDACTED, printable(text))


def _working_folder() -> str:
    try:
        return printable(os.getcwd())
    except OSError:
        return ""
