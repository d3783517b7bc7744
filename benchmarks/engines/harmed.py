"""Stores that are harmed: how each is filled, checked by its own means, and read back whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engines.base import PROGRAMS
from engines.commands import GIT_IDENTITY, needs
from engines.kept_runs import FLOW, REFUSED
from engines.libraries import METAFLOW
from harness import BenchmarkError
from mfv_command import MFV, mfv_environment, mfv_version
from peers import installed_version, peer_environment

Parts = Mapping[str, str]  # what was read back: a hash of each part, or `REFUSED`

_PATIENCE = 30.0  # seconds; what takes longer hangs, and gives nothing back
# How git, which warns and goes on, says that something is wrong.
_COMPLAINT = re.compile(r"^(error|fatal|warning|bad|broken|missing)\b", re.MULTILINE)

_SCRIPT = """\
from pathlib import Path

from {package} import FlowSpec, Parameter, step


class {flow}(FlowSpec):
    version = Parameter("version", default="v00")

    @step
    def start(self):
        for path in sorted(Path("versions", self.version).iterdir()):
            setattr(self, path.stem, path.read_bytes())
        print("read", self.version)
        self.next(self.end)

    @step
    def end(self):
        self.done = True


if __name__ == "__main__":
    {flow}()
"""


class Ended(NamedTuple):
    """A command that ended, or was ended."""

    status: int
    text: str


class Store:
    """A store below `place`, which holds the folder `versions` with what is saved."""

    name: str
    checked_by = ""  # the command; empty: there is none

    def __init__(self, place: Path) -> None:
        self.place = place
        self.kept = place / "store"

    def version(self) -> str:
        """Makes the program ready; returns its version. BenchmarkError where it is missing."""
        raise NotImplementedError

    def save(self, version: str) -> None:
        """Keeps the folder versions/VERSION."""
        raise NotImplementedError

    def finds_harm(self) -> bool:
        """Whether its own check says that anything is wrong."""
        raise NotImplementedError

    def read(self, versions: Sequence[str]) -> Parts:
        """Everything back, by processes that know nothing."""
        raise NotImplementedError

    def is_kept(self, key: str) -> bool:
        """Whether the file of that name below `kept` is more than a cache."""
        return True

    def variables(self) -> Mapping[str, str]:
        return {}

    def run(self, *command: str, folder: Path | None = None) -> Ended:
        """Runs a command to its end."""
        environment = {**mfv_environment(), **self.variables()}
        try:
            done = subprocess.run(
                command,
                cwd=folder or self.place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Ended(-1, "it hangs")
        return Ended(done.returncode, done.stdout.decode("utf-8", "replace"))

    def must(self, *command: str, folder: Path | None = None) -> None:
        """Runs a command that has to succeed."""
        done = self.run(*command, folder=folder)
        if done.status != 0:
            raise BenchmarkError(f"`{' '.join(command)}` failed:\n{done.text.strip()[-500:]}")

    def out(self) -> Path:
        """An empty folder to restore to."""
        folder = self.place / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


class Restic(Store):
    name = "restic"
    checked_by = "restic check --read-data"

    def version(self) -> str:
        needs("restic", "apt-get install restic")
        return self.run("restic", "version").text.split()[1]

    def variables(self) -> Mapping[str, str]:
        return {"RESTIC_REPOSITORY": str(self.kept), "RESTIC_PASSWORD": "benchmark"}

    def save(self, version: str) -> None:
        if not self.kept.exists():
            self._must("init")
        self._must("backup", "--quiet", "--tag", version, f"versions/{version}")

    def finds_harm(self) -> bool:
        return self.run("restic", "--no-cache", "--no-lock", "check", "--read-data").status != 0

    def read(self, versions: Sequence[str]) -> Parts:
        command = ("restic", "--no-cache", "--no-lock")
        found = {"list": _hash_or_refusal(self.run(*command, "snapshots", "--json"))}
        for version in versions:
            out = self.out()
            words = ("restore", "latest", "--tag", version, "--target", str(out))
            done = self.run(*command, *words)
            found[version] = REFUSED if done.status else _hash_of(out)
        return found

    def _must(self, *words: str) -> None:
        self.must("restic", "--no-cache", *words)


class Borg(Store):
    name = "borg"
    checked_by = "borg check --verify-data"

    def version(self) -> str:
        needs("borg", "apt-get install borgbackup (from PyPI it must be compiled)")
        return self.run("borg", "--version").text.split()[1]

    def variables(self) -> Mapping[str, str]:
        allow = "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"
        return {"BORG_BASE_DIR": str(self.place / "base"), allow: "yes"}

    def save(self, version: str) -> None:
        if not self.kept.exists():
            self.must("borg", "init", "-e", "none", str(self.kept))
        self.must("borg", "create", f"{self.kept}::{version}", f"versions/{version}")

    def finds_harm(self) -> bool:
        shutil.rmtree(self.place / "base", ignore_errors=True)
        return self.run("borg", "check", "--verify-data", str(self.kept)).status != 0

    def read(self, versions: Sequence[str]) -> Parts:
        shutil.rmtree(self.place / "base", ignore_errors=True)
        told = ("--format", "{archive} {time} {id} {comment}{NL}")
        found = {"list": _hash_or_refusal(self.run("borg", "list", *told, str(self.kept)))}
        for version in versions:
            out = self.out()
            done = self.run("borg", "extract", f"{self.kept}::{version}", folder=out)
            found[version] = REFUSED if done.status else _hash_of(out)
        return found

    def is_kept(self, key: str) -> bool:
        return not key.startswith("lock")


class Git(Store):
    name = "git"
    checked_by = "git fsck --full"

    def version(self) -> str:
        needs("git", "apt-get install git")
        return self.run("git", "--version").text.split()[2]

    def variables(self) -> Mapping[str, str]:
        quiet = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gc.auto", "GIT_CONFIG_VALUE_0": "0"}
        index = str(self.place / "index")  # of this work tree, not of the history
        return {**GIT_IDENTITY, **quiet, "GIT_DIR": str(self.kept), "GIT_INDEX_FILE": index}

    def save(self, version: str) -> None:
        if not self.kept.exists():
            self.must("git", "init", "--quiet", "--bare", "--template=", str(self.kept))
        tree = self.place / "versions" / version
        self.must("git", "--work-tree", str(tree), "add", "-A", folder=tree)
        self.must("git", "--work-tree", str(tree), "commit", "--quiet", "-m", version, folder=tree)
        self.must("git", "tag", version)

    def finds_harm(self) -> bool:
        done = self.run("git", "fsck", "--full")
        return done.status != 0 or _COMPLAINT.search(done.text) is not None

    def read(self, versions: Sequence[str]) -> Parts:
        refs = self.run("git", "for-each-ref")
        found = {"tags and branches": _hash_or_refusal(refs)}
        for version in versions:
            out = self.out()
            (self.place / "index").unlink(missing_ok=True)
            words = ("--work-tree", str(out), "checkout", "--quiet", "--force", version, "--", ".")
            done = self.run("git", *words, folder=out)
            found[version] = REFUSED if done.status else _hash_of(out)
            log = self.run("git", "log", "--format=%H %an %ad %s", version)
            found[f"log of {version}"] = _hash_or_refusal(log)
        return found

    def is_kept(self, key: str) -> bool:
        return key != "COMMIT_EDITMSG"


class PackedGit(Git):
    """git after `git gc`: most of it in one pack, the tags in one file."""

    name = "packed git"

    def save(self, version: str) -> None:
        super().save(version)
        self.must("git", "gc", "--quiet")


class Flows(Store):
    """A store of runs: each version is read by a flow, and kept as its artifacts."""

    package: str

    def python(self) -> str:
        raise NotImplementedError

    def save(self, version: str) -> None:
        script = self.place / "flow.py"
        if not script.exists():
            text = _SCRIPT.format(package=self.package, flow=FLOW)
            script.write_text(text, encoding="ascii")
        self.must(self.python(), "flow.py", "run", "--version", version)

    def read(self, versions: Sequence[str]) -> Parts:
        done = self.run(self.python(), str(PROGRAMS / "kept_runs.py"), self.package)
        lines = done.text.splitlines()
        if done.status != 0 or not lines:
            return {"all": REFUSED}
        try:
            return dict(json.loads(lines[-1]))
        except ValueError:
            return {"all": REFUSED}


class Metaflow(Flows):
    """Metaflow's local datastore with its metadata, read by its client. It has no check."""

    name = "Metaflow"
    package = "metaflow"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.kept = place / ".metaflow"

    def python(self) -> str:
        return str(peer_environment("metaflow", [METAFLOW]))

    def version(self) -> str:
        return installed_version(self.python(), "metaflow")

    def variables(self) -> Mapping[str, str]:
        return {
            "METAFLOW_HOME": str(self.place / "settings"),
            "METAFLOW_USER": "benchmark",
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.place),
        }

    def finds_harm(self) -> bool:
        return False


