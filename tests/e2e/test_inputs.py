"""Included files and configs, through the real command line, the client and `mfv clone`."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from processes import Place

from mfv.client import Run, Task, namespace

BODY = """
LIMIT = 7
cfg = Config("model", default_value={"depth": 3, "key": "left", "sizes": [1, {"b": 2}]})
notes = Config("notes", plain=True)
depth = cfg.depth
alpha = Parameter("alpha", default=cfg.depth)
late = Parameter("late", type=int, default=lambda run: run.configs.model.depth + 1)
table = IncludeFile("the-table", default="data.csv", parser=lambda text: text.split(","))
blob = IncludeFile("blob", is_text=False)

@step
def start(self):
    self.seen = [self.LIMIT, self.cfg.sizes[1].b, self.cfg["depth"], self.depth, self.alpha]
    self.files = [self.table, self.blob, self.notes, self.late]
    self.side = "left"
    self.next({self.cfg.key: self.left, "other": self.end}, condition="side")

@step
def left(self):
    self.went_left = True
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture
def flow(place: Place) -> Place:
    write(place, BODY)
    (place.folder / "data.csv").write_text("1,2")
    return place


def write(place: Place, body: str) -> None:
    path = place.write(body)
    names = "Config, ConfigValue, IncludeFile, config_expr, "
    path.write_text(path.read_text().replace("from mfv import ", f"from mfv import {names}"))


