"""Introduces many runs to comparison: a table of only what differs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mfv.diff.many import ManyDiff, Row
from mfv.manifest.artifact import Artifact
from mfv.repo.view import RunView

_Facts = Callable[[RunView], Mapping[str, str | None]]


def compare_many(runs: Sequence[RunView], text: Callable[[Artifact], str]) -> ManyDiff:
    """What differs between any two of `runs`. `text`: an artifact in a few words."""

    def values(of: Callable[[RunView], Mapping[str, Artifact]]) -> _Facts:
        return lambda run: {name: text(one) for name, one in of(run).items()}

    sections: list[tuple[str, _Facts]] = [
        ("status", lambda run: {"status": run.status}),
        ("params", values(lambda run: run.parameters)),
        ("constants", values(lambda run: run.constants)),
        ("metrics", values(lambda run: run.metrics)),
        ("code", _code),
        ("packages", lambda run: {one.name: one.version for one in run.environment.packages}),
        ("machine", _machine),
    ]
    rows = []
    same = 0
    for section, facts in sections:
        found = [facts(run) for run in runs]
        for name in dict.fromkeys(name for one in found for name in one):
            texts = tuple(one.get(name) for one in found)
            if len(set(texts)) > 1:
                rows.append(Row(section, name, texts))
            else:
                same += 1
    return ManyDiff(tuple(run.name for run in runs), tuple(rows), same)


def _code(run: RunView) -> dict[str, str | None]:
    git = run.opening.git
    commit = None if git is None or git.commit is None else git.commit[:12]
    return {"snapshot": run.opening.tree.hex()[:8], "commit": commit}


def _machine(run: RunView) -> dict[str, str | None]:
    machine = run.environment
    return {
        "host": run.opening.host,
        "python": machine.python,
        "system": f"{machine.system} {machine.release}",
        "cpu": machine.cpu,
        "gpus": ", ".join(machine.gpus) or None,
    }
