"""`mfv verify`: a run is run again out of its record alone, compared, and nothing is left of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Ended, make_project, mfv_command, python, start
from processes import flow

PLAIN = """
@step
def start(self):
    self.numbers = [float(n) for n in range(10)]
    self.items = ["a", "b", "c"]
    self.next(self.each, foreach="items")

@step
def each(self):
    self.made = self.input * 3
    self.next(self.join)

@step
def join(self, inputs):
    self.all = [one.made for one in inputs]
    self.next(self.end)

@step
def end(self):
    self.size = len(self.all)
"""

UNSEEDED = PLAIN.replace("self.made = self.input * 3", "self.made = os.urandom(8)")


def recorded(folder: Path, body: str, *words: str, status: int = 0, **env: str) -> Path:
    """A project with one run of the flow F."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flow.py").write_text(flow(body))
    done = python(folder, "flow.py", "run", *words, env=env)
    assert done.status == status, done
    return folder


def verify(folder: Path, *words: str, status: int = 0, **env: str) -> Ended:
    done = mfv_command(folder, "verify", *words, env=env)
    assert done.status == status, done
    assert_nothing_left(folder)
    return done


def assert_nothing_left(folder: Path) -> None:
    left = [name for name in os.listdir(folder / ".mfv" / "tmp") if name.startswith("verify-")]
    assert left == []
    assert processes_in(folder) == []


def processes_in(folder: Path) -> list[int]:
    """The processes that work below `folder`, this one aside."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                where = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if where.startswith(os.fspath(folder.resolve())):
                found.append(int(entry))
    return found


def until(true: Callable[[], bool]) -> None:
    """Waits for what nobody tells of: processes that are not our children to end."""
    last = time.monotonic() + 60
    while not true():
        assert time.monotonic() < last
        time.sleep(0.02)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run, for verifications, which change nothing."""
    return recorded(tmp_path_factory.mktemp("plain"), PLAIN)


def test_a_run_that_is_deterministic_is_reproduced_to_the_byte(plain: Path) -> None:
    before = mfv_command(plain, "log", "--json").out
    done = verify(plain, "1")
    assert done.out.startswith("F/1 is reproduced: ")
    assert "all the same bytes" in done.out
    found = verify(plain, "1", "--json").json
    assert (found["verdict"], found["first_different"], found["again"]) == ("same", None, None)
    steps = {step["step"]: len(step["tasks"]) for step in found["steps"]}
    assert steps == {"start": 1, "each": 3, "join": 1, "end": 1}
    assert mfv_command(plain, "log", "--json").out == before


