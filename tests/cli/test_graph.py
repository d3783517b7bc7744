"""`mfv graph` and `mfv log --lineage` on real runs."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import mfv_command


def test_a_run_is_drawn_with_what_became_of_each_step(project: Path) -> None:
    lines = mfv_command(project, "graph", "TrainFlow/2").out.splitlines()
    assert lines[0].startswith("TrainFlow/2  ok in ")
    assert [line.split()[:3] for line in lines[1:]] == [
        ["o", "start", "1"],
        ["o", "train", "3"],
        ["o", "pick", "1"],
        ["o", "end", "1"],
    ]
    assert "foreach candidates" in lines[1]
    assert "join" in lines[3]


def test_a_failed_run_shows_where_and_why_and_what_was_not_reached(project: Path) -> None:
    out = mfv_command(project, "graph", "BreakFlow/1").out
    assert "x middle  1 task" in out
    assert "ValueError: there is no data" in out
    assert ". end " in out
    assert "not reached" in out


def test_each_form_has_all_steps(project: Path) -> None:
    told = mfv_command(project, "graph", "TrainFlow/1", "--json").json
    assert [(step["step"], step["tasks"]) for step in told["steps"]] == [
        ("start", 1),
        ("train", 3),
        ("pick", 1),
        ("end", 1),
    ]
    assert told["edges"][0] == {"from": "start", "to": "train", "tasks": 3, "back": False}
    dot = mfv_command(project, "graph", "TrainFlow/1", "--format", "dot").out
    svg = mfv_command(project, "graph", "TrainFlow/1", "--format", "svg").out
    texts = [one.text for one in ElementTree.fromstring(svg).iter() if one.tag.endswith("text")]
    for step in told["steps"]:
        assert f'label="{step["step"]}' in dot
        assert step["step"] in texts


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("graph --format png", 2, "there is no format 'png'"),
        ("graph TrainFlow/9", 3, "TrainFlow has no run '9'"),
        ("log TrainFlow --lineage 1", 2, "--lineage follows one run"),
        ("log --descendants", 2, "--descendants wants --lineage RUN"),
        ("log --lineage nowhere", 3, "there is no run or tag 'nowhere'"),
    ],
)
def test_what_makes_no_sense_gets_one_error(
    project: Path, words: str, status: int, message: str
) -> None:
    ended = mfv_command(project, *words.split())
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err


def test_a_run_that_took_nothing_says_so(project: Path) -> None:
    out = mfv_command(project, "log", "--lineage", "TrainFlow/1", "--descendants").out
    assert "It took nothing from another run." in out
    assert "No run took from it." in out
