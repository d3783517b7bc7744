"""The INFO of a run: what Metaflow's INFO file has, and what it lacks."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec

from mfv.manifest.artifact import Artifact
from mfv.manifest.records import Environment
from mfv.repo.view import RunView

_SEED_WORDS = frozenset({"seed", "seeds", "randomstate"})


def info_of(run: RunView) -> dict[str, Any]:
    """Facts about a run's code and environment, ready for JSON. What is not known is None."""
    opening, environment, git = run.opening, run.environment, run.opening.git
    extensions = {
        one.name: {"package": one.package, "version": one.version} for one in environment.extensions
    }
    return {
        "flow": run.flow,
        "run": run.name,
        "id": run.run_id,
        "created": opening.created,
        "script": opening.script,
        "argv": list(opening.argv),
        "folder": opening.cwd,
        "username": opening.user,
        "host": opening.host,
        "runtime": "dev",
        "environment_type": "local",
        "platform": environment.system,
        "python_version": environment.python,
        "python_version_code": environment.python,
        "mfv_version": opening.mfv,
        "ext_info": extensions,
        "repo_url": git.remote if git else None,
        "branch_name": git.branch if git else None,
        "commit_sha": git.commit if git else None,
        "has_uncommitted_changes": git.dirty if git else None,
        "changed_files": list(git.changed) if git else None,
        "version": opening.version,
        "code_tree": opening.tree.hex(),
        "files_left_out": {one.path: one.reason for one in opening.left_out},
        "cloned_from": opening.cloned_from,
        "resumed_from": None if opening.resumed_from is None else str(opening.resumed_from),
        "parameters": dict(opening.options),
        "variables": dict(opening.variables),
        "seeds": seeds_of(run),
        **environment_info(environment),
    }


def environment_info(environment: Environment) -> dict[str, Any]:
    """An environment for INFO: machine and Python under `system`, then its packages."""
    system = environment_json(environment)
    for key in ("python", "packages", "sources", "extensions"):
        system.pop(key, None)
    return {
        "system": system,
        "packages": {package.name: package.version for package in environment.packages},
        "sources": sources_of(environment),
    }


def sources_of(environment: Environment) -> dict[str, dict[str, Any]]:
    """By package, what of its source is known."""
    found = {}
    for source in environment.sources:
        facts: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(source, content=b""))
        del facts["name"]
        facts = {"kind": source.kind, **facts}
        if source.hashes:
            facts["hashes"] = list(source.hashes)
        if source.content:
            facts["content"] = source.content.hex()
        found[source.name] = facts
    return found


def environment_json(environment: Environment) -> dict[str, Any]:
    """All of an environment, for JSON, under the names of its record."""
    # Not by msgspec, which leaves out what is at its default.
    found: dict[str, Any] = {
        name: getattr(environment, name) for name in environment.__struct_fields__
    }
    found["gpus"] = list(environment.gpus)
    found["cpu_features"] = list(environment.cpu_features)
    found["packages"] = [[one.name, one.version] for one in environment.packages]
    found["extensions"] = [[e.name, e.package, e.version] for e in environment.extensions]
    found["gpu_details"] = [msgspec.structs.asdict(gpu) for gpu in environment.gpu_details]
    sources = sources_of(environment)
    found["sources"] = [{"name": one.name, **sources[one.name]} for one in environment.sources]
    return found


def seeds_of(run: RunView) -> dict[str, Any]:
    """What random numbers began from, as far as it is known.

    PYTHONHASHSEED: `random`, a number, or None where it was not recorded; then each parameter and
    class constant whose name says that it is a seed.
    """
    given = (*run.opening.parameters, *run.opening.constants)
    named = {one.name: one.value for one in given if _is_seed(one)}
    return {"PYTHONHASHSEED": run.opening.hash_seed or None, **named}


def _is_seed(artifact: Artifact) -> bool:
    if not isinstance(artifact.value, (int, str)):
        return False
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", artifact.name)]
    pairs = {first + second for first, second in pairwise(words)}
    return not _SEED_WORDS.isdisjoint({*words, *pairs})
