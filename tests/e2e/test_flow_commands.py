"""What a flow's own command line tells of its runs: dump, logs, tag, version, its graph."""

from __future__ import annotations

import json
import pickle
import subprocess
from pathlib import Path

import pytest
from processes import Place

import mfv

BODY = '''
"""Squares numbers.

Side by side."""

UNIT = "m"
alpha = Parameter("alpha", default=3)

@step
def start(self):
    """Begins with the numbers."""
    self.items = [1, 2]
    self.big = "x" * 2000
    self._hidden = 5
    print("hello")
    print("oh", file=sys.stderr)
    self.next(self.work, foreach="items")

@step
def work(self):
    self.square = self.input ** 2
    print("square", self.square)
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
'''


@pytest.fixture
def ran(place: Place) -> Place:
    place.write(BODY)
    place.run("--tag", "first")
    return place


def said(place: Place, *words: str, code: int = 0) -> str:
    done = place.python("flow.py", *words)
    assert done.code == code, done.text
    return done.out


def refused(place: Place, *words: str, code: int = 2) -> str:
    done = place.python("flow.py", *words)
    assert (done.code, done.out) == (code, ""), done.text
    assert done.err.count("error:") == 1
    assert "Traceback" not in done.err
    return done.err


# dump


def test_dump_prints_each_artifact_with_size_type_and_value(ran: Place) -> None:
    assert said(ran, "dump", "1/start").splitlines() == [
        "UNIT [size: 2 type: <class 'str'>] = m",
        "alpha [size: 1 type: <class 'int'>] = 3",
        "big [size: 2000 type: <class 'str'>] = < artifact too large >",
        "items [size: 20 type: <class 'list'>] = [1, 2]",
    ]


def test_dump_of_a_step_is_of_all_its_tasks_in_order(ran: Place) -> None:
    done = ran.python("flow.py", "dump", "1/work", "--include", "square")
    assert done.out.splitlines() == [
        "square [size: 1 type: <class 'int'>] = 1",
        "square [size: 1 type: <class 'int'>] = 4",
    ]
    assert done.err.splitlines() == [
        "Dumping output of run_id=1 step=work task_id=2",
        "Dumping output of run_id=1 step=work task_id=3",
    ]


def test_dump_of_one_task_can_show_private_names_and_only_names(ran: Place) -> None:
    words = ["1/start/1", "--private", "--max-value-size", "0", "--exclude", "UNIT,alpha,items"]
    assert said(ran, "dump", *words).splitlines() == [
        "_hidden [size: 1 type: <class 'int'>] = < artifact too large >",
        "big [size: 2000 type: <class 'str'>] = < artifact too large >",
    ]


def test_dump_to_a_file_is_a_pickle_that_needs_no_mfv(ran: Place) -> None:
    assert said(ran, "--quiet", "dump", "F/1/work", "--file", "out.pkl") == ""
    with open(ran.folder / "out.pkl", "rb") as file:
        found = pickle.load(file)
    assert {name: values["square"] for name, values in found.items()} == {
        "1/work/2": 1,
        "1/work/3": 4,
    }
    assert set(found["1/work/2"]) == {"UNIT", "alpha", "big", "items", "square"}


@pytest.mark.parametrize(
    ("target", "code", "told"),
    [
        ("1", 2, "neither RUN/STEP nor RUN/STEP/TASK"),
        ("9/start", 3, "9"),
        ("1/strat", 3, "did you mean 'start'"),
        ("1/work/9", 3, "its tasks are 2, 3"),
    ],
)
def test_dump_says_what_is_not_there(ran: Place, target: str, code: int, told: str) -> None:
    assert told in refused(ran, "dump", target, code=code)


# logs


def test_logs_prints_stdout_and_then_stderr(ran: Place) -> None:
    assert said(ran, "logs", "1/start") == "hello\noh\n"
    assert said(ran, "logs", "1/start/1", "--stdout") == "hello\n"
    assert said(ran, "logs", "1/start/1", "--stderr") == "oh\n"
    assert said(ran, "logs", "1/work", "--both") == "square 1\nsquare 4\n"


