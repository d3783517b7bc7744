"""What a step reads of other runs through the client is part of its record."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from processes import Place

from mfv.repo.reads import ROOM

PREPARE = """
size = Parameter("size", default=3)

@step
def start(self):
    self.table = list(range(self.size * 1000))
    self.mean = 1.5
    self.next(self.end)

@step
def end(self):
    pass
"""
READING = """
@step
def start(self):
    data = Flow("Prepare").latest_run.data
    assert len(data.table) == 1000 * data.size and data.table
    self.mine = 7
    self.next(self.children, self.own)

@step
def children(self):
    import subprocess
    read = "from mfv import Flow; print(Flow('Prepare').latest_run.data.size)"
    subprocess.run([sys.executable, "-c", read], check=True)
    if os.fork() == 0:
        Flow("Prepare").latest_run.data.mean
        os._exit(0)
    os.wait()
    self.next(self.join)

@step
def own(self):
    assert current.run["start"].task.data.mine == 7
    assert Flow("F").latest_run["start"].task.data.mine == 7
    assert Flow("Prepare").latest_run["start"].task["table"].size  # looked at, and not loaded
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    assert Flow("Prepare").latest_run.data.mean
    if os.path.exists("broken"):
        raise ValueError("broken")
"""


@pytest.fixture
def prepared(place: Place) -> Place:
    """A place with a run of Prepare, and F, which reads it, in flow.py."""
    place.write(PREPARE, "prepare.py")
    script = place.folder / "prepare.py"
    text = script.read_text()
    script.write_text(text.replace("class F(", "class Prepare(").replace(" F()", " Prepare()"))
    prepare(place)
    write(place, READING)
    return place


def write(place: Place, body: str) -> None:
    """Puts the flow F with this body, which uses the client, into flow.py."""
    script = place.write(body)
    script.write_text(script.read_text().replace("import FlowSpec", "import Flow, FlowSpec"))


def prepare(place: Place, *options: str) -> None:
    done = place.python("prepare.py", "run", *options)
    assert done.code == 0, done.text


def reads(place: Place, step: str, run: int = 1) -> list[str]:
    return [read.pathspec for read in place.task(step, run=run).reads]


@pytest.mark.parametrize("process", ["fork", "spawn"])
def test_a_task_records_each_artifact_that_it_loads_once_and_in_order(
    prepared: Place, process: str
) -> None:
    prepared.run("--process", process)
    assert reads(prepared, "start") == ["Prepare/1/end/2/table", "Prepare/1/end/2/size"]
    read = prepared.task("start").reads[0]
    view = prepared.view(1, "Prepare")
    assert read.artifact == view.artifact(view.tasks("start")[0], "table").id
    assert read.origin == view.repository.format.repository
    assert prepared.task("start").more_reads == 0


def test_programs_and_processes_that_a_task_starts_read_for_it(prepared: Place) -> None:
    prepared.run()
    assert sorted(reads(prepared, "children")) == ["Prepare/1/end/2/mean", "Prepare/1/end/2/size"]


def test_reading_the_run_itself_or_looking_without_loading_is_no_read(prepared: Place) -> None:
    prepared.run()
    assert reads(prepared, "own") == []


def test_a_failed_task_has_its_reads_and_a_clone_those_of_its_origin(prepared: Place) -> None:
    (prepared.folder / "broken").touch()
    prepared.run(code=1)
    assert reads(prepared, "end") == ["Prepare/1/end/2/mean"]
    (prepared.folder / "broken").unlink()
    prepare(prepared, "--size", "2")
    assert prepared.python("flow.py", "resume").code == 0
    assert reads(prepared, "start", run=2) == reads(prepared, "start")
    assert reads(prepared, "end", run=2) == ["Prepare/2/end/2/mean"]


def test_the_sealed_run_names_the_runs_that_it_took_something_from(prepared: Place) -> None:
    prepared.run()
    prepared.python("flow.py", "resume", "end")
    sealed = prepared.view(1).manifest, prepared.view(2).manifest
    names = [[(s.flow, s.number) for s in one.sources or ()] for one in sealed if one is not None]
    assert names == [[("Prepare", 1)], [("F", 1), ("Prepare", 1)]]
    prepared_run = prepared.view(1, "Prepare").manifest
    assert prepared_run is not None
    assert prepared_run.sources == ()


def test_no_more_reads_are_recorded_than_there_is_room_for(place: Place) -> None:
    more = f"""
