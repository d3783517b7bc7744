"""What a run takes over of earlier ones where something changed since, and what runs anew."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import Place

HEAD = "import util\nfrom model import Net\n"
FLOW = """
alpha = Parameter("alpha", default=2)
depth = Parameter("depth", default=3)
token = Parameter("token", default="none")
SCALE = 10

@step
def start(self):
    self.rows = util.load(self.depth)
    self.untouched = "u"
    self.next(self.fit, self.tally)

@step
def fit(self):
    self.net = Net(self.rows[0] * self.alpha)
    self.items = [1, 2, 3]
    self.next(self.each, foreach="items")

@step
def each(self):
    self.got = self.input * self.SCALE
    self.next(self.gather)

@step
def gather(self, inputs):
    self.total = sum(one.got for one in inputs)
    self.net = inputs[0].net
    self.next(self.use)

@step
def use(self):
    self.answer = self.net.predict(self.total)
    self.next(self.both)

@step
def tally(self):
    self.n = util.size(self.rows)
    self.next(self.both)

@step
def both(self, inputs):
    self.sum = inputs.use.answer + inputs.tally.n
    self.next(self.end)

@step
def end(self):
    print("sum", self.sum)
"""
UTIL = "def load(n):\n    return list(range(1, n + 1))\n\n\ndef size(x):\n    return len(x)\n"
MODEL = (
    "class Net:\n    def __init__(self, w):\n        self.w = w\n\n"
    "    def predict(self, x):\n        return self.w + x\n"
)


@pytest.fixture
def done(place: Place) -> Place:
    """A project of three files, with a run that went well."""
    path = place.write(FLOW)
    path.write_text(HEAD + path.read_text())
    (place.folder / "util.py").write_text(UTIL)
    (place.folder / "model.py").write_text(MODEL)
    place.run()
    return place


def edit(place: Place, name: str, old: str, new: str) -> None:
    path = place.folder / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def resume(place: Place, *words: str) -> str:
    done = place.python("flow.py", "resume", *words)
    assert done.code == 0, done.text
    return done.text


def ran(place: Place, run: int) -> set[str]:
    """The steps of which a task ran, and was not taken over."""
    view = place.view(run)
    return {ref.step for ref in view.refs if view.repository.task(ref).origin is None}


def test_where_nothing_changed_nothing_runs_and_the_table_says_so(done: Place) -> None:
    said = resume(done)
    assert ran(done, 2) == set()
    assert said.count("reused   nothing that it depends on changed") == 8


def test_a_comment_changes_nothing(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return len(x)  # how many")
    resume(done)
    assert ran(done, 2) == set()


def test_a_helper_that_changed_runs_its_step_and_what_its_results_change(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return 100 * len(x)")
    said = resume(done)
    assert ran(done, 2) == {"tally", "both", "end"}
    assert "tally   run      size in util.py changed" in said
    assert "both    depends  on what tally will leave" in said
    assert done.values("end", run=2)["sum"] == 62 + 300


def test_a_step_that_comes_to_the_same_is_the_last_that_runs(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return sum(1 for _ in x)")
    resume(done)
    assert ran(done, 2) == {"tally"}
    assert done.values("end", run=2) == done.values("end")


def test_what_a_step_does_not_look_at_is_passed_on_as_it_is_now(done: Place) -> None:
    edit(done, "flow.py", 'self.untouched = "u"', 'self.untouched = "v"')
    resume(done)
    assert ran(done, 2) == {"start"}
    for step in ("fit", "each", "tally"):
        found = {one.name: one.value for one in done.task(step, run=2).artifacts}
        assert found["untouched"] == "v"


def test_a_constant_that_changed_runs_what_reads_it(done: Place) -> None:
    edit(done, "flow.py", "SCALE = 10", "SCALE = 20")
    said = resume(done)
    assert ran(done, 2) == {"each", "gather", "use", "both", "end"}
    assert "SCALE is 20 now, and was 10" in said


def test_a_parameter_that_is_set_runs_what_reads_it(done: Place) -> None:
    said = resume(done, "--set", "alpha=5")
    assert ran(done, 2) == {"fit", "gather", "use", "both", "end"}
    assert "fit     run      alpha is 5 now, and was 2" in said
    assert done.view(2).parameters["alpha"].value == 5
    assert done.values("end", run=2)["sum"] == 65 + 3


def test_an_object_in_an_artifact_takes_its_methods_along(done: Place) -> None:
    edit(done, "model.py", "return self.w + x", "return self.w * x")
    resume(done)
    # `use` does not name the class at all: what it is given does.
    assert "use" in ran(done, 2)
    assert "tally" not in ran(done, 2)
    assert done.values("end", run=2)["sum"] == 2 * 60 + 3


def test_a_step_that_reads_itself_by_a_computed_name_depends_on_everything(done: Place) -> None:
    edit(done, "flow.py", 'print("sum", self.sum)', 'print(getattr(self, "s" + "um"))')
    resume(done)
    resume(done, "--set", "alpha=5")
    assert "end" in ran(done, 3)


def test_code_that_is_trusted_is_taken_over(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return 100 * len(x)")
    said = resume(done, "--trust-code")
    assert ran(done, 2) == set()
    assert "util.py changed since F/1" in said


def test_what_was_trusted_once_is_not_taken_for_made_by_the_code_of_its_run(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return 100 * len(x)")
    resume(done, "--trust-code")
    said = resume(done)
    assert "F/2 took it over without a look at the code" in said
    assert done.values("end", run=3)["sum"] == 62 + 300
    resume(done)
    assert ran(done, 4) == set()


def test_a_constant_that_a_step_does_not_read_is_the_new_one_there(done: Place) -> None:
    edit(done, "flow.py", "SCALE = 10", "SCALE = 20")
    resume(done)
    view = done.view(2)
    (task,) = view.tasks("tally")
    assert task.origin is not None
    assert view.artifact(task, "SCALE").value == 20


def test_from_a_step_on_all_runs_whatever_it_comes_to(done: Place) -> None:
    said = resume(done, "use")
    assert ran(done, 2) == {"use", "both", "end"}
    assert "use     run      asked for" in said
    assert "both    run      comes after use" in said


def test_mfv_resume_runs_the_script_of_the_run(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return 100 * len(x)")
    said = done.mfv("resume", "F/1", "--set", "alpha=5", "--tag", "again").text
    assert "run F/2 started, going on from F/1" in said
    assert ran(done, 2) == {"fit", "gather", "use", "tally", "both", "end"}
    assert done.view(2).tags == ("again",)
    done.mfv("resume", "--from", "both")
    assert done.view(3).opening.resumed_from == 2
    assert ran(done, 3) == {"both", "end"}


def test_mfv_resume_tells_where_the_script_is_missing(done: Place) -> None:
    (done.folder / "flow.py").rename(done.folder / "moved.py")
    said = done.mfv("resume", code=3).err
    assert "the script of F/1, flow.py, is not here" in said
    assert "mfv clone F/1" in said
    assert done.statuses() == {"F/1": "ok"}


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["--set", "alpha"], "--set alpha names no value", "NAME=VALUE"),
        (["--set", "alhpa=1"], "F has no parameter 'alhpa'", "did you mean"),
        (["--set", "alpha=x"], "alpha", ""),
        (["--run-id", "1"], "--run-id cannot be chosen", "a number of its own"),
        (["--set", "alpha=1", "--trust-code"], "--trust-code takes over", "leave out one"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_no_run(
    done: Place, words: list[str], message: str, hint: str
) -> None:
    said = done.python("flow.py", "resume", *words)
    assert said.code == 2, said.text
    assert message in said.err
    assert hint in said.text
    assert "Traceback" not in said.text
    assert done.statuses() == {"F/1": "ok"}


def test_a_secret_is_said_to_be_unknown(done: Place) -> None:
    assert "token: kept secret, so whether it is what it was in F/1 is not known" in resume(done)


def test_a_run_takes_what_any_earlier_run_made_of_the_same(done: Place) -> None:
    done.run("--alpha", "5")
    done.run("--reuse", "--alpha", "2")
    assert ran(done, 3) == set()
    assert done.view(3).opening.resumed_from is None
    origins = {done.view(3).repository.task(ref).origin for ref in done.view(3).refs}
    assert {origin[0] for origin in origins if origin} == {1, 2}
    assert done.values("end", run=3) == done.values("end", run=1)


def test_code_that_is_as_it_once_was_takes_the_results_of_then(done: Place) -> None:
    edit(done, "util.py", "return len(x)", "return 100 * len(x)")
    done.run("--reuse")
    assert ran(done, 2) == {"tally", "both", "end"}
    edit(done, "util.py", "return 100 * len(x)", "return len(x)")
    done.run("--reuse")
    assert ran(done, 3) == set()
    assert done.values("end", run=3) == done.values("end", run=1)


def test_without_being_asked_a_run_takes_nothing(done: Place) -> None:
    done.run()
    assert len(ran(done, 2)) == 8


def test_a_file_that_steps_read_runs_those_that_may(done: Place) -> None:
    edit(done, "util.py", "return len(x)", 'return int(open("n.txt").read())')
    (done.folder / "n.txt").write_text("7")
    done.run()
    (done.folder / "n.txt").write_text("8")
    said = resume(done)
    assert ran(done, 3) == {"tally", "both", "end"}
    assert "it may read n.txt, which changed" in said


def test_results_of_a_damaged_run_are_done_without(done: Place) -> None:
    def packs() -> set[Path]:
        return set((done.store / "packs").iterdir())

    before = packs()
    done.run("--alpha", "5")
    for pack in packs() - before:
        pack.unlink()
    said = done.run("--reuse", "--alpha", "5")
    assert "Traceback" not in said.text
    assert done.statuses()["F/3"] == "ok"


LISTED = """
things = Parameter("things", default="a,b", separator=",")
width = 2