class Mfv(Flows):
    name = "mfv"
    package = "mfv"
    checked_by = "mfv fsck --data"

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.kept = place / ".mfv"

    def python(self) -> str:
        return sys.executable

    def version(self) -> str:
        return mfv_version()

    def variables(self) -> Mapping[str, str]:
        return {"MFV_USER": "benchmark", "MFV_DIR": str(self.kept)}

    def finds_harm(self) -> bool:
        self._forget()
        done = self.run(*MFV, "fsck", "--data", "--json")
        if done.status != 0:
            return True
        findings = json.loads(done.text)["findings"]
        return any(one["severity"] != "note" for one in findings)

    def read(self, versions: Sequence[str]) -> Parts:
        self._forget()
        return super().read(versions)

    def is_kept(self, key: str) -> bool:
        return not key.startswith(("cache/", "tmp/"))

    def _forget(self) -> None:
        shutil.rmtree(self.kept / "cache", ignore_errors=True)


def files_of(store: Store) -> dict[str, bytes]:
    """What the store keeps, caches aside."""
    paths = (path for path in sorted(store.kept.rglob("*")) if path.is_file())
    found = {path.relative_to(store.kept).as_posix(): path.read_bytes() for path in paths}
    return {key: data for key, data in found.items() if store.is_kept(key)}


def _hash_or_refusal(done: Ended) -> str:
    return REFUSED if done.status else hashlib.sha256(done.text.encode()).hexdigest()


def _hash_of(folder: Path) -> str:
    """One hash over the names and bytes of all files below `folder`."""
    hasher = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = os.fsencode(path.relative_to(folder))
            hasher.update(name + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return hasher.hexdigest()
