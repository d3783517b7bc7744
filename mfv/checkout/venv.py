"""A virtual environment with the packages of a run, made by uv where it is there, else by pip."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mfv._version import __version__
from mfv.checkout.child import run_child
from mfv.checkout.lock import OWN, wanted
from mfv.errors import StorageError
from mfv.manifest.records import Environment

# Attempts that fail before any succeeds: each takes seconds where no index can be reached at all.
_ENOUGH, _SPLIT_AFTER = 16, 3
_GONE = re.compile(r"No matching distribution found for ([^\s;]+)")


class Made(NamedTuple):
    """An environment, and what of it could not be had."""

    folder: Path
    python: Path
    tool: str  # `uv` or `pip`
    installed: int  # packages
    missing: tuple[tuple[str, str], ...]  # package and version, and why
    notes: tuple[str, ...]  # what else is not as it was


def make_environment(
    folder: Path,
    environment: Environment,
    environ: Mapping[str, str],
    work: Path,
    *,
    builds: bool,
) -> Made:
    """Makes a virtual environment in `folder`, which must not exist; `work` is for files meanwhile.

    Every package comes in the very version that was recorded, by name from the indexes that the
    installer is set up with, and without any that it asks for besides. mfv itself is the one that
    runs here: its records are read by any later one. With `builds` a package that comes without a
    wheel is built, which runs its code; without, no code of any package runs here.
    Raises StorageError where no environment can be made at all.
    """
    environ = {k: v for k, v in environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environ["TMPDIR"] = os.fspath(work)  # installers that are killed leave much there
    uv = shutil.which("uv", path=environ.get("PATH"))
    tools = _Tools(work, folder, environ, uv, builds)
    notes = tools.create(environment.python)
    site = tools.site_packages()  # before anything is in it that its Python would run
    asked = wanted(environment)
    missing = tools.install(list(asked.requirements))
    _put_own(site, folder)
    installed = len(asked.requirements) - len(missing)
    tool = "uv" if uv else "pip"
    return Made(folder, tools.python, tool, installed, (*asked.local, *missing), notes)


class _Tools:
    """uv or pip, with what they print kept in a file."""

    def __init__(
        self, work: Path, folder: Path, environ: Mapping[str, str], uv: str | None, builds: bool
    ) -> None:
        self._work, self._folder, self._environ, self._uv = work, folder, environ, uv
        self._only = [] if builds else ["--only-binary", ":all:"]
        self.python = folder / "bin" / "python"
        self._failures = 0
        self._reached = False  # whether any package could be had

    def create(self, version: str) -> tuple[str, ...]:
        """Makes the environment with a Python as near to `version` as there is; what is not so."""
        minor = ".".join(version.split(".")[:2])
        here = ".".join(map(str, sys.version_info[:3]))
        if self._uv:
            for asked in dict.fromkeys((version, minor)):
                words = [self._uv, "venv", "--quiet", "--python", asked, os.fspath(self._folder)]
                if re.fullmatch(r"\d+(\.\d+)*\w*", asked) and self._run(words) == 0:
                    return self._python_note(version)
        base, program = getattr(sys, "_base_executable", None) or sys.executable, None
        if not here.startswith(f"{minor}.") and re.fullmatch(r"\d+\.\d+", minor):
            program = shutil.which(f"python{minor}", path=self._environ.get("PATH"))
        # pip works from outside, so that it need not be put in first where it is here already.
        bare = ["--without-pip"] if self._has_pip() else []
        words = [program or base, "-I", "-m", "venv", *bare, os.fspath(self._folder)]
        if self._run(words) != 0:
            raise StorageError(
                f"no virtual environment can be made in {self._folder}: {self._last_line()}",
                hint="install uv, or Python's own venv module",
            )
        return self._python_note(version)

    def install(self, requirements: list[str]) -> list[tuple[str, str]]:
        """Installs all that can be had; the others, and why."""
        missing: list[tuple[str, str]] = []
        todo = deque([requirements])  # the larger groups first: one of them will do, if any can
        while todo:
            group = todo.popleft()
            if not group:
                continue
            if not self._reached and self._failures >= _ENOUGH:
                why = f"not tried, after {_ENOUGH} failures: {self._last_line()}"
                missing += [(one, why) for one in group]
            elif not self._install(group):
                gone = self._gone(group)
                if gone is not None and (self._failures < _SPLIT_AFTER or len(group) == 1):
                    missing.append((gone, "no index has it for this Python and system"))
                    todo.append([one for one in group if one != gone])
                elif len(group) == 1:
                    missing.append((group[0], self._last_line()))
                else:
                    todo += [group[: len(group) // 2], group[len(group) // 2 :]]
        return [(" ".join(re.split("==| @ ", one)), why) for one, why in missing]

    def site_packages(self) -> Path:
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        if self._run([os.fspath(self.python), "-I", "-c", code]) != 0:
            raise StorageError(f"the Python of {self._folder} does not start: {self._last_line()}")
        return Path(self._last_line())

    def _install(self, group: Sequence[str]) -> bool:
        listed = self._work / "requirements.txt"
        listed.write_text("".join(f"{one}\n" for one in group))
        if self._uv:
            words = [self._uv, "pip", "install", "--quiet", "--no-deps"]
            words += ["--python", os.fspath(self.python), *self._only, "-r", os.fspath(listed)]
        elif self._has_pip():
            words = [sys.executable, "-m", "pip", "--python", os.fspath(self.python)]
            words += self._pip_words(listed)
        else:
            words = [os.fspath(self.python), "-m", "pip", *self._pip_words(listed)]
        done = self._run(words) == 0
        self._failures += not done
        self._reached |= done
        return done

    def _pip_words(self, listed: Path) -> list[str]:
        calm = ["--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
        return ["install", *calm, "--retries", "1", *self._only, "-r", os.fspath(listed)]

    def _gone(self, group: Sequence[str]) -> str | None:
        """The one of `group` that the installer names as not to be had."""
        found = _GONE.search(self._output())
        return found[1] if found and found[1] in group else None

    def _python_note(self, version: str) -> tuple[str, ...]:
        code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
        self._run([os.fspath(self.python), "-I", "-c", code])
        here = self._last_line()
        return () if here == version else (f"Python {version}, and this environment has {here}",)

    @staticmethod
    def _has_pip() -> bool:
        return importlib.util.find_spec("pip") is not None

    def _run(self, words: Sequence[str]) -> int:
        with open(self._work / "output", "wb") as output:
            try:
                return run_child(words, self._work, self._environ, output)
            except OSError as error:
                output.write(str(error).encode())
                return 127

    def _output(self) -> str:
        return (self._work / "output").read_text("utf-8", "replace")

    def _last_line(self) -> str:
        lines = [line.strip() for line in self._output().splitlines() if line.strip()]
        told = [line for line in lines if line.lower().startswith("error:")] or lines
        return (told[-1] if told else "nothing was said")[:300]


def _put_own(site: Path, folder: Path) -> None:
    """mfv as it is here, into the environment; no index is asked for it."""
    package = Path(__file__).resolve().parents[1]
    try:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(package, site / "mfv", ignore=ignored, dirs_exist_ok=True)
        facts = site / f"{OWN.replace('-', '_')}-{__version__}.dist-info"
        facts.mkdir(exist_ok=True)
        text = f"Metadata-Version: 2.1\nName: {OWN}\nVersion: {__version__}\n"
        (facts / "METADATA").write_text(text)
        (facts / "INSTALLER").write_text("mfv\n")
        program = folder / "bin" / "mfv"
        lines = [
            f"#!{folder.absolute() / 'bin' / 'python'}",
            "import sys",
            "from mfv.cli.main import main",
            "sys.exit(main())",
        ]
        program.write_text("\n".join(lines) + "\n")
        program.chmod(0o755)
    except OSError as error:
        raise StorageError(f"cannot write {site}: {error.strerror or error}") from error
