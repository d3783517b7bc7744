"""Histories of runs: mfv's and its peers', each filled with the same runs and asked the same."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from engines.base import PROGRAMS, run
from engines.commands import DVC, GIT_IDENTITY, needs
from engines.libraries import METAFLOW
from engines.questions import ACCURACY, BEST, LISTED, LR, NEWEST, ONE
from harness import BenchmarkError
from mfv_command import MFV, mfv_environment, mfv_version
from peers import installed_version, peer_environment
from workloads.history import Maker, flow_of, started_of, status_of, values_of

MLFLOW = "mlflow==3.17.0"
WHERE = f"lr < {LR} and accuracy > {ACCURACY}"


class History(Protocol):
    """One contender. Every method may raise BenchmarkError, which says why it cannot go on.

    `place` is a folder of its own; runs are known by their numbers, from 0 on.
    """

    name: str
    limit: int | None  # the most runs that it is asked to hold, for making them takes so long

    def version(self) -> str:
        """Makes it ready, installing it if need be; returns its version."""

    def fill(self, place: Path, count: int, seed: int) -> None:
        """Puts so many runs into `place`, which is there and empty."""

    def command(self, place: Path, question: str, number: int) -> Sequence[str]:
        """What its user types for the answer; `number` is the run that `one` is about."""

    def environment(self, place: Path) -> Mapping[str, str]:
        """All variables of that command."""

    def folder(self, place: Path) -> Path:
        """Where it runs."""

    def answer(self, place: Path, question: str, number: int) -> list[int]:
        """The runs that it answers with."""


class Mfv:
    """The commands as they are typed; `--json` for who compares the answers."""

    name = "mfv"
    limit: int | None = None

    def version(self) -> str:
        return mfv_version()

    def fill(self, place: Path, count: int, seed: int) -> None:
        Maker(place / ".mfv", seed).add(count, archived=True)

    def command(self, place: Path, question: str, number: int) -> Sequence[str]:
        some = ["-n", str(LISTED)]
        flow, of_flow = flow_of(number)
        words = {
            NEWEST: ["log", *some],
            BEST: ["log", "--where", WHERE, "--sort", "-accuracy", *some],
            ONE: ["show", f"{flow}/{of_flow}"],
        }
        return [*MFV, *words[question]]

    def environment(self, place: Path) -> Mapping[str, str]:
        return mfv_environment()

    def folder(self, place: Path) -> Path:
        return place

    def answer(self, place: Path, question: str, number: int) -> list[int]:
        text = _printed([*self.command(place, question, number), "--json"], self, place)
        rows = [json.loads(text)] if question == ONE else list(map(json.loads, text.splitlines()))
        return [row["parameters"]["seed"] for row in rows]


class MlFlow:
    """MLflow's client on its SQLite store."""

    name = "MLflow"
    limit: int | None = 10_000
    _program = PROGRAMS / "mlflow_runs.py"

    def version(self) -> str:
        return installed_version(self._python(), "mlflow")

    def fill(self, place: Path, count: int, seed: int) -> None:
        _write_runs(place, count, seed)
        _run([str(self._python()), str(self._program), "fill", str(place)], self, place)

    def command(self, place: Path, question: str, number: int) -> Sequence[str]:
        words = [question, str(place)]
        if question == ONE:
            words.append(_ids(place)[number])
        return [str(self._python()), str(self._program), *words]

    def environment(self, place: Path) -> Mapping[str, str]:
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
        return {**mfv_environment(), **quiet}

    def folder(self, place: Path) -> Path:
        return place

    def answer(self, place: Path, question: str, number: int) -> list[int]:
        text = _printed(self.command(place, question, number), self, place)
        return [int(json.loads(line)["seed"]) for line in text.splitlines()]

    def _python(self) -> Path:
        return peer_environment("mlflow", [MLFLOW])


