"""The runs behind a run, followed through resumes, clones and reads; and a run that goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
from processes import Place

PREPARE = """
@step
def start(self):
    self.table = [1, 2, 3]
    self.next(self.end)

@step
def end(self):
    pass
"""
TRAIN = """
@step
def start(self):
    self.kept = sum(Flow("F").latest_run.data.table)
    self.next(self.end)

@step
def end(self):
    if os.path.exists("broken"):
        raise ValueError("broken")
"""


def write(place: Place, name: str, flow: str, body: str) -> None:
    script = place.write(body, name)
    text = script.read_text().replace("import FlowSpec", "import Flow, FlowSpec")
    script.write_text(text.replace("class F(", f"class {flow}(").replace(" F()", f" {flow}()"))


def runs_of(place: Place) -> Place:
    """F/1 is read by Train/1, which fails, is resumed as Train/2 and 3; a clone of F/1 is F/2."""
    place.write(PREPARE)
    write(place, "train.py", "Train", TRAIN)
    place.run()
    (place.folder / "broken").touch()
    assert place.python("train.py", "run").code == 1
    assert place.python("train.py", "resume").code == 1
    (place.folder / "broken").unlink()
    assert place.python("train.py", "resume").code == 0
    place.mfv("clone", "F/1", "copy")
    assert place.python("flow.py", "run", cwd=place.folder / "copy").code == 0
    return place


def told(place: Place, *words: str) -> list[Any]:
    out = place.mfv("log", "--lineage", *words, "--json").out
    return [msgspec.json.decode(line) for line in out.splitlines()]


def test_a_run_leads_to_all_that_it_came_of_and_back(place: Place) -> None:
    runs_of(place)
    links = [
        [(link["relation"], link["run"], link["tasks"], link["artifacts"]) for link in run["links"]]
        for run in told(place, "Train/3")
    ]
    read = ("read from", "F/1", 0, ["end/2/table"])
    assert links == [
        [("resumed from", "Train/2", 1, []), read],
        [("resumed from", "Train/1", 1, []), read],
        [],  # of F/1: the nearest come first
        [read],
    ]
    assert told(place, "F/2")[0]["links"][0]["relation"] == "cloned from"
    both = told(place, "F/1", "--descendants")
    assert [run["run"] for run in both] == ["F/1", "F/1", "F/2", "Train/3", "Train/2", "Train/1"]
    assert {link["relation"] for run in both for link in run["links"]} == {
        "read by",
        "cloned by",
        "resumed by",
    }
    tree = place.mfv("log", "--lineage", "Train/3").out.splitlines()
    assert [line.split("  ")[0] for line in tree] == [
        "Train/3",
        "|- resumed from Train/2",
        "|",
        "|",
        "|",
        "`- read from F/1",
    ]
    assert tree[2].startswith("|  |- resumed from Train/1  failed ")
    assert tree[3].startswith("|  |  `- read from F/1  ok ")


def test_a_run_read_or_cloned_from_another_repository_is_named_and_not_looked_for(
    place: Place, tmp_path: Path
) -> None:
    place.write(PREPARE)
    place.run()
    place.mfv("clone", "F/1", "../copy")
    other = Place(tmp_path / "copy")
    assert other.python("flow.py", "run").code == 0
    origin = place.view().repository.format.repository.hex()
    first = told(other, "F/1")
    assert [(run["run"], run["repository"]) for run in first] == [("F/1", None), ("F/1", origin)]
    write(
        other,
        "train.py",
        "Train",
        TRAIN.replace("sum(", f"metadata({str(place.store)!r}) and sum("),
    )
    script = other.folder / "train.py"
    script.write_text(script.read_text().replace("import Flow,", "import Flow, metadata,"))
    assert other.python("train.py", "run").code == 0
    found = {(run["run"], run["repository"]) for run in told(other, "Train/1")}
    assert found == {("Train/1", None), ("F/1", origin)}
    relations = {link["relation"] for link in told(other, "Train/1")[0]["links"]}
    assert relations == {"cloned from", "read from"}
    assert f"F/1 of repository {origin[:8]}" in other.mfv("log", "--lineage", "Train/1").out
    assert "F/1 (table)" in other.mfv("graph", "Train/1").out


def test_runs_that_read_each_other_are_followed_to_an_end(place: Place) -> None:
    write(
        place,
        "inner.py",
        "Inner",
        TRAIN.replace('"F").latest_run.data', '"F")["1"]["start"].task.data'),
    )
    place.write(
        """
@step
def start(self):
    self.table = [1]
    self.next(self.middle)

@step
def middle(self):
    from mfv import Run, Runner
    with Runner("inner.py", show_output=False).run() as running:
        assert running.status == "successful"
    self.got = Run("Inner/1").data.kept
    self.next(self.end)

@step
def end(self):
    pass
"""
    )
    place.run()
    for name, other in (("F/1", "Inner/1"), ("Inner/1", "F/1")):
        found = told(place, name, "--descendants")
        assert [run["run"] for run in found] == [name, other, name, other]
    assert "(see above)" in place.mfv("log", "--lineage", "F/1").out


def test_an_open_run_is_drawn_as_it_stands(place: Place) -> None:
    place.write(
        """
@step
def start(self):
    self.next(self.wait)

@step
def wait(self):
    open("waiting", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    self.next(self.end)

@step
def end(self):
    pass
"""
    )
    process = place.start("flow.py", "run")
    try:
        while not (place.folder / "waiting").exists():
            assert process.poll() is None
            time.sleep(0.01)
        lines = place.mfv("graph").out.splitlines()
        assert lines[0].startswith("F/1  open in ")
        assert [line.split()[:2] for line in lines[1:]] == [
            ["o", "start"],
            ["@", "wait"],
            [".", "end"],
        ]
        assert "0 of 1 task" in lines[2]
    finally:
        (place.folder / "go").touch()
        process.communicate()
