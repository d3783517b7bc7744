"""`mfv log`: which runs, in which order, in which form."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commands import mfv_command, python, start
from histories import Made, fast_repository, make, random_run

from mfv.index.opening import current

RUNS = [
    Made("TrainFlow", {"lr": 0.1, "opt": "adam"}, {"accuracy": 0.7}, tags=("base",)),
    Made("TrainFlow", {"lr": 0.2, "opt": "sgd"}, {"accuracy": 0.8}, script=b"a = 2\n"),
    Made("EvalFlow", {}, {"score": 3}, status="failed"),
    Made("TrainFlow", {"lr": 0.3, "opt": "adam"}, {"accuracy": 0.9}, tags=("prod",)),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of these runs; not to be written to."""
    folder = tmp_path_factory.mktemp("log")
    repository = fast_repository(folder / ".mfv")
    for run in RUNS:
        make(repository, run)
    return folder


def names(folder: Path, *words: str) -> list[str]:
    ended = mfv_command(folder, "log", *words, "--format", "{name}")
    assert (ended.status, ended.err) == (0, ""), ended
    return ended.out.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--where", "lr < 0.25"], ["TrainFlow/2", "TrainFlow/1"]),
        (["-w", "accuracy >= 0.8 and not tag:prod"], ["TrainFlow/2"]),
        (["--where", "opt ~ '^ad' or score > 2"], ["TrainFlow/3", "EvalFlow/1", "TrainFlow/1"]),
        (["--where", "code:flow.py"], ["EvalFlow/1", "TrainFlow/3", "TrainFlow/2", "TrainFlow/1"]),
        (["--where", "package:numpy<2"], []),
        (["--where", "status = failed"], ["EvalFlow/1"]),
        (["--status", "failed"], ["EvalFlow/1"]),
        (["--tag", "prod"], ["TrainFlow/3"]),
        (["TrainFlow", "-n", "1"], ["TrainFlow/3"]),
        (["--sort", "-accuracy"], ["TrainFlow/3", "TrainFlow/2", "TrainFlow/1", "EvalFlow/1"]),
        (["--sort", "opt,-lr"], ["TrainFlow/3", "TrainFlow/1", "TrainFlow/2", "EvalFlow/1"]),
        (["--sort", "accuracy", "-n", "1"], ["TrainFlow/1"]),
        (["--reverse", "-n", "2"], ["EvalFlow/1", "TrainFlow/3"]),
        (["--since", "1h"], ["TrainFlow/3", "EvalFlow/1", "TrainFlow/2", "TrainFlow/1"]),
        (["--until", "2020-01-01"], []),
        (["--since", "yesterday", "--until", "now", "-n", "1"], ["TrainFlow/3"]),
    ],
)
def test_the_runs_that_are_asked_for(runs: Path, words: list[str], expected: list[str]) -> None:
    found = names(runs, *words)
    if words == ["--where", "code:flow.py"]:
        found, expected = sorted(found), sorted(expected)
    assert found == expected


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--where", "lr <"], 2, "a value is wanted"),
        (["--where", "lrr < 1"], 2, "did you mean 'lr'?"),
        (["--where", "lr < high"], 2, "lr is a number, and not text"),
        (["--sort", "accurcy"], 2, "did you mean 'accuracy'"),
        (["--columns", "nme"], 2, "did you mean"),
        (["--columns", "name,,lr"], 2, "between two commas"),
        (["--group-by", "nix"], 2, "no run has a field 'nix'"),
        (["--format", "{name"], 2, "--format"),
        (["--format", "{}"], 2, "holds no field"),
        (["--format", "{name:^^}"], 2, "no layout"),
        (["--since", "soon"], 2, "'soon' is no time"),
        (["--tag", "prd"], 3, "did you mean 'prod'?"),
        (["TrainFlw"], 3, "did you mean 'TrainFlow'?"),
        (["--oneline", "--columns", "lr"], 2, "two ways"),
        (["--sort", "tag"], 2, "many tags"),
        (["-n", "-1"], 2, "0 or more"),
    ],
)
def test_what_nobody_can_answer_is_refused_in_words(
    runs: Path, words: list[str], status: int, says: str
) -> None:
    ended = mfv_command(runs, "log", *words)
    assert (ended.status, ended.out) == (status, "")
    assert says in ended.err


