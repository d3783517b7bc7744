"""`mfv rm`, `restore` and the rules of `gc`, as one types them."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import mfv_command
from histories import Made, fast_repository, make


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Four runs of two flows; `x` of each has bytes of its own."""
    repository = fast_repository(tmp_path / ".mfv")
    for number in range(1, 4):
        status = "failed" if number == 2 else "ok"
        metrics = {"x": bytes([number]) * 3000, "score": number}
        make(repository, Made("TrainFlow", {"lr": number / 10}, metrics, status=status))  # type: ignore[arg-type]
    make(repository, Made("EvalFlow", {}, {"x": b"e" * 3000}, tags=("prod",)))
    return tmp_path


def names(folder: Path, *words: str) -> list[str]:
    return mfv_command(folder, "log", "--format", "{name}", *words).out.split()


def test_a_removed_run_is_listed_in_the_trash_alone_until_it_is_restored(runs: Path) -> None:
    gone = mfv_command(runs, "rm", "TrainFlow/3")
    assert gone.out == (
        "put TrainFlow/3 into the trash\n`mfv restore TrainFlow/3` brings it back\n"
    )
    assert names(runs) == ["EvalFlow/1", "TrainFlow/2", "TrainFlow/1"]
    assert names(runs, "--trash") == ["TrainFlow/3"]
    assert "brings it back" in mfv_command(runs, "show", "TrainFlow/3", env={"COLUMNS": "120"}).out
    assert mfv_command(runs, "rm", "TrainFlow/3").out == "no run to remove\n"
    assert mfv_command(runs, "restore", "TrainFlow/3").out == "restored TrainFlow/3\n"
    assert mfv_command(runs, "restore", "TrainFlow/3").out == "no such run is in the trash\n"
    assert len(names(runs)) == 4


def test_runs_are_removed_by_a_query_after_a_look(runs: Path) -> None:
    would = mfv_command(runs, "rm", "--where", "status = failed or score = 3", "--dry-run")
    assert would.out == "would put TrainFlow/3, TrainFlow/2 into the trash\n"
    assert names(runs, "--trash") == []
    done = mfv_command(runs, "rm", "--where", "status = failed or score = 3", "--json").json
    assert done == {"dry_run": False, "removed": ["TrainFlow/3", "TrainFlow/2"]}
    assert mfv_command(runs, "restore", "--all", "--json").json == {
        "restored": ["TrainFlow/3", "TrainFlow/2"]
    }


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["rm"], 2, "which runs?"),
        (["rm", "TrainFlow/9"], 3, "has no run '9'"),
        (["rm", "--where", "nix = 3"], 2, "no run has a field"),
        (["rm", "TrainFlow/1", "--artifact", "y"], 3, "no artifact 'y'"),
        (["rm", "TrainFlow/1", "--artifact", "score"], 3, "no artifact 'score'"),
        (["restore"], 2, "which runs?"),
        (["restore", "TrainFlow/1", "--all"], 2, "which runs?"),
        (["gc", "--keep-last", "-1"], 2, "0 or more"),
        (["gc", "--keep-within", "long"], 2, "no age"),
        (["gc", "--keep-where", "nix"], 2, "no run has a field"),
        (["gc", "--flow", "TrainFlow"], 2, "say what to keep"),
        (["gc", "--flow", "TrainFlw", "--keep-last", "1"], 3, "did you mean 'TrainFlow'?"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_removed(
    runs: Path, words: list[str], status: int, says: str
) -> None:
    ended = mfv_command(runs, *words)
    assert (ended.status, ended.out) == (status, "")
    assert says in ended.err
    assert len(names(runs)) == 4


def test_an_artifact_is_let_go_and_its_record_stays(runs: Path) -> None:
    assert mfv_command(runs, "rm", "TrainFlow/1", "--artifact", "x").out == (
        "TrainFlow/1: let go x\n`mfv gc` frees what no other run holds\n"
    )
    assert mfv_command(runs, "gc", "--prune", "now", "--repack").status == 0
    ended = mfv_command(runs, "cat", "TrainFlow/1/x")
    assert (ended.status, ended.out) == (3, "")
    assert "were let go" in ended.err
    assert mfv_command(runs, "cat", "TrainFlow/3/x").out == "\x03" * 3000
    assert "let go" in mfv_command(runs, "show", "TrainFlow/1").out
    assert "3 kB" in mfv_command(runs, "show", "TrainFlow/1/x").out
    assert mfv_command(runs, "fsck", "--data").status == 0


def test_rules_are_shown_before_they_are_followed(runs: Path) -> None:
    words = ("gc", "--keep-last", "1", "--keep-where", "score = 1")
    would = mfv_command(runs, *words, "--dry-run")
    assert [line.split(maxsplit=2) for line in would.out.splitlines()[:4]] == [
        ["EvalFlow/1", "keep", "one of the last 1"],
        ["TrainFlow/3", "keep", "one of the last 1"],
        ["TrainFlow/2", "remove"],
        ["TrainFlow/1", "keep", "score = 1"],
    ]
    assert len(names(runs)) == 4
    done = mfv_command(runs, *words, "--json").json
    assert (done["removed"], done["swept"]) == (["TrainFlow/2"], [])
    assert {one["run"]: one["reasons"] for one in done["kept_runs"]}["TrainFlow/1"] == ["score = 1"]
    assert names(runs, "--trash") == ["TrainFlow/2"]


def test_rules_may_be_of_one_flow_and_stand_in_the_config(runs: Path) -> None:
    mfv_command(runs, "gc", "--keep-tagged", "--flow", "TrainFlow")
    assert names(runs) == ["EvalFlow/1"]
    mfv_command(runs, "restore", "--all")
    (runs / ".mfv/config.toml").write_text("[keep]\nlast = 1\n")
    mfv_command(runs, "gc")
    assert names(runs) == ["EvalFlow/1", "TrainFlow/3"]


def test_the_trash_is_emptied_when_its_time_is_over(runs: Path) -> None:
    mfv_command(runs, "rm", "TrainFlow/1")
    assert mfv_command(runs, "gc", "--json").json["swept"] == []
    (runs / ".mfv/config.toml").write_text('trash = "0s"\n')
    would = mfv_command(runs, "gc", "--dry-run", "--prune", "now", "--json").json
    assert would["swept"] == ["TrainFlow/1"]
    done = mfv_command(runs, "gc", "--prune", "now", "--repack", "--json").json
    assert (done["swept"], done["bytes"]) == (["TrainFlow/1"], would["bytes"])
    assert mfv_command(runs, "cat", "TrainFlow/1/score").out == "1\n"
    assert mfv_command(runs, "cat", "TrainFlow/1/x").status == 3
    refused = mfv_command(runs, "restore", "TrainFlow/1")
    assert refused.status == 4 and "are gone" in refused.err
    assert mfv_command(runs, "clone", "TrainFlow/1", "back").status == 0
    assert (runs / "back/flow.py").exists()