@pytest.fixture
def in_client(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MFV_DIR", str(place.store))
    namespace(None)


def refused(place: Place, *words: str) -> str:
    """What a command line that makes no sense is told, in one error and without a run."""
    done = place.python("flow.py", *words)
    assert done.code == 2, done.text
    assert done.err.count("error:") == 1
    assert "Traceback" not in done.text
    assert not place.store.exists()
    return done.err


def test_defaults_are_seen_by_steps_constants_parameters_and_switches(flow: Place) -> None:
    flow.run()
    assert flow.values("start")["seen"] == [7, 2, 3, 3, 3]
    assert flow.values("start")["files"] == [["1", "2"], None, None, 4]
    assert flow.values("left")["went_left"] is True


@pytest.mark.parametrize("before", [True, False], ids=["before run", "behind run"])
def test_options_stand_before_or_behind_the_command(flow: Place, before: bool) -> None:
    (flow.folder / "m.json").write_text('{"depth": 8, "key": "left", "sizes": [0, {"b": 9}]}')
    (flow.folder / "raw").write_bytes(b"\xff\0")
    configs = ["--config", "model", "m.json", "--config-value", "notes", "be quick"]
    words = ["--the-table", "raw.csv", "--blob", "raw"]
    (flow.folder / "raw.csv").write_text("x")
    line = [*configs, "run", *words] if before else ["run", *words, *configs]
    done = flow.python("flow.py", *line)
    assert done.code == 0, done.text
    assert flow.values("start")["seen"] == [7, 9, 8, 8, 8]
    assert flow.values("start")["files"] == [["x"], b"\xff\0", "be quick", 9]


def test_variables_give_configs_and_files(flow: Place) -> None:
    (flow.folder / "t.csv").write_text("v")
    value = {"depth": 5, "key": "left", "sizes": [0, {"b": 6}]}
    flow.variables = {
        "METAFLOW_FLOW_CONFIG_VALUE": json.dumps({"model": value}),
        "MFV_FLOW_CONFIG": '{"notes": "t.csv"}',
        "METAFLOW_RUN_THE_TABLE": "t.csv",
    }
    flow.run()
    assert flow.values("start")["seen"] == [7, 6, 5, 5, 5]
    assert flow.values("start")["files"] == [["v"], None, "v", 6]


@pytest.mark.usefixtures("in_client")
def test_the_client_gives_the_content_of_files_and_plain_configs(flow: Place) -> None:
    (flow.folder / "raw").write_bytes(b"\xff" * 100)
    flow.run("--blob", "raw")
    run = Run("F/1")
    data = run["_parameters"].task.data
    assert (data.table, data.blob, data.depth, data.LIMIT) == ("1,2", b"\xff" * 100, 3, 7)
    assert data.cfg == {"depth": 3, "key": "left", "sizes": [1, {"b": 2}]}
    assert type(data.cfg) is dict
    assert Task(run["left"].task.pathspec).data.table == "1,2"
    assert run.data is not None
    assert run.data.notes is None


@pytest.mark.usefixtures("in_client")
def test_a_large_file_is_stored_once_for_all_runs(flow: Place) -> None:
    (flow.folder / ".mfvignore").write_text("raw\n")
    (flow.folder / "raw").write_bytes(bytes(range(256)) * 8000)
    flow.run("--blob", "raw")
    before = size(flow.store / "packs")
    flow.run("--blob", "raw")
    assert size(flow.store / "packs") - before < 50_000
    assert Run("F/2")["start"].task["blob"].sha == Run("F/1")["start"].task["blob"].sha


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_command_that_clone_prints_gives_the_same_inputs_again(flow: Place) -> None:
    outside = flow.folder.parent / "outside"
    outside.mkdir()
    (outside / "raw.bin").write_bytes(b"\xff\0" * 50)
    (outside / "t.csv").write_text("ä,b")
    flow.run(
        *("--blob", str(outside / "raw.bin"), "--the-table", str(outside / "t.csv")),
        *("--config-value", "notes", "be 'quick'", "--alpha", "9"),
    )
    for path in outside.iterdir():
        path.unlink()
    (flow.folder / "data.csv").write_text("changed")
    told = flow.mfv("clone", "1", "again").out
    command = shlex.split(told.splitlines()[-1])
    assert command[:3] == ["python", "flow.py", "run"]
    done = flow.python(*command[1:], cwd=flow.folder / "again")
    assert done.code == 0, done.text
    for name in ("seen", "files"):
        assert flow.values("start", run=2)[name] == flow.values("start")[name]
    first, second = flow.view(1).opening, flow.view(2).opening
    assert [(a.name, a.id) for a in first.parameters] == [(a.name, a.id) for a in second.parameters]


def test_a_text_in_another_encoding_is_given_again_as_it_was(place: Place) -> None:
    write(
        place,
        """
        table = IncludeFile("table", encoding="latin-1")

        @step
        def start(self):
            self.seen = self.table
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    (place.folder / "t.csv").write_bytes(("ä" * 50).encode("latin-1"))
    place.run("--table", "t.csv")
    command = shlex.split(place.mfv("clone", "1", "again").out.splitlines()[-1])
    assert place.python(*command[1:], cwd=place.folder / "again").code == 0
    assert place.values("start", run=2)["seen"] == "ä" * 50


@pytest.mark.parametrize("name", ["LIMIT", "cfg", "alpha", "table", "blob", "depth"])
@pytest.mark.parametrize("change", ["self.{} = 1", "del self.{}"], ids=["set", "delete"])
def test_no_input_can_be_set_or_deleted_in_a_step(flow: Place, name: str, change: str) -> None:
    write(flow, BODY.replace("    self.side = ", f"    {change.format(name)}\n    self.side = "))
    done = flow.run(code=1)
    assert f"AttributeError: '{name}' is a parameter or a constant of the flow: read-only" in (
        done.text
    )
    assert "start" not in flow.values("start")


@pytest.mark.parametrize(
    "change", ["self.cfg.depth = 1", "self.cfg['depth'] = 1", "self.cfg.update(a=1)"]
)
def test_a_config_cannot_be_changed_in_a_step(flow: Place, change: str) -> None:
    write(flow, BODY.replace("    self.side = ", f"    {change}\n    self.side = "))
    assert "TypeError: a ConfigValue is read-only" in flow.run(code=1).text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--config", "modle", "x"], "did you mean 'model'?"),
        (["run", "--config", "model", "none.json"], "there is no file none.json"),
        (["run", "--config-value", "model", "{"], "line 1, column 2 of --config-value"),
        (["run", "--config", "model"], "--config takes two words"),
        (["--config", "model", "x", "--config-value", "model", "{}", "run"], "both as a file"),
        (["run", "--the-table", "none.csv"], "there is no file none.csv"),
        (["run", "--the-table", "."], ". is a folder"),
        (["run", "--the-tabel", "x"], "the-table"),
        (["check", "--config", "model", "none.json"], "there is no file none.json"),
    ],
)
def test_what_makes_no_sense_is_one_error_and_no_run(
    flow: Place, words: list[str], said: str
) -> None:
    assert said in refused(flow, *words)


def test_a_required_config_is_asked_for_but_not_by_the_help(flow: Place) -> None:
    write(flow, BODY.replace('Config("notes"', 'Config("notes", required=True, help="Say."'))
    assert "no value for the required config 'notes'" in refused(flow, "run")
    told = " ".join(flow.python("flow.py", "run", "--help").out.replace("│", " ").split())
    assert "notes: Say. [required]" in told
    assert "--the-table FILE" in told
    assert "[default: computed when the run starts]" in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("wrong = cfg.depth + 1", "cfg.depth is not known yet"),
        ('alpha = Parameter("alpha", default=cfg.dept)', "model has no 'dept'"),
        ('wrong = config_expr("model.")', "is no expression"),
    ],
)
def test_a_wrong_use_of_a_config_in_the_class_is_one_error_with_its_line(
    flow: Place, line: str, said: str
) -> None:
    said = said.replace("cfg.", "model.")
    write(flow, f"{BODY}\n{line}\n")
    done = flow.python("flow.py", "run")
    assert done.code == 1
    number = 1 + (flow.folder / "flow.py").read_text().splitlines().index(f"    {line}")
    assert f"flow.py:{number}: " in done.err
    assert said in done.err
    assert "Traceback" not in done.text
    assert not flow.store.exists()


SECRET = "hunter2-and-more"


def test_secrets_in_configs_and_files_are_used_and_not_recorded(place: Place) -> None:
    write(
        place,
        """
        db = Config("db")
        login = Config("credentials", plain=True)
        key = IncludeFile("key")

        @step
        def start(self):
            print("lengths", len(self.db.password), len(self.login), len(self.key))
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    outside = place.folder.parent / "outside"
    outside.mkdir()
    (outside / "server.pem").write_text(SECRET)
    value = json.dumps({"host": "h", "password": SECRET, "more": [{"password": SECRET}]})
    done = place.run(
        *("--config-value", "db", value, "--config-value=credentials", SECRET),
        *("--key", str(outside / "server.pem")),
    )
    assert "lengths 16 16 16" in done.out
    place.mfv("clone", "1", "again")
    told = "".join(place.mfv(*words).text for words in (["show", "--json"], ["show"], ["log"]))
    told += "".join(
        path.read_text(errors="replace")
        for path in (place.folder / "again").rglob("*")
        if path.is_file()
    )
    assert SECRET not in told
    words = "--key=... --config db ... --config credentials ..."
    assert f"python flow.py run {words}" in told
    recorded: dict[str, Any] = {a.name: a for a in place.view().opening.parameters}
    assert recorded["key"].value == recorded["login"].value == "<redacted>"
    assert "'host': 'h'" in recorded["db"].summary.text


def test_the_flow_of_the_guide_runs_as_it_says(place: Place) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "guide" / "inputs.md").read_text()
    found = re.search(r"```python\n(.*?)```", guide, re.DOTALL)
    assert found
    (place.folder / "train.py").write_text(found[1])
    (place.folder / "model.json").write_text('{"layers": 2, "rate": 0.5}')
    (place.folder / "big.json").write_text('{"layers": 4, "rate": 0.5}')
    (place.folder / "data.csv").write_text("a,1\nb,2\n")
    place.variables = {"HOME": str(place.folder)}
    (place.folder / "rows.csv").write_text("a,1\n")
    commands = re.findall(r"^    (.*python train.py .*)$", guide, re.MULTILINE)
    said = []
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command.replace("python", shlex.quote(sys.executable), 1)],
            cwd=place.folder,
            env=place.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said += re.findall(r"\d+ rows, .*", done.stdout)
    assert said == [
        "1 rows, 2 layers of 16 at 0.1",
        "2 rows, 4 layers of 32 at 0.5",
        "2 rows, 3 layers of 24 at 0.2",
        "2 rows, 4 layers of 32 at 0.5",
        "2 rows, 3 layers of 24 at 0.5",
    ]


def test_a_parser_by_name_lies_beside_the_flow(place: Place) -> None:
    (place.folder / "own.py").write_text(
        textwrap.dedent("""
        def pairs(text):
            return dict(line.split("=") for line in text.splitlines())
        """)
    )
    write(
        place,
        """
        cfg = Config("cfg", default="a.conf", parser="own.pairs")

        @step
        def start(self):
            self.seen = self.cfg.depth
            self.next(self.end)

        @step
        def end(self):
            pass
        """,
    )
    (place.folder / "a.conf").write_text("depth=3\nname=x")
    place.run()
    assert place.values("start")["seen"] == "3"