@step
def start(self):
    for number in range({ROOM + 5}):
        setattr(self, f"value_{{number}}", number)
    self.next(self.end)

@step
def end(self):
    if current.run_id == "2":
        for _ in range(2):
            for artifact in Flow("F")["1"]["start"].task:
                artifact.data
"""
    write(place, more)
    place.run()
    place.run()
    task = place.task("end", run=2)
    assert (len(task.reads), task.more_reads) == (ROOM, 5)
    assert "and 5 more" in place.mfv("show", "F/2/end/2").out


def test_what_a_task_read_is_shown_and_the_client_tells_it(prepared: Place) -> None:
    prepared.run()
    assert "took from     Prepare/1" in prepared.mfv("show", "F/1").out
    shown = prepared.mfv("show", "F/1/start/1").out
    assert "read from other runs\n  Prepare/1/end/2/table  " in shown
    told = msgspec.json.decode(prepared.mfv("show", "F/1/start/1", "--json").out)["reads"]
    assert [one["artifact"] for one in told] == reads(prepared, "start")
    script = (
        "from mfv import Run\n"
        "run = Run('F/1')\n"
        "print([read.pathspec for read in run['start'].task.reads])\n"
        "print(sorted(read.pathspec for read in run.reads))\n"
        "print(run['start'].task.reads[0].sha == Run('Prepare/1')['start'].task['table'].sha)\n"
    )
    each = ["mean", "size", "table"]
    assert prepared.python("-c", script).out.splitlines() == [
        str(reads(prepared, "start")),
        str([f"Prepare/1/end/2/{name}" for name in each]),
        "True",
    ]


def test_a_comparison_tells_reads_of_other_content_and_not_the_same_from_another_run(
    prepared: Place,
) -> None:
    prepared.run()
    prepare(prepared)
    prepared.run()
    assert prepared.mfv("diff", "F/1", "F/2", "--exit-code").code == 0
    prepare(prepared, "--size", "2")
    prepared.run()
    told = prepared.mfv("diff", "F/2", "F/3", "--exit-code", code=1).out
    assert "reads of other runs" in told
    assert "start: Prepare/end/table" in told
    assert "Prepare/2 (" in told
    assert "-> Prepare/3 (" in told
    assert "start: Prepare/end/mean" not in told


def test_what_was_read_from_another_repository_needs_nothing_of_it_later(
    prepared: Place, tmp_path: Path
) -> None:
    other = Place(tmp_path / "other")
    text = READING.replace(
        "data = Flow",
        f"from mfv import metadata; metadata({str(prepared.store)!r})\n    data = Flow",
    ).split("self.next(self.children")[0]
    write(other, text + "self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    other.run()
    assert reads(other, "start") == ["Prepare/1/end/2/table", "Prepare/1/end/2/size"]
    origin = prepared.view(1, "Prepare").repository.format.repository
    assert {read.origin for read in other.task("start").reads} == {origin}
    # A read is a name, and keeps nothing: neither asks for what it names.
    assert msgspec.json.decode(other.mfv("fsck", "--data", "--json").out)["errors"] == 0
    assert other.mfv("gc").code == 0


def test_the_origins_of_a_run_resumed_twice_end_where_it_was_really_made(prepared: Place) -> None:
    (prepared.folder / "broken").touch()
    prepared.run(code=1)
    assert prepared.python("flow.py", "resume").code == 1
    (prepared.folder / "broken").unlink()
    assert prepared.python("flow.py", "resume").code == 0
    script = (
        "from mfv import Run\n"
        "run = Run('F/3')\n"
        "task = run['start'].task\n"
        "for one in (run, run['start'], task, task['mine'], run['end'].task):\n"
        "    print(one.origin_pathspec, one.origins)\n"
    )
    assert prepared.python("-c", script).out.splitlines() == [
        "F/2 ['F/2', 'F/1']",
        "F/2/start ['F/2/start', 'F/1/start']",
        "F/2/start/1 ['F/2/start/1', 'F/1/start/1']",
        "F/2/start/1/mine ['F/2/start/1/mine', 'F/1/start/1/mine']",
        "None []",
    ]