def test_logs_can_have_the_time_before_each_line(ran: Place) -> None:
    (line,) = said(ran, "logs", "1/start", "--stdout", "--timestamps").splitlines()
    date, time, text = line.split(" ")
    assert (len(date), len(time), text) == (10, 12, "hello")


def test_logs_of_an_attempt_that_was_not_made_are_refused(ran: Place) -> None:
    assert "no attempt 3" in refused(ran, "--quiet", "logs", "1/start", "--attempt", "3", code=3)


# tag


def test_tags_are_added_replaced_and_removed(ran: Place) -> None:
    assert "*best*" in said(ran, "tag", "add", "--run-id", "1", "best", "team:a")
    said(ran, "tag", "replace", "--run-id", "1", "--remove", "first", "--add", "second")
    said(ran, "tag", "remove", "--run-id", "1", "team:a", "never-there")
    assert sorted(ran.view().tags) == ["best", "second"]


def test_tags_are_listed_by_run_by_tag_and_flat(ran: Place) -> None:
    ran.run("--tag", "second")
    lines = said(ran, "--quiet", "tag", "list", "--hide-system-tags", "--group-by-run")
    assert lines.splitlines() == ["F/2 ;  ; second", "F/1 ;  ; first"]
    lines = said(ran, "--quiet", "tag", "list", "--hide-system-tags", "--group-by-tag")
    assert lines.splitlines() == ["user:first ; F/1", "user:second ; F/2"]
    assert said(ran, "tag", "list", "2", "--flat", "--hide-system-tags") == "second\n"
    assert "user:ana" in said(ran, "tag", "list", "--run-id", "1")


def test_tags_of_somebody_else_s_run_need_a_namespace(ran: Place) -> None:
    ran.variables = {"MFV_USER": "ben"}
    assert "not in the namespace" in refused(ran, "tag", "add", "--run-id", "1", "mine", code=3)
    said(ran, "tag", "add", "--run-id", "1", "--namespace", "user:ana", "hers")
    said(ran, "tag", "add", "--run-id", "1", "--namespace=", "all")
    assert sorted(ran.view().tags) == ["all", "first", "hers"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add", "x"], "--run-id 1 is the latest run"),
        (["remove", "--run-id", "1", "user:ana"], "cannot be removed"),
        (["replace", "--run-id", "1", "--add", "x"], "no tag to remove"),
        (["list", "--all", "--my-runs"], "exclude each other"),
        (["add", "--run-id", "1"], "missing argument"),
    ],
)
def test_what_tag_cannot_do_is_told(ran: Place, words: list[str], told: str) -> None:
    assert told in refused(ran, "tag", *words)
    assert ran.view().tags == ("first",)


# the rest


def test_version_has_mfv_s_and_the_project_s(ran: Place) -> None:
    assert said(ran, "version") == f"mfv {mfv.__version__}\n"
    (ran.folder / ".gitignore").write_text(".mfv\n__pycache__\n")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"], ["tag", "v1.2"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=ran.folder, env=ran.environment(), check=True)
    assert said(ran, "version") == f"mfv {mfv.__version__}\nF v1.2\n"


def test_show_tells_what_each_step_says_and_where_it_leads(ran: Place) -> None:
    shown = said(ran, "show")
    assert shown.startswith("Squares numbers.\n\nSide by side.\n\nStep start\n")
    assert "    Begins with the numbers.\n    => work for each of items\n" in shown
    assert shown.endswith("Step end\n    ?\n")


def test_the_graph_comes_as_json_as_text_and_for_graphviz(ran: Place) -> None:
    graph = json.loads(said(ran, "output-raw", "--json"))
    assert graph["graph_structure"] == ["start", [["work"]], "join", "end"]
    assert graph["graph"]["start"]["type"] == "split-foreach"
    assert "[join join (" in said(ran, "output-raw")
    dot = said(ran, "--quiet", "output-dot")
    assert dot.startswith("digraph F {\n")
    assert "start -> work;" in dot


