"""The versions of a workload as files: made once, or found where somebody else made them."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from engines.libraries import object_packages
from harness import BenchmarkError
from peers import CACHE, peer_environment

COUNT = 10
SMALL = 0.01  # of the full scale: what --quick takes
_WRITE = Path(__file__).with_name("workloads") / "write.py"
_NAME = re.compile(r"v(\d+)(\..*)?")


class Versions(NamedTuple):
    """What a workload's engines are given."""

    forms: Mapping[str, Sequence[Path]]  # form -> its versions in order
    facts: Mapping[str, int]


def make(
    workload: str, forms: Sequence[str], *, scale: float, seed: int, count: int = COUNT
) -> Versions:
    """Makes the versions in an environment of their own, or takes those of an earlier call."""
    packages = object_packages()
    if not any(package.startswith("pyarrow") for package in packages):
        packages.append("pyarrow")
    wanted = json.dumps([workload, sorted(forms), scale, seed, count, packages, _sources(workload)])
    name = f"{workload}-{scale:g}-{seed}-{hashlib.sha256(wanted.encode()).hexdigest()[:10]}"
    folder = CACHE / "versions" / name
    if not (folder / "facts.json").exists():  # written last
        shutil.rmtree(folder, ignore_errors=True)
        python = peer_environment("workloads", packages)
        print(f"making the versions of {workload} at scale {scale:g}, once", file=sys.stderr)
        command = [str(python), str(_WRITE), workload, str(folder), "--scale", str(scale)]
        command += ["--seed", str(seed), "--versions", str(count), "--forms", ",".join(forms)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(
                f"the versions of {workload} were not made:\n{done.stderr[-2000:]}"
            )
    facts = json.loads((folder / "facts.json").read_text("ascii"))
    return Versions({form: find(folder, form) for form in forms}, facts)


def given(folder: Path, forms: Sequence[str]) -> Versions:
    """The versions below `folder`, of those forms that are there; BenchmarkError if none is."""
    there = {form: find(folder, form) for form in forms if (folder / form).is_dir()}
    if not there:
        there = {form: found for form in forms if (found := find(folder, form))}
    if not there:
        raise BenchmarkError(
            f"{folder} holds no versions",
            hint=f"files v00, v01, ... in it, or in folders called {', '.join(forms)}",
        )
    return Versions(there, {})


def find(folder: Path, form: str) -> list[Path]:
    """The versions of `form` in `folder`/`form`, or else in `folder` itself, in order.

    Files `v00`, `v01`, ... with any suffix, or folders of such names with one file each. Where
    they lie in `folder` itself, the suffix must be the form's.
    """
    inside = (folder / form).is_dir()
    found: dict[int, Path] = {}
    for path in sorted((folder / form if inside else folder).iterdir()):
        matched = _NAME.fullmatch(path.name)
        if matched is None:
            continue
        if path.is_dir():
            files = list(path.iterdir())
            if len(files) != 1:
                raise BenchmarkError(f"{path} holds {len(files)} files in place of one")
            path = files[0]
        if inside or path.suffix in ("", f".{form}"):
            found[int(matched[1])] = path
    if sorted(found) != list(range(len(found))):
        raise BenchmarkError(f"the versions of {form} in {folder} are not numbered v00, v01, ...")
    return [found[number] for number in sorted(found)]


def _sources(workload: str) -> str:
    """Changes with the programs that make the versions."""
    texts = [path.read_text("utf-8") for path in (_WRITE, _WRITE.with_name(f"{workload}.py"))]
    return hashlib.sha256("".join(texts).encode()).hexdigest()
