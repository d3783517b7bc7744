"""What a task learns of itself, and what it may do to its run while it goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place, flow

from mfv.client import MetaflowNotFound, Run, Task, default_namespace
from mfv.repo.repository import Repository

BODY = """
UNIT = "m"
alpha = Parameter("alpha", default=1)

@step
def start(self):
    current.run.add_tag("from-inside")
    current.run.replace_tag("night", "day")
    self.seen_tags = sorted(current.run.user_tags)
    self.items = ["a", "b"]
    self.next(self.work, foreach="items")

@step
def work(self):
    task = current.task
    self.me = (task.pathspec, task.finished, task.successful, task.finished_at, task.index)
    self.parents = [one.pathspec for one in task.parent_tasks]
    self.same = task in list(current.run[current.step_name])
    self.above = repr(task.parent)
    with open(os.path.join(current.tempdir, str(self.index)), "w") as file:
        file.write(self.input)
    self.next(self.join)

@step
def join(self, inputs):
    self.folder = current.tempdir
    self.files = sorted(os.listdir(current.tempdir))
    self.names = current.parameter_names
    self.graph = current.graph
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_task_can_tag_its_run_and_look_at_it(place: Place) -> None:
    place.write(BODY)
    place.run("--tag", "night")
    assert place.values("start")["seen_tags"] == ["day", "from-inside"]
    assert sorted(place.view().tags) == ["day", "from-inside"]
    assert place.view().state.status == "ok"


def test_current_task_is_the_client_s_and_is_not_finished_yet(place: Place) -> None:
    place.write(BODY)
    place.run()
    second = place.values("work", 1)
    assert second["me"] == ("F/1/work/3", False, False, None, 1)
    assert second["parents"] == ["F/1/start/1"]
    assert second["same"]
    assert second["above"] == "Step('F/1/work')"


def test_tempdir_is_shared_by_the_tasks_of_a_run_and_gone_after_it(place: Place) -> None:
    place.write(BODY)
    place.run()
    values = place.values("join")
    assert values["files"] == ["0", "1"]
    assert not Path(values["folder"]).exists()


def test_tempdir_is_gone_after_a_run_that_failed(place: Place) -> None:
    place.write(BODY.replace("self.files =", "print(current.tempdir); 1 / 0; self.files ="))
    place.run(code=1)
    (folder,) = place.output("stdout", place.task("join")).decode().split()
    assert not Path(folder).exists()


def test_current_shows_the_parameters_and_the_graph_as_data(place: Place) -> None:
    place.write(BODY)
    place.run()
    values = place.values("join")
    assert values["names"] == ["alpha"]
    graph = values["graph"]
    assert graph["graph_structure"] == ["start", [["work"]], "join", "end"]
    assert graph["steps"]["start"]["type"] == "split-foreach"
    assert graph["steps"]["start"]["foreach_artifact"] == "items"
    assert graph["steps"]["start"]["matching_join"] == "join"
    assert graph["parameters"] == [{"name": "alpha", "type": "Parameter"}]
    assert graph["constants"] == [{"name": "UNIT", "type": "str"}]


def test_the_scheduler_s_repository_has_a_tag_as_soon_as_the_task_has_put_it_on(
    place: Place,
) -> None:
    place.write(
        """
        @step
        def start(self):
            current.run.add_tag("early")
            from mfv.repo.repository import Repository
            self.open = [(r.status, sorted(r.tags)) for r in Repository.open(".mfv").state]
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert place.values("start")["open"] == [("open", ["early"])]


def test_a_mistake_in_a_tag_fails_the_task_and_not_the_record(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.kept = 1
            current.run.remove_tag("user:ana")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    done = place.run(code=1)
    assert "cannot be removed" in done.text
    assert place.statuses() == {"F/1": "failed"}
    assert place.values("start")["kept"] == 1


def test_many_tasks_tag_their_run_at_once_and_no_tag_is_lost(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.items = list(range(12))
            self.next(self.work, foreach="items")

        @step
        def work(self):
            current.run.add_tag(f"item{self.input}")
            self.next(self.join)

        @step
        def join(self, inputs):
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    assert set(place.view().tags) == {f"item{index}" for index in range(12)}
    assert [run.status for run in Repository.open(place.store).state] == ["ok"]


def test_outside_of_a_task_current_has_nothing_and_says_so_calmly(place: Place) -> None:
    place.folder.joinpath("ask.py").write_text(
        "from mfv import current\n"
        "print(current.is_running_flow, current.run_id, current.run, 'run_id' in current,\n"
        "      current.get('project_name', 'none'))\n"
    )
    assert place.python("ask.py").out.split() == ["False", "None", "None", "False", "none"]


def test_a_library_reads_the_running_task_by_its_pathspec_in_any_namespace(place: Place) -> None:
    place.folder.joinpath("flow.py").write_text(
        flow(
            """
            @step
            def start(self):
                from mfv import Task, namespace
                namespace("user:somebody-else")
                self.owner = [tag for tag in current.run.tags if tag.startswith("user:")]
                namespace(None)
                self.same = Task(current.pathspec) == current.task
                self.next(self.end)

            @step
            def end(self):
                pass
            """
        )
    )
    place.run()
    assert place.values("start")["owner"] == ["user:ana"]
    assert place.values("start")["same"]


def test_the_graph_tells_the_decorators_and_what_they_were_given(place: Place) -> None:
    place.write(
        """
        @retry(times=1, minutes_between_retries=0)
        @step
        def start(self):
            self.graph = current.graph
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    script = place.folder / "flow.py"
    script.write_text("from mfv import project, retry\n" + script.read_text())
    script.write_text(script.read_text().replace("class F(", '@project(name="demo")\nclass F('))
    place.run()
    graph = place.values("start")["graph"]
    assert graph["steps"]["start"]["decorators"] == [
        {
            "name": "retry",
            "attributes": {"times": 1, "minutes_between_retries": 0},
            "statically_defined": True,
        }
    ]
    assert [one["name"] for one in graph["decorators"]] == ["project"]


def test_a_failed_attempt_can_be_read_beside_the_one_that_worked(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(
        """
        @retry(times=1, minutes_between_retries=0)
        @step
        def start(self):
            self.tries = current.retry_count
            current.run.add_tag(f"try{current.task.current_attempt}")
            print("try", self.tries)
            if self.tries == 0:
                raise ValueError("the first")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    script = place.folder / "flow.py"
    script.write_text("from mfv import retry\n" + script.read_text())
    place.run()
    monkeypatch.setenv("MFV_DIR", str(place.store))
    monkeypatch.setenv("MFV_USER", "ana")
    default_namespace()
    task, first = Task("F/1/start/1"), Task("F/1/start/1", attempt=0)
    assert (task.current_attempt, task.successful, task.data.tries) == (1, True, 1)
    assert (first.current_attempt, first.successful, first.data.tries) == (0, False, 0)
    assert (task.stdout, first.stdout) == ("try 1\n", "try 0\n")
    assert first.exception is not None
    assert first.exception.exception == "the first"
    assert task.exception is None
    assert task.created_at == first.created_at
    assert Run("F/1").successful
    assert Run("F/1").user_tags == {"try0", "try1"}
    with pytest.raises(MetaflowNotFound, match="no attempt 2"):
        Task("F/1/start/1", attempt=2)
    assert place.python("flow.py", "--quiet", "logs", "1/start", "--attempt", "0").out.startswith(
        "try 0\n"
    )
