"""Runs in MLflow's SQLite store, through its client as a script of its user would.

    python mlflow_runs.py fill PLACE
    python mlflow_runs.py newest|best PLACE
    python mlflow_runs.py one PLACE ID

Runs in MLflow's own environment. `fill` reads PLACE/runs.jsonl and writes the ids, in order, to
PLACE/ids.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from mlflow.entities import Metric, Param, Run
from mlflow.tracking import MlflowClient
from questions import ACCURACY, BEST, EXPERIMENT, LISTED, NEWEST, fits, tell

_STATUS = {"ok": "FINISHED", "failed": "FAILED"}


def main(action: str, place: Path, *words: str) -> None:
    client = MlflowClient(f"sqlite:///{place / 'mlflow.db'}")
    if action == "fill":
        fill(client, place)
    elif action == NEWEST:
        tell(row(run) for run in newest(client))
    elif action == BEST:
        tell(row(run) for run in best(client))
    else:
        tell([row(client.get_run(words[0]))])


def fill(client: MlflowClient, place: Path) -> None:
    """One call a run for all that it was given and left, which is the least that there can be."""
    experiment = client.create_experiment(EXPERIMENT)
    ids = []
    for line in (place / "runs.jsonl").read_text("utf-8").splitlines():
        run = json.loads(line)
        begun = run["started"] // 1000  # ms
        made = client.create_run(experiment, start_time=begun, run_name=f"run{run['number']}")
        metrics = [Metric(name, value, begun, 0) for name, value in run["results"].items()]
        params = [Param(name, str(value)) for name, value in run["parameters"].items()]
        client.log_batch(made.info.run_id, metrics=metrics, params=params)
        client.set_terminated(made.info.run_id, _STATUS[run["status"]], end_time=begun + 9000)
        ids.append(made.info.run_id)
    (place / "ids.json").write_text(json.dumps(ids), encoding="ascii")


def newest(client: MlflowClient) -> list[Run]:
    order = ["attributes.start_time DESC"]
    return list(client.search_runs([experiment_of(client)], order_by=order, max_results=LISTED))


def best(client: MlflowClient) -> list[Run]:
    """MLflow keeps parameters as texts and compares them for equality alone.

    So the store filters and sorts by the metric, and the script looks at the parameter, page by
    page until it has enough.
    """
    found: list[Run] = []
    for run in sorted_by_accuracy(client):
        if fits(run.data.params["lr"], run.data.metrics["accuracy"]):
            found.append(run)
            if len(found) == LISTED:
                break
    return found


def sorted_by_accuracy(client: MlflowClient) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs(
            [experiment_of(client)],
            f"metrics.accuracy > {ACCURACY}",
            order_by=["metrics.accuracy DESC"],
            max_results=2 * LISTED,
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


def experiment_of(client: MlflowClient) -> str:
    return str(client.get_experiment_by_name(EXPERIMENT).experiment_id)


def row(run: Run) -> dict[str, object]:
    told = {"id": run.info.run_id, "name": run.info.run_name, "status": run.info.status}
    return {**told, **run.data.params, **run.data.metrics}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
