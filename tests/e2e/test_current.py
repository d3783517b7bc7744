"""What a task learns of itself, and what it may do to its run while it goes on."""

from __future__ import annotations

from pathlib import Path

from processes import Place, flow

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
