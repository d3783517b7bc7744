"""Environments made from a record: what can be had is there, what cannot is named."""

from __future__ import annotations

import base64
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from making import environment as machine

import mfv
from mfv.checkout import venv
from mfv.checkout.lock import wanted
from mfv.manifest.records import Environment, Package, Source


def make_environment(
    folder: Path, wish: Environment, environ: Mapping[str, str], *, builds: bool = True
) -> venv.Made:
    work = folder.with_name("work")
    work.mkdir()
    return venv.make_environment(folder, wish, environ, work, builds=builds)


def record(*packages: tuple[str, str], sources: Sequence[Source] = (), **facts: str) -> Environment:
    known = {source.name: source for source in sources}
    return msgspec.structs.replace(
        machine(),
        packages=tuple(Package(name, version) for name, version in packages),
        sources=tuple(known.get(name, Source(name)) for name, _ in packages),
        **facts,
    )


def wheel(folder: Path, name: str, version: str) -> None:
    """A wheel of one module that knows its version."""
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\n"
        f"Version: {version}\nRequires-Dist: not-there-at-all\n",
        f"{name}-{version}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\n"
        "Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        lines.append(f"{path},sha256={digest.decode()},{len(text)}")
    files[f"{name}-{version}.dist-info/RECORD"] = "\n".join([*lines, ""])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """Variables that make a folder with two wheels all that an installer can reach."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "tiny", "1.0")
    wheel(folder, "tiny", "2.0")
    wheel(folder, "other", "3.0")
    settings = {"NO_INDEX": "1", "FIND_LINKS": os.fspath(folder)}
    pip = {f"PIP_{name}": value for name, value in settings.items()}
    quiet = {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1", "UV_OFFLINE": "1"}
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
    return {**kept, **pip, **{f"UV_{name}": value for name, value in settings.items()}, **quiet}


def python_of(folder: Path, code: str) -> str:
    words = [os.fspath(folder / "bin" / "python"), "-I", "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_packages_come_in_their_very_version_and_what_is_gone_is_named(
    index: dict[str, str], tmp_path: Path
) -> None:
    wish = record(("gone", "1.0"), ("other", "9.9"), ("tiny", "1.0"), ("mfv-store", "0.0.1"))
    made = make_environment(tmp_path / "env", wish, index)
    assert python_of(made.folder, "import tiny; print(tiny.VERSION)") == "1.0"
    assert (made.installed, made.tool) == (1, "uv" if shutil.which("uv") else "pip")
    assert {package for package, _ in made.missing} == {"gone 1.0", "other 9.9"}
    assert all(why for _, why in made.missing)


def test_mfv_itself_is_the_one_that_makes_the_environment(
    index: dict[str, str], tmp_path: Path
) -> None:
    made = make_environment(tmp_path / "env", record(), index)
    assert python_of(made.folder, "import mfv; print(mfv.__version__)") == mfv.__version__
    where = Path(python_of(made.folder, "import mfv; print(mfv.__file__)"))
    assert where.is_relative_to(made.folder)
    code = "from importlib.metadata import version; print(version('mfv-store'))"
    assert python_of(made.folder, code) == mfv.__version__
    done = subprocess.run([made.folder / "bin" / "mfv", "--version"], capture_output=True)
    assert done.stdout.decode() == f"mfv {mfv.__version__}\n"


def test_another_python_than_the_recorded_one_is_said(
    index: dict[str, str], tmp_path: Path
) -> None:
    made = make_environment(tmp_path / "env", record(python="3.2.1"), index)
    here = python_of(made.folder, "import sys; print('%d.%d.%d' % sys.version_info[:3])")
    assert made.notes == (f"Python 3.2.1, and this environment has {here}",)


SOURCES = [
    Source("editable", kind="directory", url="file:///home/ana/lib", editable=True),
    Source("folder", kind="directory", url="file:///home/ana/other"),
    Source("plain", kind="archive", url="http://example.com/plain.whl"),
    Source("local", kind="archive", url="file:///tmp/local.whl"),
    Source("safe", kind="archive", url="https://example.com/safe.whl"),
    Source("git", kind="vcs", vcs="git", url="https://example.com/git.git", commit="a" * 40),
    Source("old", kind="vcs", vcs="git", url="git://example.com/old.git", commit="a" * 40),
]


def test_what_was_installed_from_a_folder_is_never_asked_of_an_index() -> None:
    found = wanted(record(*((source.name, "1.0") for source in SOURCES), sources=SOURCES))
    assert found.requirements == (
        "safe @ https://example.com/safe.whl",
        f"git @ git+https://example.com/git.git@{'a' * 40}",
    )
    reasons = dict(found.local)
    assert set(reasons) == {f"{n} 1.0" for n in ("editable", "folder", "plain", "local", "old")}
    assert reasons["editable 1.0"] == "it was installed editable from file:///home/ana/lib"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("-r /etc/passwd", "1.0"),
        ("--index-url", "1.0"),
        ("x\n-e .", "1.0"),
        ("x", "1.0\n--index-url=http://evil"),
        ("x", "1.0 ; python_version > '3'"),
        ("x", ""),
        ("", "1.0"),
    ],
)
def test_no_option_of_an_installer_can_stand_in_a_record(name: str, version: str) -> None:
    found = wanted(record((name, version)))
    assert found.requirements == ()
    assert len(found.local) == 1


def test_an_environment_that_cannot_be_made_leaves_an_error(
    index: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(mfv.errors.StorageError, match="no virtual environment can be made"):
        venv.make_environment(tmp_path / "file" / "env", record(), index, tmp_path, builds=True)


UV = """#!/bin/sh
test "$1" = venv && for folder; do :; done && exec PYTHON -m venv --without-pip "$folder"
for listed; do :; done
if grep -q gone "$listed"; then echo "error: something is gone" >&2; exit 1; fi
cat "$listed" >> "$HOME/installed"
"""


@pytest.mark.parametrize("places", [{0}, {39}, {3, 17, 18, 36}, set(range(12))])
def test_those_that_are_gone_do_not_keep_out_the_others(tmp_path: Path, places: set[int]) -> None:
    """Also where the installer does not name them."""
    uv = tmp_path / "uv"
    uv.write_text(UV.replace("PYTHON", shlex.quote(sys.executable)))
    uv.chmod(0o755)
    names = [f"{'gone' if place in places else 'good'}-{place}" for place in range(40)]
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": os.fspath(tmp_path)}
    made = make_environment(tmp_path / "env", record(*((n, "1.0") for n in names)), variables)
    assert {package for package, _ in made.missing} == {f"gone-{place} 1.0" for place in places}
    assert (made.installed, made.tool) == (40 - len(places), "uv")
    installed = (tmp_path / "installed").read_text().split()
    assert sorted(installed) == sorted(f"{name}==1.0" for name in names if "good" in name)


BUILD = """import os
from setuptools import setup

open(os.environ["CANARY"], "w").close()
setup(name="built", version="1.0", py_modules=[])
"""


def test_no_code_of_a_package_runs_where_nothing_is_to_be_built(
    index: dict[str, str], tmp_path: Path
) -> None:
    source = tmp_path / "built-1.0"
    source.mkdir()
    (source / "setup.py").write_text(BUILD)
    (source / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: built\nVersion: 1.0\n")
    shutil.make_archive(str(source), "gztar", tmp_path, "built-1.0")
    shutil.move(tmp_path / "built-1.0.tar.gz", tmp_path / "wheels")
    starts = f"import os; open({os.fspath(tmp_path / 'canary')!r}, 'w').close()\n"
    with zipfile.ZipFile(tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl", "a") as archive:
        archive.writestr("evil.pth", starts)
    variables = {**index, "CANARY": os.fspath(tmp_path / "canary")}
    wish = record(("built", "1.0"), ("tiny", "1.0"))
    made = make_environment(tmp_path / "env", wish, variables, builds=False)
    assert [package for package, _ in made.missing] == ["built 1.0"]
    assert made.installed == 1
    assert not (tmp_path / "canary").exists()
