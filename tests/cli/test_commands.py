"""What every command answers, as text and as JSON, and every way to name a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import Ended, mfv_command, python
from reference import documented

from mfv.repo.repository import Repository

(INIT_KEYS,) = documented("init")
RUN_KEYS = documented("log")[0]
SHOW_KEYS, TASK_KEYS, ARTIFACT_KEYS, FILE_KEYS, MACHINE_KEYS, INFO_KEYS, _ = documented("show")
DIFF_KEYS, *_ = documented("diff")
(LINE_KEYS,) = documented("logs")
(TAG_KEYS,) = documented("tag")
(CLONE_KEYS,) = documented("clone")
(GC_KEYS,) = documented("gc")
FSCK_KEYS, REPAIR_KEYS = documented("fsck")


def fine(folder: Path, *words: str) -> Ended:
    ended = mfv_command(folder, *words)
    assert ended.status == 0, ended
    return ended


def test_log_lists_newest_first_with_what_changed(project: Path) -> None:
    lines = fine(project, "log").out.splitlines()
    heads = [line.split()[2] for line in lines if line[0] != " "]
    assert heads == ["BreakFlow/1", "TrainFlow/2", "TrainFlow/1"]
    assert "lr=0.2 (was 0.1)" in lines[3]
    assert "middle: ValueError: there is no data" in lines[1]


def test_log_as_json_is_one_run_a_line(project: Path) -> None:
    runs = fine(project, "log", "--json").lines
    assert [run["run"] for run in runs] == ["BreakFlow/1", "TrainFlow/2", "TrainFlow/1"]
    assert all(set(run) == RUN_KEYS for run in runs)
    assert runs[1]["parameters"] == {"lr": 0.2, "note": "plain"}
    assert runs[1]["metrics"]["best"] == pytest.approx(4.8)
    assert runs[2]["tags"] == ["trial", "prod"]


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (["TrainFlow"], ["TrainFlow/2", "TrainFlow/1"]),
        (["-n", "1"], ["BreakFlow/1"]),
        (["-n1", "TrainFlow"], ["TrainFlow/2"]),
        (["-n", "0"], ["BreakFlow/1", "TrainFlow/2", "TrainFlow/1"]),
        (["--tag", "prod"], ["TrainFlow/1"]),
        (["--tag=trial"], ["TrainFlow/2", "TrainFlow/1"]),
        (["--status", "failed"], ["BreakFlow/1"]),
        (["--status", "crashed"], []),
    ],
)
def test_log_lists_only_what_was_asked_for(
    project: Path, words: list[str], runs: list[str]
) -> None:
    assert [run["run"] for run in fine(project, "log", "--json", *words).lines] == runs
    listed = fine(project, "log", "--oneline", *words).out
    assert [name for name in listed.split() if "/" in name] == runs


def test_show_tells_a_run_a_step_a_task_and_an_artifact(project: Path) -> None:
    assert set(fine(project, "show", "TrainFlow/1", "--json").json) == SHOW_KEYS
    step = fine(project, "show", "TrainFlow/1/train", "--json").json
    assert [task["task"] for task in step] == [f"TrainFlow/1/train/{n}" for n in (2, 3, 4)]
    task = fine(project, "show", "TrainFlow/1/train/3", "--json").json
    assert set(task) == TASK_KEYS
    assert task["foreach"][0]["index"] == 1
    artifact = fine(project, "show", "TrainFlow/1/pick/model", "--json").json
    assert (artifact["name"], artifact["type"], artifact["length"]) == ("model", "dict", 1)
    number = fine(project, "show", "TrainFlow/1/accuracy", "--json").json
    assert number["value"] == pytest.approx(0.18)
    assert set(number) == ARTIFACT_KEYS | {"value"}
    assert set(artifact) == ARTIFACT_KEYS | {"frames", "text", "length", "columns"}
    for target in ("TrainFlow/1", "TrainFlow/1/train", "TrainFlow/1/train/3", "TrainFlow/1/lr"):
        assert target in fine(project, "show", target).out.replace("/end/6", "")


def test_show_tells_the_code_and_the_machine(project: Path) -> None:
    files = fine(project, "show", "TrainFlow/1", "--code", "--json").json
    assert [file["path"] for file in files] == ["break.py", "train.py"]
    assert all(set(file) == FILE_KEYS for file in files)
    machine = fine(project, "show", "TrainFlow/1", "--env", "--json").json
    assert set(machine) == MACHINE_KEYS
    assert machine["packages"]
    assert "packages" in fine(project, "show", "TrainFlow/1", "--env").out


def test_show_of_a_failed_run_has_the_traceback(project: Path) -> None:
    text = fine(project, "show", "BreakFlow/1").out
    assert "failed in middle" in text
    assert "ValueError: there is no data" in text
    failure = fine(project, "show", "BreakFlow/1", "--json").json["failure"]
    assert (failure["type"], failure["message"]) == ("ValueError", "there is no data")


def revisions(project: Path) -> dict[str, str]:
    """Every way to say a run, with the run that it means."""
    run = Repository.open(project / ".mfv").state.find("TrainFlow", 1)
    assert run is not None
    assert run.manifest is not None
    assert run.opening is not None
    return {
        "@": "BreakFlow/1",
        "@{0}": "BreakFlow/1",
        "@{-1}": "TrainFlow/2",
        "@{-2}": "TrainFlow/1",
        "2": "TrainFlow/2",
        "TrainFlow/1": "TrainFlow/1",
        "TrainFlow@latest": "TrainFlow/2",
        "TrainFlow@{-1}": "TrainFlow/1",
        "TrainFlow@": "TrainFlow/2",
        "TrainFlow@latest~1": "TrainFlow/1",
        "TrainFlow@latest~": "TrainFlow/1",
        "2~1": "TrainFlow/1",
        "prod": "TrainFlow/1",
        "trial": "TrainFlow/2",
        "trial~1": "TrainFlow/1",
        run.manifest.hex(): "TrainFlow/1",
        run.manifest.hex()[:16]: "TrainFlow/1",
        run.opening.hex()[:16]: "TrainFlow/1",
    }


def test_every_revision_means_one_run(project: Path) -> None:
    for text, name in revisions(project).items():
        assert fine(project, "show", text, "--json").json["run"] == name, text


def test_cat_writes_scalars_bytes_frames_and_files(project: Path) -> None:
    assert fine(project, "cat", "TrainFlow/1/label").out == "fine\n"
    assert float(fine(project, "cat", "prod/accuracy").out) == pytest.approx(0.18)
    picture = python(project, "-m", "mfv", "cat", "TrainFlow/1/picture").out
    assert picture.encode("utf-8", "surrogateescape") == b"\x89PNG\r\n\x1a\n" + bytes(40)
    assert fine(project, "cat", "TrainFlow/1/pick/model", "--load").out.startswith("{'weights'")
    assert fine(project, "cat", "--raw", "TrainFlow/1/pick/model").out != ""
    first = fine(project, "cat", "TrainFlow/1:train.py").out
    assert first.replace("RATE = 3", "RATE = 4") == (project / "train.py").read_text()
    assert fine(project, "cat", "prod:train.py").out == first


def test_diff_shows_the_changed_line_parameter_and_metrics_and_nothing_else(project: Path) -> None:
    text = fine(project, "diff", "TrainFlow/1", "TrainFlow/2").out
    assert "\n  lr  0.1 -> 0.2\n" in text
    assert "accuracy  0.18 -> 0.48  +0.3 (+167 %)" in text
    changed = [line for line in text.splitlines() if line.startswith(("    -", "    +"))]
    assert changed == ["    -RATE = 3", "    +RATE = 4"]
    assert "packages\n" not in text
    assert "environment\n" not in text


def test_diff_as_json_says_the_same(project: Path) -> None:
    facts = fine(project, "diff", "TrainFlow/1", "TrainFlow/2", "--json").json
    assert set(facts) == DIFF_KEYS
    assert facts["same"] is False
    assert [change["name"] for change in facts["parameters"]] == ["lr"]
    assert facts["parameters"][0]["difference"] == pytest.approx(0.1)
    assert [(file["path"], file["added"], file["removed"]) for file in facts["code"]] == [
        ("train.py", 1, 1)
    ]
    assert (facts["packages"], facts["environment"]) == ([], [])


def test_diff_with_one_run_takes_the_one_before_it(project: Path) -> None:
    facts = fine(project, "diff", "TrainFlow/2", "--json").json
    assert (facts["before"], facts["after"]) == ("TrainFlow/1", "TrainFlow/2")


def test_diff_tells_by_its_exit_status_where_asked(project: Path) -> None:
    assert mfv_command(project, "diff", "--exit-code", "TrainFlow/1", "TrainFlow/2").status == 1
    assert mfv_command(project, "diff", "--exit-code", "prod", "TrainFlow/1").status == 0
    assert fine(project, "diff", "prod", "prod", "--json").json["same"] is True
    assert "+1 -1" in fine(project, "diff", "TrainFlow/2", "--stat").out
    assert "RATE" not in fine(project, "diff", "TrainFlow/2", "--stat").out


def test_logs_keeps_the_streams_apart_and_in_order(project: Path) -> None:
    ended = fine(project, "logs", "TrainFlow/1/train")
    assert ended.out.split("\n")[0] == "training linear"
    assert ended.err.split("\n")[0] == "careful with linear"
    assert fine(project, "logs", "TrainFlow/1/train/3", "--stdout").out == "training forest\n"
    only = fine(project, "logs", "TrainFlow/1/train/3", "--stderr")
    assert (only.out, only.err) == ("", "careful with forest\n")
    lines = fine(project, "logs", "TrainFlow/1", "--json").lines
    assert all(set(line) == LINE_KEYS for line in lines)
    assert next(line["text"] for line in lines if line["stream"] == "stdout") == "three candidates"
    assert "[train/3] training forest" in fine(project, "logs", "TrainFlow/1/train/3", "-t").out


def test_tags_are_put_on_moved_listed_and_taken_off(copy: Path) -> None:
    assert fine(copy, "tag", "best", "TrainFlow/1", "BreakFlow/1").out.startswith("tagged best:")
    assert fine(copy, "tag", "--move", "best", "TrainFlow/2").out == (
        "tagged best: TrainFlow/2\nbefore that it was on TrainFlow/1\n"
    )
    listed = {one["tag"]: one["runs"] for one in fine(copy, "tag", "--json").lines}
    assert all(set(one) == TAG_KEYS for one in fine(copy, "tag", "--json").lines)
    assert listed["best"] == ["BreakFlow/1", "TrainFlow/2"]
    assert "best   BreakFlow/1, TrainFlow/2" in fine(copy, "tag").out
    fine(copy, "tag", "-d", "best", "TrainFlow/2")
    fine(copy, "tag", "--delete", "best")
    assert "best" not in fine(copy, "tag").out
    fine(copy, "tag", "newest")
    assert fine(copy, "show", "newest", "--json").json["run"] == "BreakFlow/1"


def test_tagging_changes_neither_a_run_nor_the_order(copy: Path) -> None:
    before = fine(copy, "log", "--json").lines
    fine(copy, "tag", "late", "TrainFlow/1")
    after = fine(copy, "log", "--json").lines
    assert after[2].pop("tags") == [*before[2].pop("tags"), "late"]
    assert after == before


def test_clone_writes_the_code_and_says_how_to_run_it_again(copy: Path) -> None:
    facts = fine(copy, "clone", "prod", "out", "--json").json
    assert set(facts) == CLONE_KEYS
    assert facts["commands"] == ["cd out", "python train.py run --lr 0.1 --note plain"]
    assert "RATE = 3" in (copy / "out" / "train.py").read_text()
    text = fine(copy, "clone", "TrainFlow/2").out
    assert "cloned TrainFlow/2 into TrainFlow-2: 2 files" in text
    assert "  python train.py run --lr 0.2 --note plain\n" in text
    assert (copy / "TrainFlow-2" / ".mfv-clone" / "REPRODUCE.md").exists()


def test_gc_and_fsck_find_nothing_to_do_in_a_whole_repository(copy: Path) -> None:
    facts = fine(copy, "gc", "--prune", "now", "--json").json
    assert set(facts) == GC_KEYS
    assert (facts["packs"], facts["runs"], facts["dry_run"]) == ([], 3, False)
    assert "deleted 0 packs" in fine(copy, "gc").out
    assert "would delete 0 packs" in fine(copy, "gc", "-n").out
    report = fine(copy, "fsck", "--data", "--json").json
    assert set(report) == FSCK_KEYS
    assert (report["errors"], report["findings"], report["runs"]) == (0, [], 3)
    assert fine(copy, "fsck").out.endswith("all is well\n")
    repaired = fine(copy, "fsck", "--repair", "--json").json
    assert set(repaired) == REPAIR_KEYS
    assert (repaired["errors"], repaired["done"]) == (0, [])


def test_gc_repack_says_what_it_would_do_and_does_it(copy: Path) -> None:
    packs = len(list((copy / ".mfv" / "packs").iterdir()))
    assert "would rewrite" in fine(copy, "gc", "--repack", "-n").out
    facts = fine(copy, "gc", "--repack", "--dry-run", "--json").json
    assert set(facts) == GC_KEYS
    planned = facts["repack"]
    assert (len(planned["packs"]), planned["written"], planned["deleted"]) == (packs, [], [])
    assert len(list((copy / ".mfv" / "packs").iterdir())) == packs
    done = fine(copy, "gc", "--repack", "--json").json["repack"]
    assert set(done) == set(planned)
    assert (done["packs"], done["kept_bytes"]) == (planned["packs"], planned["kept_bytes"])
    assert sorted(done["deleted"]) == sorted(one["pack"] for one in planned["packs"])
    (written,) = done["written"]
    assert [path.name for path in (copy / ".mfv" / "packs").iterdir()] == [
        f"{written['pack']}.pack"
    ]
    assert (done["damaged"], done["staying"]) == ([], 0)
    assert fine(copy, "gc", "--json").json["repack"] is None
    assert "rewrote 0 packs as 0" in fine(copy, "gc", "--repack").out
    assert fine(copy, "fsck", "--data").out.endswith("all is well\n")
    assert len(fine(copy, "log", "--json").lines) == 3


def test_init_makes_a_repository_once(tmp_path: Path) -> None:
    first = fine(tmp_path, "init", "--json").json
    assert set(first) == INIT_KEYS
    assert first["new"] is True
    assert fine(tmp_path, "init").out == "there is already a repository in .mfv\n"
    assert fine(tmp_path, "init", "deep/er").out == "made a repository in deep/er/.mfv\n"
    assert fine(tmp_path, "log").out == "no runs yet: `mfv run FLOW.py` makes one\n"
    assert mfv_command(tmp_path, "show").status == 3
    assert fine(tmp_path, "tag").out == "no tags yet: `mfv tag TAG RUN`\n"
    assert fine(tmp_path, "fsck").out.endswith("all is well\n")
    assert "deleted 0 packs" in fine(tmp_path, "gc").out


def test_a_folder_whose_name_is_no_text_is_told_as_json_and_as_text(tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    facts = mfv_command(tmp_path, "init", os.fsencode(odd), "--json").json
    assert facts["repository"].endswith("caf\\xe9/.mfv")
    assert "caf\\xe9" in mfv_command(tmp_path, "init", os.fsencode(odd)).out


def test_options_before_the_command_are_acted_on_wherever_they_stand(
    project: Path, tmp_path: Path
) -> None:
    for words in (["-C", os.fspath(project)], [f"-C{project}"], ["-C", "/", "-C", f"{project}"]):
        assert "TrainFlow/2" in fine(tmp_path, *words, "log").out
    assert "Usage" in fine(tmp_path, "-C", os.fspath(project), "log", "--help").out
    version = fine(tmp_path, "--version").out
    assert version.startswith("mfv ")
    assert fine(tmp_path, "--no-pager", "--version").out == version


def test_mfv_run_is_the_flow_s_own_run(copy: Path) -> None:
    ended = fine(copy, "run", "train.py", "--lr", "0.3", "--tag", "third", "--run-id-file", "id")
    assert "run TrainFlow/3 done" in ended.out
    assert (copy / "id").read_text() == "3"
    assert fine(copy, "show", "third", "--json").json["parameters"]["lr"] == 0.3
    assert mfv_command(copy, "run", "break.py").status == 1


def test_a_terminal_that_knows_only_ascii_gets_escapes(project: Path) -> None:
    ended = mfv_command(
        project, "show", "TrainFlow/1", env={"PYTHONIOENCODING": "ascii", "COLUMNS": "60"}
    )
    assert ended.status == 0
    assert ended.out.isascii()
    assert "\\u2026" in ended.out
