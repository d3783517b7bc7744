"""File systems of a test's own: small, read-only, or in a file. Who may not mount, skips."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(target: Path, *words: str | Path) -> Iterator[Path]:
    """`mount WORDS TARGET` for a while; the folder is made if need be."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(["mount", *map(str, words), str(target)], capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount` here")
    if done.returncode:
        pytest.skip(f"only root on Linux may mount: {done.stderr.decode().strip()}")
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)


def remount(target: Path, options: str) -> None:
    """Changes the options of what is mounted at `target`."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(target)], check=True)


def fill_up(folder: Path) -> Path:
    """Takes every byte that is left of the file system of `folder`; returns the file."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return path