class MetaflowClient:
    """Metaflow's client on its local datastore, where each run was run as a flow of its own."""

    name = "Metaflow"
    limit: int | None = 100
    _program = PROGRAMS / "metaflow_client.py"

    def version(self) -> str:
        return installed_version(self._python(), "metaflow")

    def fill(self, place: Path, count: int, seed: int) -> None:
        source = (PROGRAMS.parent / "workloads" / "trained.py").read_text("utf-8")
        source = source.replace("from mfv import ", "from metaflow import ")
        (place / "flow.py").write_text(source, encoding="utf-8")
        ids = []
        for number in range(count):
            parameters, results = values_of(number, seed)
            given = [word for name, value in parameters.items() for word in (f"--{name}", value)]
            words = ["flow.py", "--quiet", "run", "--run-id-file", "id", *map(str, given)]
            results_too = {**self.environment(place), "BENCH_RESULTS": json.dumps(results)}
            run([str(self._python()), *words], place, results_too)
            ids.append((place / "id").read_text("ascii").strip())
        (place / "ids.json").write_text(json.dumps(ids), encoding="ascii")

    def command(self, place: Path, question: str, number: int) -> Sequence[str]:
        words = [question, _ids(place)[number]] if question == ONE else [question]
        return [str(self._python()), str(self._program), *words]

    def environment(self, place: Path) -> Mapping[str, str]:
        own = {
            "METAFLOW_HOME": str(place / "settings"),
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(place),
            "METAFLOW_USER": "benchmark",
            "USERNAME": "benchmark",
        }
        return {**mfv_environment(), **own}

    def folder(self, place: Path) -> Path:
        return place

    def answer(self, place: Path, question: str, number: int) -> list[int]:
        text = _printed(self.command(place, question, number), self, place)
        numbers = {one: number for number, one in enumerate(_ids(place))}
        return [numbers[json.loads(line)["id"]] for line in text.splitlines()]

    def _python(self) -> Path:
        return peer_environment("metaflow", [METAFLOW])


class DvcExperiments:
    """DVC's experiments: `dvc exp show`, which has no filter and lists all, or its `dvc.api`."""

    name = "DVC"
    limit: int | None = 100
    _program = PROGRAMS / "dvc_experiments.py"

    def version(self) -> str:
        needs("git", "apt-get install git")
        return installed_version(self._python(), "dvc")

    def fill(self, place: Path, count: int, seed: int) -> None:
        _write_runs(place, count, seed)
        work = self.folder(place)
        work.mkdir()
        run(["git", "init", "--quiet"], work, self.environment(place))
        run([*self._dvc(), "init", "--quiet"], work, self.environment(place))
        _run([str(self._python()), str(self._program), "fill", str(place)], self, place)

    def command(self, place: Path, question: str, number: int) -> Sequence[str]:
        if question == NEWEST:
            return [*self._dvc(), "exp", "show", "--no-pager"]
        words = [question, f"run{number}"] if question == ONE else [question]
        return [str(self._python()), str(self._program), *words]

    def environment(self, place: Path) -> Mapping[str, str]:
        own = {"DVC_SITE_CACHE_DIR": str(place / "site"), "DVC_NO_ANALYTICS": "1"}
        return {**mfv_environment(), **GIT_IDENTITY, **own}

    def folder(self, place: Path) -> Path:
        return place / "work"

    def answer(self, place: Path, question: str, number: int) -> list[int]:
        command = self.command(place, question, number)
        if question != NEWEST:
            lines = _printed(command, self, place).splitlines()
            return [int(float(json.loads(line)["seed"])) for line in lines]
        table = csv.DictReader(_printed([*command, "--csv"], self, place).splitlines())
        found = [int(float(row["seed"])) for row in table if row["typ"] == "branch_commit"]
        # It lists all, in the order of their names; the newest among them are for its user to see.
        return sorted(found, reverse=True)[:LISTED]

    def _dvc(self) -> list[str]:
        return [str(self._python()), "-m", "dvc"]

    def _python(self) -> Path:
        return peer_environment("dvc", [DVC])


def _write_runs(place: Path, count: int, seed: int) -> None:
    """What the peers' programs read."""
    with (place / "runs.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            parameters, results = values_of(number, seed)
            facts = {"number": number, "started": started_of(number), "status": status_of(number)}
            file.write(json.dumps({**facts, "parameters": parameters, "results": results}) + "\n")


def _ids(place: Path) -> list[str]:
    """The peer's own names for the runs, by number."""
    found: list[str] = json.loads((place / "ids.json").read_text("ascii"))
    return found


def _run(command: Sequence[str], history: History, place: Path) -> None:
    run(command, history.folder(place), history.environment(place))


def _printed(command: Sequence[str], history: History, place: Path) -> str:
    """What a command prints; BenchmarkError with its last words if it fails."""
    done = subprocess.run(
        command,
        cwd=history.folder(place),
        env=dict(history.environment(place)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["(no message)"])[-1]
        raise BenchmarkError(f"{history.name} failed with status {done.returncode}: {last}")
    return done.stdout
