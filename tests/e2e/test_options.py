"""Parameters and options of a run: where they come from, and what is refused before it begins."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from processes import Place

BODY = """
alpha = Parameter("alpha", default=0.5)
deep_count = Parameter("deep-count", type=int, default=1)
names = Parameter("names", type=JSONType, default="{}")
flag = Parameter("flag", type=bool, default=False)
who = Parameter("who", required=True)

@step
def start(self):
    self.seen = (self.alpha, self.deep_count, self.names, self.flag, self.who)
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture
def flow(place: Place) -> Place:
    place.write(BODY)
    return place


def test_options_become_attributes_of_their_type(flow: Place) -> None:
    words = ["--alpha", "2", "--deep-count=7", "--names", '{"a": [1]}', "--flag", "true"]
    flow.run(*words, "--who", "Zoë")
    assert flow.values("start")["seen"] == (2.0, 7, {"a": [1]}, True, "Zoë")


@pytest.mark.parametrize("prefix", ["MFV_RUN_", "METAFLOW_RUN_"])
def test_the_environment_gives_what_no_option_gives(flow: Place, prefix: str) -> None:
    flow.variables = {f"{prefix}ALPHA": "3.5", f"{prefix}DEEP_COUNT": "9", f"{prefix}WHO": "env"}
    flow.run("--who", "option")
    assert flow.values("start")["seen"] == (3.5, 9, {}, False, "option")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--who", "x", "--alpah", "1"], "alpha"),
        (["--who", "x", "--alpha", "fast"], "alpha"),
        (["--who", "x", "--deep-count", "1.5"], "deep-count"),
        (["--who", "x", "--names", "{"], "names"),
        (["--who", "x", "--alpha"], "alpha"),
        (["--who", "x", "--max-workers", "0"], "max-workers"),
        (["--who", "x", "--max-workers", "many"], "max-workers"),
        (["--who", "x", "--tag", ""], "tag"),
        (["--who", "x", "stray"], "stray"),
        ([], "who"),
    ],
)
def test_what_makes_no_sense_is_refused_and_no_run_is_made(
    flow: Place, words: list[str], said: str
) -> None:
    done = flow.python("flow.py", "run", *words)
    assert done.code == 2, done.text
    assert said in done.err
    assert done.err.lower().count("error") == 1, done.err
    assert "Traceback" not in done.err
    assert not flow.store.exists()


def test_a_wrong_value_from_the_environment_is_refused_by_its_name(flow: Place) -> None:
    flow.variables = {"MFV_RUN_ALPHA": "fast"}
    done = flow.python("flow.py", "run", "--who", "x")
    assert done.code == 2, done.text
    assert "alpha" in done.err.lower()
    assert not flow.store.exists()


def test_the_number_of_the_run_goes_to_the_file_that_is_asked_for(flow: Place) -> None:
    flow.run("--who", "x", "--run-id-file", "number")
    flow.run("--who", "x", "--run-id-file", "number")
    assert (flow.folder / "number").read_text().strip() == "2"


def test_max_workers_is_how_many_tasks_run_at_a_time(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.items = list(range(6))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            self.begun = time.time()
            time.sleep(0.05)
            self.over = time.time()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.spans = [(one.begun, one.over) for one in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run("--max-workers", "1")
    spans = place.values("join")["spans"]
    assert all(over <= begun for (_, over), (begun, _) in pairwise(spans))


def test_more_workers_than_files_may_be_open_is_no_trouble(place: Place) -> None:
    import resource

    place.write(
        """
        @step
        def start(self):
            self.items = list(range(60))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            time.sleep(0.1)
            self.next(self.join)

        @step
        def join(self, inputs):
            self.count = len(inputs)
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )

    def few_files() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    done = place.python("flow.py", "run", "--max-workers", "1000", preexec_fn=few_files)
    assert done.code == 0, done.text
    assert place.values("join")["count"] == 60


def test_a_file_for_the_number_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path / "project", BODY_OF_TWO)
    done = place.python("flow.py", "run", "--run-id-file", "no/such/folder/number")
    assert done.code == 2
    assert "no/such/folder/number" in done.err
    assert not place.store.exists()


def test_a_flow_without_any_output_runs_all_the_same(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", BODY_OF_TWO)
    command = ["sh", "-c", 'exec "$0" flow.py run >&- 2>&-', sys.executable]
    closed = subprocess.run(command, cwd=place.folder, env=place.environment(), check=False)
    assert closed.returncode == 0
    assert place.statuses() == {"F/1": "ok"}


BODY_OF_TWO = """
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""
