"""The mfv that is measured: the one of the Python that runs the benchmark."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from harness import BenchmarkError, clean_environment

MFV = (sys.executable, "-m", "mfv")


def mfv_environment() -> dict[str, str]:
    """This process's environment without settings of mfv or Metaflow that a shell left there."""
    return clean_environment(without=["MFV_", "METAFLOW_"])


def mfv_version() -> str:
    """The version of mfv; BenchmarkError if it does not run outside of its own source folder."""
    with tempfile.TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [*MFV, "--version"],
            cwd=elsewhere,
            env=mfv_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    words = done.stdout.split()
    if done.returncode != 0 or not words:
        last = (done.stderr.strip().splitlines() or ["(no message)"])[-1]
        raise BenchmarkError(
            f"`{' '.join(MFV)} --version` failed with status {done.returncode}: {last}",
            hint="install mfv for this Python first, for example `pip install -e .`",
        )
    return words[-1]