def test_columns_are_a_table_under_a_head(runs: Path) -> None:
    shown = mfv_command(runs, "log", "--columns", "name,lr,opt,accuracy,tag", "TrainFlow").out
    assert shown == (
        "name          lr  opt   accuracy  tag\n"
        "TrainFlow/3  0.3  adam       0.9  prod\n"
        "TrainFlow/2  0.2  sgd        0.8  -\n"
        "TrainFlow/1  0.1  adam       0.7  base\n"
    )
    (line,) = mfv_command(runs, "log", "--columns", "lr,tag,step", "--json", "-n", "1").lines
    assert line == {
        "run": "TrainFlow/3",
        "values": {"lr": 0.3, "tag": ["prod"], "step": ["end"]},
    }


def test_groups_tell_what_their_runs_have_in_common(runs: Path) -> None:
    shown = mfv_command(runs, "log", "--group-by", "opt", env={"COLUMNS": "100"}).out
    assert [line.split() for line in shown.splitlines()] == [
        ["opt", "runs", "states", "accuracy", "score", "newest"],
        ["adam", "2", "2", "ok", "0.7", "…", "0.9", "-", "TrainFlow/3"],
        ["sgd", "1", "1", "ok", "0.8", "-", "TrainFlow/2"],
        ["-", "1", "1", "failed", "-", "3", "EvalFlow/1"],
    ]
    first, *_ = mfv_command(runs, "log", "--group-by", "opt,flow", "--json").lines
    assert first == {
        "values": {"opt": "adam", "flow": "TrainFlow"},
        "runs": 2,
        "statuses": {"ok": 2},
        "newest": "TrainFlow/3",
        "metrics": {"accuracy": {"low": 0.7, "mean": 0.8, "high": 0.9}},
    }


def test_a_template_lays_out_each_run(runs: Path) -> None:
    shown = mfv_command(
        runs, "log", "TrainFlow", "--format", r"{number:>3}|{opt:<6}|{lr:.2}|{{x}}\t{tag}"
    )
    assert (
        shown.out == "  3|adam  |0.30|{x}\tprod\n  2|sgd   |0.20|{x}\t\n  1|adam  |0.10|{x}\tbase\n"
    )


def test_stat_tells_what_each_run_changed(runs: Path) -> None:
    shown = mfv_command(runs, "log", "TrainFlow", "--stat", "-n", "2").out
    assert "code     1 file, +1 -1: flow.py" in shown
    assert "params   lr 0.1 -> 0.2  +0.1 (+100 %)" in shown
    assert "metrics  accuracy 0.8 -> 0.9  +0.1 (+12.5 %)" in shown
    first = mfv_command(runs, "log", "EvalFlow", "--stat").out
    assert "first run of its flow" in first


def test_a_spark_draws_a_number_over_the_runs(runs: Path) -> None:
    bars, facts, *rest = mfv_command(runs, "log", "--spark", "accuracy").out.splitlines()
    assert bars == "▁▅█"
    assert facts == "accuracy: 0.7 (TrainFlow/1) … 0.9 (TrainFlow/3), newest 0.9, 3 runs"
    assert len(rest) >= len(RUNS)


def test_runs_are_compared_beside_each_other(runs: Path) -> None:
    shown = mfv_command(runs, "log", "TrainFlow", "--compare", "--reverse").out
    assert shown.splitlines()[0].split() == ["TrainFlow/1", "TrainFlow/2", "TrainFlow/3"]
    assert "params.opt" in shown and "machine" not in shown
    found = mfv_command(runs, "log", "--where", "opt = adam", "--compare", "--json").json
    assert found["runs"] == ["TrainFlow/3", "TrainFlow/1"]
    assert mfv_command(runs, "log", "--compare", "--stat").status == 2