def test_the_first_step_that_is_not_deterministic_is_named(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", UNSEEDED)
    done = verify(folder, "1", status=1)
    assert done.out.startswith("F/1 is not reproduced: step each is not deterministic")
    found = verify(folder, "1", "--json", status=1).json
    assert (found["verdict"], found["first_different"]) == ("different", "each")
    told = {step["step"]: (step["verdict"], step["deterministic"]) for step in found["steps"]}
    assert told == {
        "start": ("same", True),
        "each": ("different", False),
        "join": ("different", True),
        "end": ("different", True),
    }


def test_what_changed_in_the_folder_since_does_not_matter(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", PLAIN)
    (folder / "flow.py").write_text("raise SystemExit('not this one')\n")
    verify(folder, "1")
    (folder / "flow.py").unlink()
    verify(folder, "1")


HASHED = """
@step
def start(self):
    self.order = hash("text")
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize(("seed", "status"), [("7", 0), ("random", 1)])
def test_the_hash_seed_is_what_it_was(tmp_path: Path, seed: str, status: int) -> None:
    folder = recorded(tmp_path / "project", HASHED, PYTHONHASHSEED=seed)
    verify(folder, "1", status=status, PYTHONHASHSEED="9")


SETS = HASHED.replace('hash("text")', "{str(n) for n in range(50)}")


def test_a_set_in_another_order_is_the_same_value(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", SETS, PYTHONHASHSEED="random")
    found = verify(folder, "1", "--json").json
    (artifact,) = found["steps"][0]["tasks"][0]["artifacts"]
    assert (found["verdict"], artifact["verdict"]) == ("same value", "same value")
    assert "2 the same value" in verify(folder, "1").out.splitlines()[0]


NEAR = """
@step
def start(self):
    import numpy
    noise = int.from_bytes(os.urandom(7)) / 2**56 + 1e-9
    self.array = numpy.full(5000, 100.0) + noise
    self.number = 100.0 + noise
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_numbers_may_be_as_far_apart_as_is_asked_for(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", NEAR)
    found = verify(folder, "1", "--json", status=1).json
    told = found["steps"][0]["tasks"][0]["artifacts"]
    assert {one["name"]: one["verdict"] for one in told} == dict.fromkeys(
        ("array", "number"), "different"
    )
    assert all(0 < one["max_difference"] <= 1 for one in told)
    assert verify(folder, "1", "--atol", "1", "--json").json["verdict"] == "same value"
    assert verify(folder, "1", "--rtol", "0.01", "--json").json["verdict"] == "same value"


@pytest.mark.parametrize("words", [["--rtol", "-1"], ["--atol", "nan"], ["--rtol", "inf"], ["2"]])
def test_what_makes_no_sense_is_refused(plain: Path, words: list[str]) -> None:
    assert mfv_command(plain, "verify", "1", *words).status == 2


def test_a_failed_run_is_reproduced_if_it_fails_again(tmp_path: Path) -> None:
    body = PLAIN.replace("self.size = len(self.all)", "raise ValueError(os.getcwd())")
    folder = recorded(tmp_path / "project", body, status=1)
    verify(folder, "1")


def test_a_run_that_fails_now_is_different(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    folder = recorded(
        tmp_path / "project", PLAIN.replace("self.size", "open(os.environ['GATE']); self.size"),
        GATE=os.fspath(gate),
    )  # fmt: skip
    verify(folder, "1", GATE=os.fspath(gate))
    gate.unlink()
    found = verify(folder, "1", "--json", status=1, GATE=os.fspath(gate)).json
    assert found["first_different"] == "end"
    assert "it failed in end with FileNotFoundError" in found["ending"]


def test_code_that_no_longer_imports_is_one_clear_error(tmp_path: Path) -> None:
    # Out of an archive, and so in no snapshot.
    helper = tmp_path / "elsewhere.zip"
    with zipfile.ZipFile(helper, "w") as archive:
        archive.writestr("gone_helper.py", "")
    folder = tmp_path / "project"
    folder.mkdir()
    head = f"import sys\n\nsys.path.append({os.fspath(helper)!r})\nimport gone_helper\n"
    (folder / "flow.py").write_text(head + flow(PLAIN))
    assert python(folder, "flow.py", "run").status == 0
    helper.unlink()
    done = verify(folder, "1", status=1)
    assert done.err == (
        "error: the code of F/1 does not start here (exit code 1):\n"
        "  flow.py:4: ModuleNotFoundError: No module named 'gone_helper'\n"
        "hint: --env runs it with the packages that it had\n"
    )
    assert done.out == ""


SECRET = """
api_token = Parameter("api-token", required=True)

@step
def start(self):
    self.length = len(self.api_token)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_secret_is_given_anew_by_its_variable(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", SECRET, "--api-token", "hunter2")
    done = verify(folder, "1", status=2)
    assert "F/1 was given secrets, which are not recorded: api-token" in done.err
    assert "MFV_RUN_API_TOKEN" in done.err
    verify(folder, "1", MFV_RUN_API_TOKEN="another")
    verify(folder, "1", status=1, MFV_RUN_API_TOKEN="of another length")


def test_settings_of_this_moment_do_not_matter(plain: Path) -> None:
    noise = {"MFV_DECOSPECS": "no_such_decorator", "MFV_RUN_X": "1", "MFV_USER": "somebody"}
    verify(plain, "1", **noise)


GIVEN = """
from mfv import Config, IncludeFile, project

table = IncludeFile("table", default="table.csv")
config = Config("config", default="config.json")
branch_name = Parameter("note", default="")

@step
def start(self):
    self.rows = self.table.count("\\n")
    self.depth = self.config.depth
    self.who = current.username, current.branch_name
    self.next(self.wide, foreach="many")

@step
def wide(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass

many = list(range(120))
"""


def test_all_that_a_run_was_given_is_given_again(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    below = folder / "flows"
    below.mkdir(parents=True)
    (folder / ".git").mkdir()
    (below / "table.csv").write_text("a\n1\n2\n")
    (below / "config.json").write_text('{"depth": 4}')
    text = flow(GIVEN).replace("class F", "@project(name='p')\nclass F")
    text = text.replace("    from mfv import Config, IncludeFile, project\n", "")
    (below / "flow.py").write_text("from mfv import Config, IncludeFile, project\n" + text)
    words = ["--branch", "trial", "--with", "retry:times=1", "--max-num-splits", "130", "--note="]
    done = python(below, "flow.py", "run", *words, env={"MFV_USER": "zoe"})
    assert done.status == 0, done
    for name in ("table.csv", "config.json"):
        (below / name).unlink()
    command = mfv_command(folder, "clone", "1", "out", "--json").json["commands"]
    assert command[1] == (
        "python flow.py run --with retry:times=1 --branch trial --max-num-splits 130 --note= "
        "--table ../.mfv-clone/inputs/table.csv --config config "
        "../.mfv-clone/inputs/config-config.json"
    )
    assert mfv_command(folder, "verify", "1").status == 0


FLAKY = PLAIN.replace("self.size", "open(os.environ['GATE']); self.size")


def test_a_resumed_run_is_reproduced_as_a_whole(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    folder = recorded(tmp_path / "project", FLAKY, status=1, GATE=os.fspath(gate))
    gate.touch()
    done = python(folder, "flow.py", "resume", env={"GATE": os.fspath(gate)})
    assert done.status == 0, done
    found = verify(folder, "2", "--json", GATE=os.fspath(gate)).json
    assert (found["verdict"], len(found["steps"])) == ("same", 4)


READER = """
@step
def start(self):
    from mfv import Flow
    self.before = Flow("F").latest_successful_run["end"].task["size"].data if self.read else 0
    self.mine = len(list(current.run["start"]))
    self.next(self.end)

@step
def end(self):
    self.size = self.before + 1

read = Parameter("read", default=False)
"""


def test_a_step_that_reads_other_runs_finds_those_of_the_repository(tmp_path: Path) -> None:
    folder = recorded(tmp_path / "project", READER)
    assert python(folder, "flow.py", "run", "--read", "true").status == 0
    found = verify(folder, "2", "--json", status=1).json  # it reads the newest: itself, by now
    (artifact,) = found["steps"][0]["tasks"][0]["artifacts"]
    assert (artifact["name"], artifact["what"]) == ("before", "1 -> 2")
    assert len(mfv_command(folder, "log", "--json").lines) == 2


NUMBERED = """
@step
def start(self):
    from mfv import Run
    self.kept = current.run_id, current.pathspec, current.username
    self.own = Run(f"F/{current.run_id}").id
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("number", [1, 3])
def test_the_number_of_the_run_is_what_it_was(tmp_path: Path, number: int) -> None:
    folder = recorded(tmp_path / "project", NUMBERED)
    for _ in range(number - 1):
        assert python(folder, "flow.py", "run").status == 0
    verify(folder, str(number))


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_fits_the_terminal(tmp_path: Path, width: int) -> None:
    long = "a_step_with_a_name_that_is_much_longer_than_anybody_would_ever_want_to_type"
    body = re.sub(r"\beach\b(?!=)", long, UNSEEDED)
    folder = recorded(tmp_path / "project", body)
    done = verify(folder, "1", status=1, COLUMNS=str(width))
    assert max(map(len, done.out.splitlines())) <= width
    assert "not deterministic" in done.out
    assert "different" in done.out


def test_what_the_flow_prints_is_shown_where_asked_for(tmp_path: Path) -> None:
    body = PLAIN.replace("self.size", "print('said aloud'); self.size")
    folder = recorded(tmp_path / "project", body)
    assert "said aloud" not in verify(folder, "1").err
    shown = verify(folder, "1", "-v", "--json")
    assert "said aloud" in shown.err
    assert shown.json["verdict"] == "same"


def test_many_in_a_row_leave_nothing_behind(plain: Path, tmp_path: Path, long: bool) -> None:
    before = set(os.listdir(plain / ".mfv"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for _ in range(20 if long else 3):
        verify(plain, "1", TMPDIR=os.fspath(temporary))
        assert os.listdir(temporary) == []
    assert set(os.listdir(plain / ".mfv")) == before


GATED = PLAIN.replace(
    "self.made = self.input * 3",
    "open(os.environ['BEGUN'], 'w').close(); open(os.environ['GATE']).close(); self.made = 1",
)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[bytes]]]:
    """A verification that waits within a step, and the project that it is of."""
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    begun.touch()
    gate.touch()
    variables = {"BEGUN": os.fspath(begun), "GATE": os.fspath(gate)}
    folder = recorded(tmp_path / "project", GATED, **variables)
    for pipe in (begun, gate):
        pipe.unlink()
        os.mkfifo(pipe)
    process = start(folder, "-m", "mfv", "verify", "1", env=variables, start_new_session=True)
    begun.open().close()  # waits for a step to come there
    yield folder, process
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_verification_cleans_up(
    waiting: tuple[Path, subprocess.Popen[bytes]], number: int
) -> None:
    folder, process = waiting
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert_nothing_left(folder)
    assert mfv_command(folder, "log", "--json").json["run"] == "F/1"


@pytest.mark.parametrize("words", [["gc"], ["verify", "1"]])
def test_what_a_killed_verification_leaves_the_next_one_or_gc_clears(
    waiting: tuple[Path, subprocess.Popen[bytes]], words: list[str]
) -> None:
    folder, process = waiting
    process.kill()
    process.communicate()
    until(lambda: processes_in(folder) == [])  # its run is told by the system, and ends
    places = [name for name in os.listdir(folder / ".mfv/tmp") if name.startswith("verify-")]
    assert len(places) == 1
    gates = {"BEGUN": os.devnull, "GATE": os.devnull}
    assert mfv_command(folder, *words, env=gates).status in (0, 1)
    assert_nothing_left(folder)


def test_a_run_that_goes_on_is_refused(waiting: tuple[Path, subprocess.Popen[bytes]]) -> None:
    folder, _ = waiting
    begun, gate = folder.parent / "begun", folder.parent / "gate"
    variables = {"BEGUN": os.fspath(begun), "GATE": os.fspath(gate)}
    process = start(folder, "flow.py", "run", env=variables, start_new_session=True)
    try:
        until(lambda: len(mfv_command(folder, "log", "--json").lines) == 2)
        done = mfv_command(folder, "verify", "2")
        assert done.status == 4
        assert "F/2 is still running" in done.err
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def test_unknown_runs_and_damaged_ones_are_told(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    assert mfv_command(folder, "verify", "99").status == 3
    assert mfv_command(folder, "verify", "TrainFlow/1", "--json").json["verdict"] == "same"