def test_options_for_other_places_are_taken_and_said_to_do_nothing(ran: Place) -> None:
    words = ["--no-pylint", "--metadata", "local", "--datastore", "s3", "--environment=conda"]
    done = ran.python("flow.py", *words, "check")
    assert (done.code, done.out) == (0, "F is a valid flow of 4 steps\n")
    assert [line.split(" does ")[0] for line in done.err.splitlines()] == [
        "note: --datastore s3",
        "note: --environment conda",
    ]


def test_a_quiet_run_prints_what_its_tasks_print_and_what_goes_wrong(place: Place) -> None:
    place.write(BODY)
    lines = said(place, "--quiet", "run").splitlines()
    assert [line.partition("] ")[2] for line in lines if "hello" in line] == ["hello"]
    assert not any("started" in line or "done" in line for line in lines)
    place.write(BODY.replace("self.square = ", "1 / 0; self.square = "))
    assert "failed" in said(place, "--quiet", "run", code=1)


def test_the_commands_work_where_the_repository_is_found_only_by_the_script(ran: Place) -> None:
    subprocess.run(["git", "init", "-q"], cwd=ran.folder, env=ran.environment(), check=True)
    done = ran.python(str(ran.folder / "flow.py"), "dump", "1/end", cwd="/")
    assert done.code == 0, done.text
    assert "alpha" in done.out


def test_before_the_first_run_there_is_nothing_to_dump(place: Place) -> None:
    place.write(BODY)
    assert "has no run yet" in refused(place, "dump", "1/start", code=3)


# options of run


def test_a_foreach_wider_than_the_limit_fails_the_run_with_what_to_do(place: Place) -> None:
    place.write(BODY)
    done = place.run("--max-num-splits", "1", code=1)
    assert "--max-num-splits 2 allows them" in done.out
    assert place.task("start").status == "ok"
    place.run("--max-num-splits", "2")


def test_output_beyond_the_limit_is_shown_and_not_kept(place: Place) -> None:
    place.write(BODY)
    assert "hello" in place.run("--max-log-size", "0").out
    assert place.output("stdout", place.task("start")) == (
        b"[6 bytes more were printed and are not kept: --max-log-size]\n"
    )


def test_the_namespace_of_a_run_is_what_the_client_shows_in_its_tasks(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            from mfv import Flow, get_namespace
            self.found = (get_namespace(), current.namespace, [r.id for r in Flow("F")])
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.variables = {"MFV_USER": "ben"}
    place.run()
    place.variables = {}
    place.run("--namespace", "user:ben")
    assert place.values("start", run=2)["found"] == ("user:ben", "user:ben", ["1"])
    place.run("--namespace=")
    assert place.values("start", run=3)["found"] == (None, None, ["3", "2", "1"])


def test_a_program_learns_the_name_of_the_run_from_a_file(place: Place) -> None:
    place.write(BODY)
    place.run("--runner-attribute-file", "who.json", "--run-id-file", "id")
    assert json.loads((place.folder / "who.json").read_text()) == {
        "flow_name": "F",
        "run_id": "1",
        "metadata": f"local@{place.store}",
    }
    assert (place.folder / "id").read_text() == "1"


def test_dashes_and_underscores_are_the_same_in_an_option(place: Place) -> None:
    place.write(BODY.replace('Parameter("alpha"', 'Parameter("al-pha"'))
    place.run("--al_pha=4", "--max_workers", "1")
    assert dict(place.view().opening.options) == {"al-pha": "4"}


@pytest.mark.parametrize(
    "words", [["--max-num-splits", "0"], ["--max-log-size", "-1"], ["--max-log-size", "x"]]
)
def test_limits_that_make_no_sense_are_refused(place: Place, words: list[str]) -> None:
    place.write(BODY)
    assert words[0] in refused(place, "run", *words)
    assert place.statuses() == {}


def test_a_flow_that_is_asked_for_no_command_lists_those_it_has(place: Place) -> None:
    place.write(BODY)
    shown = said(place)
    words = ("run", "check", "show", "dump", "logs", "tag", "version", "output-raw")
    assert all(word in shown for word in words)
    assert "--datastore" not in shown
    assert Path("flow.py").name in shown
