"""Runs as experiments of DVC in a git repository, asked for as a script of its user would.

    python dvc_experiments.py fill PLACE
    python dvc_experiments.py best
    python dvc_experiments.py one NAME

Runs in DVC's own environment, the questions in the repository. `fill` reads PLACE/runs.jsonl and
saves each run as `dvc exp save` does; the repository is PLACE/work.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dvc.api
from dvc.repo import Repo
from questions import BEST, LISTED, fits, tell

_STAGE = "params:\n- params.json\nmetrics:\n- metrics.json\n"


def main(action: str, *words: str) -> None:
    if action == "fill":
        fill(Path(words[0]))
    elif action == BEST:
        # The first two rows are the work tree and the commit that the runs go out from.
        rows = [row for row in dvc.api.exp_show() if row["Experiment"] is not None]
        rows = [row for row in rows if fits(row["lr"], row["accuracy"])]
        tell(sorted(rows, key=lambda row: -float(row["accuracy"]))[:LISTED])
    else:
        tell([{**dvc.api.params_show(rev=words[0]), **dvc.api.metrics_show(rev=words[0])}])


def fill(place: Path) -> None:
    """Every run written into the work tree and saved, all by one process."""
    runs = [json.loads(line) for line in (place / "runs.jsonl").read_text("utf-8").splitlines()]
    os.chdir(place / "work")
    Path("dvc.yaml").write_text(_STAGE, encoding="ascii")
    write(runs[0])
    for command in (["add", "-A"], ["commit", "--quiet", "-m", "the code of all runs"]):
        subprocess.run(["git", *command], check=True)
    repository = Repo(".")
    for run in runs:
        write(run)
        repository.experiments.save(name=f"run{run['number']}", force=True)


def write(run: dict[str, object]) -> None:
    for name, values in (("params", run["parameters"]), ("metrics", run["results"])):
        Path(f"{name}.json").write_text(json.dumps(values), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
