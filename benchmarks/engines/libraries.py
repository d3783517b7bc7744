"""Engines that are libraries: mfv, pickle, joblib, Metaflow's datastore, hf_xet's local engine."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_here
from pathlib import Path

from engines.base import Inside
from harness import BenchmarkError
from mfv_command import mfv_version
from peers import installed_version, peer_environment

METAFLOW = "metaflow==2.19.39"
HF_XET = "hf_xet==1.8.0"


class Mfv(Inside):
    """mfv as flows use it: every version a run of one flow, stored by a process of its own.

    `kind` says what a version is: an "object" that is unpickled first, a "file", or a "tree" of
    code. Timed: storing, writing and committing; of a tree, the whole opening of the run.
    """

    def __init__(self, kind: str = "object", name: str = "mfv", cores: int = 0) -> None:
        super().__init__(name, "mfv_runs.py", [kind])
        self._cores = cores

    def version(self) -> str:
        return mfv_version()

    def variables(self, place: Path) -> Mapping[str, str]:
        return {"BENCH_CORES": str(self._cores)} if self._cores else {}

    def kept(self, place: Path) -> Path:
        return place / ".mfv"

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)


class Plain(Inside):
    """One file a version: `how` is "pickle", "joblib-0" or "joblib-3"; pickle with an fsync."""

    def __init__(self, how: str) -> None:
        self._library, _, level = how.partition("-")
        name = f"joblib (compress={level})" if level else "pickle.dump + fsync"
        super().__init__(name, "plain_files.py", [how])

    def version(self) -> str:
        return platform.python_version() if self._library == "pickle" else here("joblib")


class Metaflow(Inside):
    """Metaflow's own task datastore on its local storage, without its metadata service."""

    def __init__(self) -> None:
        super().__init__("Metaflow", "metaflow_tasks.py")

    def python(self) -> Path:
        return peer_environment("metaflow", [METAFLOW, *object_packages()])

    def variables(self, place: Path) -> Mapping[str, str]:
        return {"METAFLOW_HOME": str(place / "settings"), "METAFLOW_USER": "benchmark"}

    def version(self) -> str:
        return installed_version(self.python(), "metaflow")


class HfXet(Inside):
    """hf_xet on files, with a folder in place of its service; its SHA-256 for the hub left out."""

    def __init__(self) -> None:
        super().__init__("hf_xet", "hf_xet_files.py")

    def python(self) -> Path:
        return peer_environment("hf_xet", [HF_XET])

    def variables(self, place: Path) -> Mapping[str, str]:
        return {"HF_XET_CACHE": str(place / "cache"), "HF_HOME": str(place / "home")}

    def version(self) -> str:
        return installed_version(self.python(), "hf_xet")

    def kept(self, place: Path) -> Path:
        return place / "store" / "xet" / "xorbs"  # what lies beside it is a cache


def object_packages() -> list[str]:
    """numpy and pandas as they are here, so that a pickle made there can be read here."""
    packages = [f"numpy=={here('numpy')}", f"pandas=={here('pandas')}"]
    with suppress(BenchmarkError):  # pickles of those who have it need it
        packages.append(f"pyarrow=={here('pyarrow')}")
    return packages


def here(package: str) -> str:
    """The version of `package` in this Python; BenchmarkError if it has none."""
    try:
        return version_here(package)
    except PackageNotFoundError:
        raise BenchmarkError(
            f"{package} is not installed for {sys.executable}", hint="pip install -e '.[examples]'"
        ) from None
