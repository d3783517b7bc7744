"""Several real users of one machine: only root can be them all."""

from __future__ import annotations

import contextlib
import grp
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from commands import Ended, environment

import mfv

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


class User(NamedTuple):
    """Somebody with a home, a umask and groups; no account is needed."""

    name: str
    uid: int
    groups: tuple[int, ...]
    home: Path
    umask: int

    def python(self, folder: Path, *words: str, **variables: str) -> Ended:
        """`python WORDS` as this user, waited for."""
        places = f"{Path(mfv.__file__).parent.parent}:{sysconfig.get_path('purelib')}"
        told = {"MFV_USER": self.name, "HOME": str(self.home), "TMPDIR": str(self.home)}
        env = {**environment(), "PYTHONPATH": places, "PYTHONDONTWRITEBYTECODE": "1", **told}
        for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "SUDO_UID"):
            env.pop(name, None)
        done = subprocess.run(
            [_interpreter(), *words],
            cwd=folder,
            env={**env, **variables},
            capture_output=True,
            timeout=120,
            user=self.uid,
            group=self.uid,
            extra_groups=self.groups,
            umask=self.umask,
            check=False,
        )
        out, err = (part.decode("utf-8", "replace") for part in (done.stdout, done.stderr))
        return Ended(done.returncode, out, err)

    def mfv(self, folder: Path, *words: str, **variables: str) -> Ended:
        """`mfv WORDS` as this user."""
        ended = self.python(folder, "-m", "mfv", *words, **variables)
        assert "Traceback" not in ended.err, ended.err
        return ended


class Machine(NamedTuple):
    """A folder that every user can come to, and a group that is there."""

    folder: Path
    group: grp.struct_group

    def user(self, name: str, place: int, *, member: bool, umask: int = 0o022) -> User:
        home = self.folder / f"home-{name}"
        home.mkdir(exist_ok=True)
        uid = 54_320 + place
        os.chown(home, uid, uid)
        home.chmod(0o700)
        return User(name, uid, (self.group.gr_gid,) if member else (), home, umask)

    def folder_of(self, user: User, name: str = "project") -> Path:
        """A folder of that user which everybody may look into."""
        folder = self.folder / name
        folder.mkdir()
        folder.chmod(0o755)
        os.chown(folder, user.uid, user.uid)
        return folder


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """Skips where other users could not get at it or run Python."""
    folder = Path(tempfile.mkdtemp(prefix="mfv-users-"))
    try:
        folder.chmod(0o755)
        if not _is_open(folder):
            pytest.skip("the folder for temporary files is closed to other users")
        if not _interpreter():
            pytest.skip("other users cannot run this Python")
        groups = [one for one in grp.getgrall() if 0 < one.gr_gid < 54_000]
        if not groups:
            pytest.skip("there is no group")
        yield Machine(folder, groups[0])
    finally:
        shutil.rmtree(folder)


def _interpreter() -> str:
    """A Python of this version that any user may run; empty without one."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for path in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        real = Path(path).resolve()
        if real.exists() and _is_open(real) and _is_open(Path(path).absolute()):
            return path
    return ""


def _is_open(path: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))
