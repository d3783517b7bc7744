"""The INFO of a run: what Metaflow's INFO file has, and what it lacks."""

from __future__ import annotations

from typing import Any

from mfv.repo.view import RunView


def info_of(run: RunView) -> dict[str, Any]:
    """Facts about a run's code and environment, ready for JSON."""
    opening, environment, git = run.opening, run.environment, run.opening.git
    return {
        "flow": run.flow,
        "run": run.name,
        "script": opening.script,
        "argv": list(opening.argv),
        "username": opening.user,
        "host": opening.host,
        "runtime": "dev",
        "environment_type": "local",
        "platform": environment.system,
        "python_version": environment.python,
        "python_version_code": environment.python,
        "mfv_version": opening.mfv,
        "ext_info": {},
        "repo_url": git.remote if git else None,
        "branch_name": git.branch if git else None,
        "commit_sha": git.commit if git else None,
        "has_uncommitted_changes": git.dirty if git else None,
        "version": opening.version,
        "code_tree": opening.tree.hex(),
        "variables": dict(opening.variables),
        "system": {
            "release": environment.release,
            "machine": environment.machine,
            "libc": environment.libc,
            "cpu": environment.cpu,
            "cpu_count": environment.cpu_count,
            "memory": environment.memory,
            "gpus": list(environment.gpus),
            "implementation": environment.implementation,
        },
        "packages": {package.name: package.version for package in environment.packages},
    }
