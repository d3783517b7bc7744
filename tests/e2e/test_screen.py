"""A run as seen on a terminal: its lines, and how far it is at the bottom."""

from __future__ import annotations

import re

import pytest
from processes import Place
from screens import Screen

WAITING = """
@step
def start(self):
    print("at the start")
    self.items = list(range(3))
    self.next(self.fit, foreach="items")

@step
def fit(self):
    while self.index and not os.path.exists("go"):
        time.sleep(0.01)
    print("fitted", self.input)
    self.next(self.pick)

@step
def pick(self, inputs):
    self.next(self.end)

@step
def end(self):
    print("at the end")
"""
MANY = """
@step
def start(self):
    self.items = list(range(60))
    self.next(self.work, foreach="items")

@step
def work(self):
    if self.index % 20 == 0:
        print("item", self.input)
    if self.index == BAD:
        raise ValueError("no such item")
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""
ONE_DONE = re.compile(r"^ *fit +(\[=+ +\] +)?1/3")
BOTTOM = re.compile(r"\d running|\d done(,|$)|  \d/3")
LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ")


def waits_with_one_done(lines: list[str]) -> bool:
    return any(ONE_DONE.match(line) and "2 running" in line for line in lines)


def test_what_is_done_and_what_runs_stands_at_the_bottom_and_goes_in_the_end(place: Place) -> None:
    place.write(WAITING)
    screen = Screen(place, "flow.py", "run")
    lines = screen.until(waits_with_one_done)
    assert re.match(r"fit +\[=+ +\]  1/3  2 running$", lines[-2]), lines
    assert re.match(r"\d+s  2 running, 2 done$", lines[-1]), lines
    assert all(LINE.match(line) for line in lines[:-2]), lines
    (place.folder / "go").touch()
    assert screen.finish() == 0
    lines = screen.everything
    assert all(LINE.match(line) for line in lines), lines
    assert "run F/1 done in" in lines[-1]
    said = [line.split("] ", 1)[1] for line in lines if "] " in line]
    assert said.count("started") == 6
    assert sorted(one for one in said if one.startswith(("fitted", "at"))) == [
        "at the end",
        "at the start",
        "fitted 0",
        "fitted 1",
        "fitted 2",
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 160])
def test_it_fits_any_width_and_leaves_no_trace(place: Place, width: int) -> None:
    place.write(WAITING)
    screen = Screen(place, "flow.py", "run", width=width, height=50)
    lines = screen.until(lambda lines: any("1/3" in line for line in lines[-3:]))
    assert len(lines[-1]) <= width - 3
    assert len(lines[-2]) <= width - 3
    (place.folder / "go").touch()
    assert screen.finish() == 0
    assert not [line for line in screen.everything if BOTTOM.search(line)]
    assert "F/1 done" in "".join(screen.everything).replace("\n", "")


def test_a_terminal_that_is_made_narrower_meanwhile_stays_readable(place: Place) -> None:
    place.write(WAITING)
    screen = Screen(place, "flow.py", "run", width=120, height=40)
    screen.until(waits_with_one_done)
    screen.resize(60, 40)
    screen.until(lambda lines: bool(re.match(r"\d+s  2 running, 2 done$", lines[-1])))
    (place.folder / "go").touch()
    assert screen.finish() == 0
    assert "at the end" in "".join(screen.everything)
    assert "done in" in screen.everything[-1]


def test_a_wide_foreach_shows_output_and_failures_and_only_counts_the_rest(place: Place) -> None:
    place.write(MANY.replace("BAD", "-1"))
    screen = Screen(place, "flow.py", "run")
    assert screen.finish() == 0
    text = "\n".join(screen.everything)
    assert not re.search(r"work/\d+ \(pid \d+\)\] (started|done)", text)
    assert re.search(r"start/1 \(pid \d+\)\] done", text)
    assert [text.count(f"] item {number}\n") for number in (0, 20, 40)] == [1, 1, 1]
    assert re.search(r"run F/1 done in .*, 63 tasks", text)


def test_a_failure_in_a_wide_foreach_is_shown(place: Place) -> None:
    place.write(MANY.replace("BAD", "30"))
    screen = Screen(place, "flow.py", "run", width=160)
    assert screen.finish() == 1
    text = "\n".join(screen.everything)
    assert re.search(r"failed after .*: ValueError: no such item", text)


def test_to_a_pipe_every_task_has_its_lines(place: Place) -> None:
    place.write(MANY.replace("BAD", "-1"))
    out = place.run().out
    assert out.count("] started\n") == 63
    assert len(re.findall(r"\] done in ", out)) == 63
    assert "\x1b" not in out
    assert out.endswith("s\n")


@pytest.mark.parametrize(
    "variables", [{"TERM": "dumb"}, {"CI": "true"}], ids=["dumb terminal", "CI"]
)
def test_where_nothing_can_be_drawn_over_there_are_plain_lines(
    place: Place, variables: dict[str, str]
) -> None:
    place.write(MANY.replace("BAD", "-1"))
    place.variables.update(variables)
    screen = Screen(place, "flow.py", "run")
    assert screen.finish() == 0
    assert screen.written.count(b"started") == 1 + 63
    assert not re.search(rb"\x1b\[\d*[AJ]", screen.written)


def test_no_color_means_no_colour(place: Place) -> None:
    place.write(WAITING)
    (place.folder / "go").touch()
    place.variables["NO_COLOR"] = "1"
    screen = Screen(place, "flow.py", "run")
    assert screen.finish() == 0
    assert not re.search(rb"\x1b\[[\d;]*m", screen.written)


def test_quiet_draws_nothing_and_shows_what_tasks_print_and_failures(place: Place) -> None:
    place.write(MANY.replace("BAD", "30"))
    screen = Screen(place, "flow.py", "--quiet", "run", width=160)
    assert screen.finish() == 1
    text = "\n".join(screen.everything)
    assert "] item 0" in text
    assert "ValueError: no such item" in text
    assert "started" not in text
    assert not re.search(rb"\x1b\[\d*[AJ]", screen.written)


def test_ctrl_c_on_the_terminal_leaves_whole_lines(place: Place) -> None:
    place.write(WAITING)
    screen = Screen(place, "flow.py", "run")
    screen.until(waits_with_one_done)
    screen.type(b"\x03")
    assert screen.finish() == 130
    assert not [line for line in screen.everything if BOTTOM.search(line)]
    assert any("interrupted: stopping" in line for line in screen.everything)


def test_a_progress_bar_of_a_task_shows_how_it_ended(place: Place) -> None:
    place.write(
        """
        @step
        def start(self):
            for number in range(101):
                sys.stderr.write(f"\\r{number:3d}%|###|")
            sys.stderr.write("\\n")
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    out = place.run().out
    assert "] 100%|###|\n" in out
    assert " 99%" not in out
    kept = place.output("stderr", place.task("start"))
    assert kept.count(b"\r") == 101
