"""Help pages, as a person reads them, and what the shell completes."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from commands import mfv_command, python

from mfv.cli.main import COMMANDS, load

ODD = '''from mfv import FlowSpec, Parameter, step


class OddFlow(FlowSpec):
    """Says [bold]nothing[/red] of note.

    A second paragraph.
    """

    rate = Parameter("learning-rate", default=0.5, help="Between [0 and 1] [/x].")
    needed = Parameter("needed", required=True)

    @step
    def start(self):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    OddFlow()
'''


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_page_with_its_examples_one_a_line(tmp_path: Path, name: str) -> None:
    doc = inspect.cleandoc(load(name).__doc__ or "")
    examples = " ".join(doc.partition("Examples: ")[2].split()).split(" · ")
    assert examples[0].startswith("mfv ")
    page = mfv_command(tmp_path, name, "--help", env={"COLUMNS": "80"})
    assert (page.status, page.err) == (0, "")
    lines = [line.strip() for line in page.out.splitlines()]
    assert f"Usage: mfv {name} [OPTIONS]" in page.out
    assert doc.splitlines()[0][:70] in page.out
    at = lines.index("Examples:")
    assert lines[at + 1 : at + 1 + len(examples)] == examples
    assert max(map(len, page.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_paragraphs_are_filled_to_the_width(tmp_path: Path, name: str) -> None:
    page = mfv_command(tmp_path, name, "--help", env={"COLUMNS": "300"}).out
    details = inspect.cleandoc(load(name).__doc__ or "").split("\n\n")[1:]
    for paragraph in details:
        if not paragraph.startswith("Examples"):
            assert " ".join(paragraph.split()) in page


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--no-pager", "-h"], []])
def test_the_main_page_lists_every_command(tmp_path: Path, words: list[str]) -> None:
    page = mfv_command(tmp_path, *words)
    assert (page.status, page.err) == (0, "")
    for name, entry in COMMANDS.items():
        assert f"│ {name} " in page.out
        assert entry.help in page.out


def test_a_flow_s_pages_show_its_own_words_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    page = python(tmp_path, "odd.py", "--help")
    assert (page.status, page.err) == (0, "")
    assert "Says [bold]nothing[/red] of note." in page.out
    run = python(tmp_path, "odd.py", "run", "--help", env={"COLUMNS": "120"})
    assert (run.status, run.err) == (0, "")
    assert "Between [0 and 1] [/x]. [default: 0.5]" in run.out
    assert "--learning-rate" in run.out
    assert "[required]" in run.out
    assert mfv_command(tmp_path, "run", "odd.py", "--help").out.startswith(run.out[:60])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("run --needd 1", 2, "did you mean --needed"),
        ("run", 2, "needed"),
        ("run --learning-rate", 2, "requires an argument"),
        ("rum", 2, "did you mean 'run'"),
        ("check extra", 2, "unexpected extra argument"),
        ("--nope", 2, "no such option"),
    ],
)
def test_a_flow_s_wrong_lines_get_one_clear_error(
    tmp_path: Path, words: str, status: int, said: str
) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    ended = python(tmp_path, "odd.py", *words.split())
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / ".mfv").exists()


def test_a_flow_s_other_commands_check_and_show_its_graph(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    assert python(tmp_path, "odd.py", "check").out == "OddFlow is a valid flow of 2 steps\n"
    assert "Step start\n    ?\n    => end\n" in python(tmp_path, "odd.py", "show").out
    value = python(tmp_path, "odd.py", "run", "--needed", "-x", "--learning-rate", "-1")
    assert value.status == 0
    assert mfv_command(tmp_path, "log", "--json").json["parameters"] == {
        "rate": -1.0,
        "needed": "-x",
    }