@property
def pairs(self):
    return [(one, self.width) for one in ("x", "y")]

@step
def start(self):
    self.next(self.each, foreach="KIND")

@step
def each(self):
    self.got = self.input
    self.next(self.join)

@step
def join(self, inputs):
    self.all = [one.got for one in inputs]
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_items_that_are_a_parameter_are_compared_as_one(place: Place) -> None:
    place.write(LISTED.replace("KIND", "things"))
    place.run()
    resume(place, "--set", "things=a,c")
    assert place.values("join", run=2)["all"] == ["a", "c"]


def test_items_that_a_property_makes_are_not_taken_for_the_same(place: Place) -> None:
    place.write(LISTED.replace("KIND", "pairs"))
    place.run()
    edit(place, "flow.py", "(one, self.width)", "(self.width, one)")
    resume(place)
    assert place.values("join", run=2)["all"] == [(2, "x"), (2, "y")]


def test_what_a_step_may_delete_is_not_given_to_its_clone(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.kept = 1
            self.next(self.clean)

        @step
        def clean(self):
            try:
                del self.scratch
            except AttributeError:
                pass
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    place.run()
    edit(place, "flow.py", "self.kept = 1", "self.kept = 1; self.scratch = 2")
    resume(place)
    assert place.values("end", run=2) == {"kept": 1}


def test_what_a_step_sets_to_what_it_was_is_its_own(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            self.mode = 1
            self.other = 1
            self.next(self.choose)

        @step
        def choose(self):
            self.mode = 1
            self.next(self.end)

        @step
        def end(self):
            self.seen = self.mode
        """
    )
    place.run()
    edit(place, "flow.py", "self.other = 1", "self.other = 1; self.mode = 2")
    resume(place)
    assert place.values("end", run=2)["seen"] == 1


def test_modules_of_one_name_in_several_places_are_not_mistaken_for_each_other(
    place: Place,
) -> None:
    path = place.write(
        """
        @step
        def start(self):
            self.made = tool.go()
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    path.write_text("import tool\n" + path.read_text())
    for name in ("a", "b"):
        (place.folder / name).mkdir()
        (place.folder / name / "tool.py").write_text(f"def go():\n    return {name!r}\n")
    place.variables["PYTHONPATH"] = str(place.folder / "a")
    place.run()
    place.variables["PYTHONPATH"] = str(place.folder / "b")
    resume(place)
    assert place.values("end", run=2) == {"made": "b"}


def test_decorators_of_the_command_line_count_unless_they_change_nothing(done: Place) -> None:
    resume(done, "--with", "retry:times=2")
    assert ran(done, 2) == set()
    said = resume(done, "--with", 'environment:vars={"A": "1"}')
    assert len(ran(done, 3)) == 8
    assert "the decorators given with --with changed" in said
