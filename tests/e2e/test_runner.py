"""Flows run by a program: what comes back, while they run and after."""

from __future__ import annotations

import asyncio
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Place, flow

from mfv import Deployer, NBRunner, Runner
from mfv.client import default_metadata
from mfv.errors import NotFoundError, UsageError
from mfv.runner import RunnerError

BODY = """
learning_rate = Parameter("learning-rate", default=0.5)
table = Parameter("table", type=JSONType, default="{}")
flag = Parameter("flag", type=bool, default=False)
wait_for = Parameter("wait_for", default="")

@step
def start(self):
    from pathlib import Path
    print("the answer is", self.learning_rate)
    print("trouble", file=sys.stderr)
    self.seen = (self.learning_rate, self.table, self.flag)
    while self.wait_for and not Path(self.wait_for).exists():
        time.sleep(0.01)
    if self.flag:
        raise ValueError("asked to")
    self.next(self.end)

@step
def end(self):
    self.tags = sorted(current.tags)
"""


@pytest.fixture(autouse=True)
def alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    place.write(BODY)
    for name in list(os.environ):
        if name.startswith(("MFV_", "METAFLOW_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MFV_USER", "ana")
    default = place.folder / ".mfv"
    monkeypatch.setenv("MFV_DIR", str(default))
    yield
    default_metadata()


def runner(place: Place, **options: object) -> Runner:
    script = place.folder / "flow.py"
    return Runner(script, show_output=False, cwd=place.folder, **options)  # type: ignore[arg-type]


def test_a_run_comes_back_finished_with_its_artifacts_and_output(place: Place) -> None:
    with runner(place) as one:
        result = one.run(learning_rate=-2, table={"a": [1]}, tags=["x", "y"], max_workers=1)
        assert (result.status, result.returncode) == ("successful", 0)
        assert result.run.pathspec == "F/1"
        assert result.run["end"].task.data.tags == ["x", "y"]
        assert result.run["start"].task.data.seen == (-2.0, {"a": [1]}, False)
        assert "run F/1 done" in result.stdout
        assert "the answer is -2" in result.stdout
        assert result.stderr == ""
    with pytest.raises(NotFoundError, match="is gone"):
        _ = result.stdout
    assert result.run.successful


def test_a_run_that_fails_comes_back_all_the_same(place: Place) -> None:
    result = runner(place).run(flag=True)
    assert (result.status, result.returncode) == ("failed", 1)
    assert not result.run.successful
    assert "asked to" in result.run["start"].task.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"learning_rate": "fast"}, "learning-rate"),
        ({"no_such": 1}, "no such option: --no-such"),
        ({"tags": ["not a tag"]}, "cannot be a tag"),
    ],
)
def test_what_the_flow_refuses_is_told_as_the_flow_tells_it(
    place: Place, options: dict[str, object], said: str
) -> None:
    with pytest.raises(RunnerError, match=said) as caught:
        runner(place).run(**options)
    assert caught.value.returncode == 2
    assert caught.value.hint
    assert place.statuses() == {}


def test_a_script_that_breaks_before_its_run_is_told_with_its_traceback(place: Place) -> None:
    (place.folder / "flow.py").write_text("import no_such_module\n")
    with pytest.raises(RunnerError, match="No module named 'no_such_module'"):
        runner(place).run()


def test_a_script_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(NotFoundError, match="no file nowhere"):
        Runner("nowhere.py")


def test_output_is_shown_as_it_comes(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    Runner(place.folder / "flow.py", cwd=place.folder).run()
    shown = capsys.readouterr().out
    assert "the answer is 0.5" in shown
    assert "run F/1 done" in shown


def test_options_before_the_command_and_variables_are_handed_on(place: Place) -> None:
    result = runner(place, quiet=True, env={"MFV_RUN_TABLE": "[3]"}).run()
    assert "started" not in result.stdout
    assert result.run["start"].task.data.seen == (0.5, [3], False)


def test_the_run_is_found_where_the_flow_recorded_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFV_DIR", str(tmp_path / "elsewhere"))  # the program's own, not the flow's
    result = runner(place, env={"MFV_DIR": str(place.store)}).run()
    assert result.run.successful
    assert result.run.user_tags == frozenset()


def test_a_run_started_in_an_event_loop_can_be_watched_while_it_goes_on(place: Place) -> None:
    async def watch() -> None:
        async with runner(place) as one:
            running = await one.async_run(wait_for="go")
            assert (running.status, running.returncode) == ("running", None)
            assert running.run.status == "open"
            lines = running.stream_log("stdout")
            position = 0
            async for behind, line in lines:
                position = behind
                if "the answer is" in line:
                    break
            (place.folder / "go").touch()
            assert await running.wait() is running
            assert running.status == "successful"
            rest = [line async for _, line in running.stream_log("stdout", position)]
            assert not any("the answer is" in line for line in rest)
            assert "run F/1 done" in rest[-1]

    asyncio.run(watch())


def test_several_runs_go_on_at_a_time(place: Place) -> None:
    async def watch() -> list[str]:
        async with runner(place) as one:
            started = [await one.async_run(wait_for="go") for _ in range(3)]
            (place.folder / "go").touch()
            await asyncio.gather(*(running.wait() for running in started))
            assert {running.status for running in started} == {"successful"}
            return [running.run.id for running in started]

    assert sorted(asyncio.run(watch())) == ["1", "2", "3"]


def test_a_run_that_takes_too_long_is_interrupted_and_sealed(place: Place) -> None:
    async def watch() -> str:
        running = await runner(place).async_run(wait_for="never")
        await running.wait(timeout=0.2)
        assert running.status == "timeout"
        assert running.returncode
        return running.run.status

    assert asyncio.run(watch()) == "interrupted"


def test_waiting_can_print_the_output(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    async def watch() -> None:
        running = await runner(place).async_run()
        await running.wait(stream="stdout")

    asyncio.run(watch())
    assert "the answer is 0.5" in capsys.readouterr().out


def test_an_async_run_that_cannot_begin_raises(place: Place) -> None:
    async def watch() -> None:
        await runner(place).async_run(no_such=1)

    with pytest.raises(RunnerError, match="no such option"):
        asyncio.run(watch())


def test_a_notebook_s_flow_runs_from_its_cell(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = flow(BODY).partition("\nif __name__")[0] + "\nrun = NBRunner(F).nbrun()\n"
    history = types.SimpleNamespace(input_hist_raw=["", cell])
    shell = types.SimpleNamespace(history_manager=history)
    notebook = types.SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    before = set(place.folder.iterdir())
    defined = type("F", (), {})
    run = NBRunner(defined, show_output=False, base_dir=place.folder).nbrun(learning_rate=3)
    assert run["start"].task.data.seen[0] == 3.0
    assert set(place.folder.iterdir()) - before == {place.store}


def test_outside_of_a_notebook_its_runner_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", None)
    with pytest.raises(UsageError, match="notebook"):
        NBRunner(type("F", (), {}))


def test_deploying_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(UsageError, match="mfv deploys no flows"):
        Deployer("flow.py")
