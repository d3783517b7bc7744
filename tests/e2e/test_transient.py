"""What is transient is there for later steps and for a resume, and goes once the run succeeded."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place

BODY = """
fail = Parameter("fail", default=0)

@step
def start(self):
    self.features = mfv.transient(os.urandom(200_000))
    self.scratch = mfv.transient([1.5] * 10)
    self.kept = mfv.transient(os.urandom(1000))
    assert len(self.features) == 200_000
    self.next(self.train)

@step
def train(self):
    self.size = len(self.features) + len(self.scratch)
    self.kept = self.kept[:500]
    self.model = os.urandom(1000)
    self.next(self.end)

@step
def end(self):
    if self.fail:
        raise ValueError("not yet")
    self.total = self.size + len(self.kept)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "project", BODY)
    flow = made.folder / "flow.py"
    flow.write_text(flow.read_text().replace("import os", "import os\nimport mfv", 1))
    return made


def swept(place: Place) -> None:
    place.mfv("gc", "--prune", "now", "--repack")
    place.mfv("fsck", "--data")


def stored(place: Place) -> int:
    return sum(path.stat().st_size for path in (place.store / "packs").iterdir())


def test_later_steps_read_it_and_a_gc_after_the_run_frees_it(place: Place) -> None:
    place.run()
    assert place.values("end")["total"] == 200_510
    assert len(place.values("start")["features"]) == 200_000, "until a gc it may still be there"
    swept(place)
    assert stored(place) < 100_000
    shown = place.mfv("show", "1/start/features").out
    assert "until the run has succeeded" in shown
    assert "200 kB" in shown
    gone = place.mfv("cat", "1/start/features", code=3)
    assert "it was transient" in gone.err
    asked = place.python(
        "-c", "import mfv; mfv.Flow('F').latest_run['start'].task['features'].data"
    )
    assert "it was transient" in asked.err
    for line in (["log"], ["show", "1"], ["diff", "1", "1"], ["du"], ["ls", "1/start"]):
        place.mfv(*line)


def test_what_is_set_again_without_it_is_kept(place: Place) -> None:
    place.run()
    swept(place)
    artifacts = {one.name: one.transient for one in place.task("end").artifacts}
    assert artifacts["kept"] is False
    assert artifacts["features"] is True, "what is handed on stays what it is"
    asked = place.python("-c", "import mfv; print(len(mfv.Run('F/1')['train'].task['kept'].data))")
    assert asked.out == "500\n", asked.text


def test_a_run_that_failed_keeps_it_for_a_resume(place: Place) -> None:
    place.run("--fail", "1", code=1)
    swept(place)
    assert len(place.values("train")["features"]) == 200_000
    done = place.python("flow.py", "resume", "--set", "fail=0")
    assert done.code == 0, done.text
    assert {one.origin for one in (place.task(step, run=2) for step in ["start", "train"])} == {
        (1, 1),
        (1, 2),
    }
    assert place.values("end", run=2)["total"] == 200_510
    swept(place)
    assert len(place.values("start", run=1)["features"]) == 200_000


@pytest.mark.parametrize("how", ["transient", "dropped"])
def test_a_resume_runs_the_step_whose_bytes_are_gone_anew(place: Place, how: str) -> None:
    if how == "dropped":
        flow = place.folder / "flow.py"
        flow.write_text(flow.read_text().replace("mfv.transient(", "("))
    place.run()
    if how == "dropped":
        place.mfv("rm", "1", "--artifact", "features")
    swept(place)
    done = place.python("flow.py", "resume", "end")
    assert done.code == 0, done.text
    assert "start runs: the bytes of features are gone" in done.text
    assert place.task("start", run=2).origin is None
    assert place.values("end", run=2)["total"] == 200_510
    swept(place)
    assert place.mfv("show", "2/end/total").out
