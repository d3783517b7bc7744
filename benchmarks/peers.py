"""Peers in environments of their own: measured beside mfv, never installed beside it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import BenchmarkError

CACHE = Path(__file__).with_name(".cache")


def peer_environment(name: str, packages: Sequence[str], *, cache: Path = CACHE) -> Path:
    """The Python of a virtual environment that holds `packages`, made once under `cache`.

    Other packages or another Python make another environment. BenchmarkError if pip cannot
    install them; then the next call starts anew.
    """
    wanted = "\n".join([sys.version, *sorted(packages)])
    folder = cache / f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    ready = folder / "ready"  # written last: without it a call was interrupted half way
    if ready.exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    print(f"making an environment for {name} ({', '.join(packages)}), once", file=sys.stderr)
    _call([sys.executable, "-m", "venv", str(folder)], name)
    _call([str(python), "-m", "pip", "install", "--quiet", *packages], name)
    ready.touch()
    return python


def installed_version(python: Path | str, package: str) -> str:
    """The version of `package` that `python` sees; BenchmarkError if it has none."""
    program = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    try:
        done = subprocess.run(
            [str(python), "-c", program, package], capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise BenchmarkError(f"{python} cannot be run: {error.strerror}") from error
    if done.returncode != 0:
        raise BenchmarkError(f"{package} is not installed for {python}")
    return done.stdout.strip()


def _call(command: Sequence[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchmarkError(
            f"no environment for {name}: `{' '.join(command)}` failed:\n{done.stderr.strip()}",
            hint="make one by hand and name its interpreter, for example --metaflow-python PATH",
        )
