"""`mfv note`, `blame` and `bisect`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from commands import mfv_command, python
from histories import Made, fast_repository, make
from hypothesis import given
from hypothesis import strategies as st

from mfv.seek.bisect import BAD, GOOD, SKIPPED, bisect

CODE = [
    b"a = 1\nb = 2\n",
    b"a = 1\nb = 2\n",
    b"a = 1\nb = 3\nc = 4\n",
    b"top = 0\na = 1\nb = 3\nc = 4\n",
]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Four runs of one flow, and one of another between them."""
    repository = fast_repository(tmp_path / ".mfv")
    rates = [0.1, 0.2, 0.2, 0.2]
    for number, (code, rate) in enumerate(zip(CODE, rates, strict=True), 1):
        table = b"x" * 3000 if number < 3 else b"y" * 3000
        metrics = {"accuracy": [0.95, 0.93, 0.7, 0.6][number - 1], "table": table}
        make(repository, Made("F", {"lr": rate, "opt": "adam"}, metrics, script=code))
        if number == 2:
            make(repository, Made("G", {}, {"accuracy": 0.1}))
    return tmp_path


def test_a_note_is_said_appended_and_taken_off(runs: Path) -> None:
    assert mfv_command(runs, "note", "F/2").out == "nothing is said of F/2\n"
    assert mfv_command(runs, "note", "F/2", "-m", "the one in the paper").out == "noted on F/2\n"
    mfv_command(runs, "note", "F/2", "-a", "-m", "and a line\x1b[31m more")
    assert (
        mfv_command(runs, "note", "F/2").out == "the one in the paper\nand a line\\x1b[31m more\n"
    )
    assert "note\n  the one in the paper\n" in mfv_command(runs, "show", "F/2").out
    (line,) = mfv_command(runs, "log", "--json", "--where", "name = F/2").lines
    assert line["note"].startswith("the one in the paper")
    assert mfv_command(runs, "note", "-d", "F/2").out == "took the note off F/2\n"
    assert mfv_command(runs, "note", "F/2", "--json").json == {"run": "F/2", "note": None}
    assert mfv_command(runs, "fsck").status == 0


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["note", "F/9", "-m", "x"], 3, "no run"),
        (["note", "F/2", "-d", "-m", "x"], 2, "not both"),
        (["note", "F/2", "-a"], 2, "append what"),
        (["note", "F/2", "-m", "x" * 70_000], 2, "at most"),
        (["blame", "Nix"], 3, "there is no run or tag 'Nix'"),
        (["blame", "F", "params"], 2, "none of"),
        (["blame", "F", "file"], 2, "which file"),
        (["blame", "F", "file", "nix.py"], 3, "no file 'nix.py'"),
        (["blame", "F", "param", "lrr"], 3, "did you mean 'lr'"),
        (["blame", "F", "artifact", "nix"], 3, "no artifact"),
        (["bisect", "--good", "F/1", "--bad", "F/4"], 2, "what makes a run bad"),
        (["bisect", "--good", "F/1", "--where", "accuracy < 1"], 2, "between which runs"),
        (["bisect", "--good", "F/4", "--bad", "F/1", "--where", "accuracy < 1"], 2, "before"),
        (["bisect", "--good", "F/1", "--bad", "G/1", "--where", "accuracy < 1"], 2, "two flows"),
        (["bisect", "--good", "F/1", "--bad", "F/2", "--where", "accuracy < 0.9"], 2, "is good"),
    ],
)
def test_what_makes_no_sense_is_refused(
    runs: Path, words: list[str], status: int, says: str
) -> None:
    ended = mfv_command(runs, *words)
    assert (ended.status, ended.out) == (status, "")
    assert says in ended.err