def test_names_that_would_steer_a_terminal_are_shown_escaped(tmp_path: Path) -> None:
    odd = "a\x1b[31m\u202e"
    make(fast_repository(tmp_path / ".mfv"), Made("F", {odd: "\x07x\n"}, {}))
    for words in (["--columns", f'params."{odd}"'], ["--group-by", f'params."{odd}"'], ["--stat"]):
        shown = mfv_command(tmp_path, "log", *words)
        assert shown.status == 0
        assert "\x1b" not in shown.out and "\u202e" not in shown.out and "\x07" not in shown.out


FLOW = """from mfv import FlowSpec, step
class F(FlowSpec):
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        self.x = 1
F()
"""


def test_the_graph_leads_from_a_run_to_what_it_builds_on(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW.replace("self.x = 1", "self.x = 1 / 0"))
    assert python(tmp_path, "flow.py", "run").status == 1
    assert python(tmp_path, "flow.py", "run").status == 1
    (tmp_path / "flow.py").write_text(FLOW)
    assert python(tmp_path, "flow.py", "resume", "--origin-run-id", "1").status == 0
    shown = mfv_command(tmp_path, "log", "--graph", "--oneline").out
    assert [line[:4] + line.split()[-2] for line in shown.splitlines()] == [
        "*   F/3",
        "| * F/2",
        "*   F/1",
    ]


def test_followed_it_tells_of_runs_that_begin_and_end(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    assert python(tmp_path, "flow.py", "run").status == 0
    with (tmp_path / "told").open("w") as told:
        process = start(tmp_path, "-m", "mfv", "log", "--follow", "--json", stdout=told)
        try:
            wait_until(lambda: "F/1" in (tmp_path / "told").read_text())
            assert python(tmp_path, "flow.py", "run").status == 0
            wait_until(lambda: '"F/2","flow":"F","number":2,"id":"' in text(tmp_path))
        finally:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
    assert b"Traceback" not in err
    assert process.returncode == 130
    assert text(tmp_path).count('"F/1"') == 1


def text(folder: Path) -> str:
    return (folder / "told").read_text()


def wait_until(is_so: object) -> None:
    limit = time.monotonic() + 30
    while not is_so():  # type: ignore[operator]
        assert time.monotonic() < limit
        time.sleep(0.05)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many runs that the index answers."""
    folder = tmp_path_factory.mktemp("many")
    repository = fast_repository(folder / ".mfv")
    choose = random.Random("many")
    for _ in range(130):
        run = random_run(choose)
        make(repository, run._replace(status=run.status or "ok"))
    return folder


def test_the_index_is_made_when_it_is_first_asked_and_changes_no_answer(many: Path) -> None:
    words = ("--where", "lr < 0.5 and accuracy > 0.6", "--sort", "-accuracy,name")
    first = names(many, *words)
    path = current(str(many / ".mfv"))
    assert first and path is not None
    Path(path).write_bytes(b"rubbish")
    assert names(many, *words) == first
    assert names(many, *words) == first


def test_reindex_says_how_many_runs_there_are(many: Path) -> None:
    done = mfv_command(many, "reindex")
    path = current(str(many / ".mfv"))
    assert path is not None
    assert done.out == f"indexed 130 runs in {os.path.relpath(path, many)}\n"
    again = mfv_command(many, "reindex", "--json").json
    assert again == {"runs": 130, "file": current(str(many / ".mfv"))}


def test_a_query_of_its_own_imports_no_sqlite_for_few_runs(runs: Path) -> None:
    probe = (
        "import sys; from mfv.cli.main import main; main(['log', '--where', 'lr < 1']); "
        "assert not {'sqlite3', 'typer', 'rich', 'numpy', 'pickle'} & set(sys.modules)"
    )
    ended = python(runs, "-c", probe)
    assert (ended.status, ended.err) == (0, "")


def test_whoever_reads_only_the_beginning_is_no_error(runs: Path) -> None:
    process = start(runs, "-m", "mfv", "log", "--json", stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    process.wait(timeout=30)
    assert process.returncode in (0, 141)
