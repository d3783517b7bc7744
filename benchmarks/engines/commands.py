"""Engines that are programs, timed as whole commands: restic, borg, DVC, git, and plain copies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engines.base import check_files, fresh, run
from harness import BenchmarkError, Sample
from peers import installed_version, peer_environment

DVC = "dvc==3.67.1"
GIT_IDENTITY = {
    "GIT_AUTHOR_NAME": "benchmark",
    "GIT_AUTHOR_EMAIL": "benchmark@localhost",
    "GIT_COMMITTER_NAME": "benchmark",
    "GIT_COMMITTER_EMAIL": "benchmark@localhost",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}


class _Command:
    """What all of them have in common: the store in `store`, what comes back in `out`."""

    name: str

    def kept(self, place: Path) -> Path:
        return place / "store"


class Copies(_Command):
    """Every version copied and synced: what it costs at the least to have them all."""

    name = "cp + fsync"

    def version(self) -> str:
        return _version_line(["cp", "--version"]).split()[-1]

    def begin(self, place: Path) -> None:
        (place / "store").mkdir(parents=True)

    def store(self, place: Path, source: Path, number: int) -> Sample:
        script = 'cp "$1" "$2" && sync "$2"'
        return run(["sh", "-c", script, "sh", str(source), str(_numbered(place, number))], place)

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        out = fresh(place / "out") / "value"
        cost = run(["cp", str(_numbered(place, number)), str(out)], place)
        check_files(out, source)
        return cost


class Restic(_Command):
    """restic with its defaults: encrypted, zstd, a cache of its own, which is not counted."""

    name = "restic"

    def version(self) -> str:
        needs("restic", "apt-get install restic")
        return _version_line(["restic", "version"]).split()[1]

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)
        run(["restic", "init"], place, self._variables(place))

    def store(self, place: Path, source: Path, number: int) -> Sample:
        tag = f"v{number:02d}"
        command = ["restic", "backup", "--quiet", "--tag", tag, source.name]
        return run(command, source.parent, self._variables(place))

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        out = fresh(place / "out")
        command = ["restic", "restore", "latest", "--tag", f"v{number:02d}", "--target", str(out)]
        cost = run(command, place, self._variables(place))
        check_files(_only(out), source)
        return cost

    def _variables(self, place: Path) -> Mapping[str, str]:
        return {
            "RESTIC_REPOSITORY": str(place / "store"),
            "RESTIC_CACHE_DIR": str(place / "cache"),
            "RESTIC_PASSWORD": "benchmark",
        }


class Borg(_Command):
    """borg, not encrypted, with the compression that is named."""

    def __init__(self, compression: str = "zstd,3") -> None:
        self._compression = compression
        self.name = f"borg ({compression.replace(',', ' ')})"

    def version(self) -> str:
        needs("borg", "apt-get install borgbackup (from PyPI it must be compiled)")
        return _version_line(["borg", "--version"]).split()[1]

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)
        run(["borg", "init", "-e", "none", str(place / "store")], place, self._variables(place))

    def store(self, place: Path, source: Path, number: int) -> Sample:
        archive = f"{place / 'store'}::v{number:02d}"
        command = ["borg", "create", "--compression", self._compression, archive, source.name]
        return run(command, source.parent, self._variables(place))

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        out = fresh(place / "out")
        command = ["borg", "extract", f"{place / 'store'}::v{number:02d}"]
        cost = run(command, out, self._variables(place))
        check_files(_only(out), source)
        return cost

    def _variables(self, place: Path) -> Mapping[str, str]:
        allow = "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"
        return {"BORG_BASE_DIR": str(place / "base"), allow: "yes"}


class Dvc(_Command):
    """`dvc add` of one file in a git work tree; the `.dvc` file of each version is set aside."""

    name = "DVC"

    def version(self) -> str:
        return installed_version(self._python(), "dvc")

    def begin(self, place: Path) -> None:
        work = place / "work"
        work.mkdir(parents=True)
        run(["git", "init", "--quiet"], work, GIT_IDENTITY)
        run([*self._dvc(), "init", "--quiet"], work, self._variables(place))

    def store(self, place: Path, source: Path, number: int) -> Sample:
        work = place / "work"
        (work / "value").unlink(missing_ok=True)
        shutil.copyfile(source, work / "value")  # a copy: `dvc add` may take the file itself
        os.sync()
        cost = run([*self._dvc(), "add", "--quiet", "value"], work, self._variables(place))
        shutil.copyfile(work / "value.dvc", place / f"v{number:02d}.dvc")
        return cost

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        work = place / "work"
        (work / "value").unlink(missing_ok=True)
        shutil.copyfile(place / f"v{number:02d}.dvc", work / "value.dvc")
        command = [*self._dvc(), "checkout", "--quiet", "--force", "value.dvc"]
        cost = run(command, work, self._variables(place))
        check_files(work / "value", source)
        return cost

    def kept(self, place: Path) -> Path:
        return place / "work" / ".dvc" / "cache"

    def _dvc(self) -> list[str]:
        return [str(self._python()), "-m", "dvc"]

    def _python(self) -> Path:
        return peer_environment("dvc", [DVC])

    def _variables(self, place: Path) -> Mapping[str, str]:
        site = {"DVC_SITE_CACHE_DIR": str(place / "site"), "DVC_NO_ANALYTICS": "1"}
        return {**GIT_IDENTITY, **site}


class Git(_Command):
    """`git add -A` and `git commit` of a folder, the repository outside of it; git's defaults."""

    name = "git"

    def version(self) -> str:
        needs("git", "apt-get install git")
        return _version_line(["git", "--version"]).split()[2]

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)
        run(["git", "init", "--quiet", "--bare", str(place / "store")], place, GIT_IDENTITY)

    def store(self, place: Path, source: Path, number: int) -> Sample:
        script = 'git add -A && git commit --quiet --allow-empty -m "$1" && git tag "$1"'
        command = ["sh", "-c", script, "sh", f"v{number:02d}"]
        return run(command, source, self._variables(place, source))

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        out = fresh(place / "out")
        variables = {**self._variables(place, out), "GIT_INDEX_FILE": str(place / "index")}
        (place / "index").unlink(missing_ok=True)
        command = ["git", "checkout", "--quiet", "--force", f"v{number:02d}", "--", "."]
        cost = run(command, out, variables)
        check_files(out, source)
        return cost

    def _variables(self, place: Path, tree: Path) -> Mapping[str, str]:
        # Its own maintenance would run at a moment of its choosing, in another's time.
        quiet = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "gc.auto", "GIT_CONFIG_VALUE_0": "0"}
        places = {"GIT_DIR": str(place / "store"), "GIT_WORK_TREE": str(tree)}
        return {**GIT_IDENTITY, **quiet, **places}


def needs(program: str, how: str) -> None:
    """BenchmarkError unless `program` is on the PATH."""
    if shutil.which(program) is None:
        raise BenchmarkError(f"no `{program}` on the PATH", hint=how)


def _numbered(place: Path, number: int) -> Path:
    return place / "store" / f"v{number:02d}"


def _only(folder: Path) -> Path:
    """The one thing in `folder`."""
    found = list(folder.iterdir())
    if len(found) != 1:
        raise BenchmarkError(f"{len(found)} things came back in place of one")
    return found[0]


def _version_line(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout.strip():
        raise BenchmarkError(f"`{' '.join(command)}` failed: {done.stderr.strip()[:200]}")
    return done.stdout.splitlines()[0]