def test_each_parameter_is_told_since_when_it_is_what_it_is(runs: Path) -> None:
    found = {one["name"]: one for one in mfv_command(runs, "blame", "F", "--json").lines}
    assert (found["lr"]["run"], found["lr"]["value"], found["lr"]["before"]) == (
        "F/2",
        "0.2",
        "0.1",
    )
    assert (found["opt"]["run"], found["opt"]["before"]) == ("F/1", None)
    (earlier,) = mfv_command(runs, "blame", "F/1", "param", "lr", "--json").lines
    assert earlier["run"] == "F/1"
    assert "was 0.1" in mfv_command(runs, "blame", "F", "param", "lr").out


def test_an_artifact_is_told_since_when_its_content_is_what_it_is(runs: Path) -> None:
    (found,) = mfv_command(runs, "blame", "F", "artifact", "end/table", "--json").lines
    assert found["run"] == "F/3"
    assert "F/3" in mfv_command(runs, "blame", "F", "artifact", "table").out


def test_each_line_of_a_file_is_told_with_the_run_that_brought_it(runs: Path) -> None:
    shown = mfv_command(runs, "blame", "F", "file", "flow.py").out
    assert [line.split(maxsplit=2) for line in shown.splitlines()] == [
        ["F/4", "1", "top = 0"],
        ["F/1", "2", "a = 1"],
        ["F/3", "3", "b = 3"],
        ["F/3", "4", "c = 4"],
    ]
    older = mfv_command(runs, "blame", "F/2", "file", "flow.py", "--json").lines
    assert [one["run"] for one in older] == ["F/1", "F/1"]


def test_the_first_bad_run_is_found_by_what_runs_recorded(runs: Path) -> None:
    words = ("bisect", "--good", "F/1", "--bad", "F/4", "--where", "accuracy < 0.9")
    shown = mfv_command(runs, *words)
    assert shown.status == 0
    assert shown.out.startswith("F/3 is the first bad run; F/2 was good\n\nF/2 -> F/3")
    assert "b = 3" in shown.out
    found = mfv_command(runs, *words, "--json").json
    assert (found["bad"], found["good"]) == ("F/3", "F/2")
    skipped = mfv_command(runs, *words, "--skip", "number in (2, 3)", "--json")
    assert skipped.status == 1
    assert skipped.json["among"] == ["F/2", "F/3", "F/4"]


FLOW = """from mfv import FlowSpec, step
class F(FlowSpec):
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        self.x = VALUE
F()
"""


def test_the_first_bad_code_is_found_by_a_command(tmp_path: Path) -> None:
    for value in ("1", "2", "3", "30", "40"):
        (tmp_path / "flow.py").write_text(FLOW.replace("VALUE", value))
        assert python(tmp_path, "flow.py", "run").status == 0
    check = "import sys; sys.exit(len(open('flow.py').read().split('self.x = ')[1].split()[0]) > 1)"
    ended = mfv_command(
        tmp_path, "bisect", "--good", "1", "--bad", "5", "--json", "--", sys.executable, "-c", check
    )
    assert (ended.json["bad"], ended.json["good"]) == ("F/4", "F/3")
    broken = mfv_command(
        tmp_path, "bisect", "--good", "1", "--bad", "5", "--", "no-such-command-here"
    )
    assert broken.status == 3 and "cannot be run" in broken.err


@given(
    st.integers(3, 40).flatmap(
        lambda count: st.tuples(
            st.just(count),
            st.integers(1, count - 1),
            st.sets(st.integers(1, count - 2), max_size=6),
        )
    )
)
def test_halving_finds_the_first_bad_one_and_asks_few(
    row: tuple[int, int, set[int]],
) -> None:
    count, first_bad, silent = row
    asked = []

    def judge(place: int) -> str:
        asked.append(place)
        if place in silent and place != first_bad:
            return SKIPPED
        return BAD if place >= first_bad else GOOD

    found = bisect([str(place) for place in range(count)], judge)
    assert len(set(asked)) == len(asked)
    assert str(first_bad) in found.among
    if not silent:
        assert found.bad == str(first_bad)
        assert len(asked) <= count.bit_length()
    assert all(int(one) >= first_bad or int(one) in silent for one in found.among)
