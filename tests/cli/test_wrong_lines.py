"""Command lines that are wrong: one clear error, the documented exit status, no traceback."""

from __future__ import annotations

import pathlib

import pytest
from commands import mfv_command

USAGE, NOT_FOUND, CONFLICT, FAILED = 2, 3, 4, 1

WRONG = [
    ("lgo", USAGE, "did you mean 'log'"),
    ("nonsense", USAGE, "`mfv --help` lists the commands"),
    ("--nope", USAGE, "no such option: --nope"),
    ("-C", USAGE, "'-C' requires an argument"),
    ("-C nowhere log", NOT_FOUND, "cannot go to nowhere"),
    ("log NoSuch", NOT_FOUND, "there is no flow 'NoSuch'"),
    ("log TrainFlwo", NOT_FOUND, "did you mean 'TrainFlow'"),
    ("log --tag prdo", NOT_FOUND, "did you mean 'prod'"),
    ("log --status okay", USAGE, "open, ok, failed, interrupted, crashed"),
    ("log -n many", USAGE, "'many' is not a valid int"),
    ("log -n -1", USAGE, "0 or more"),
    ("log -n", USAGE, "'-n' requires an argument"),
    ("log TrainFlow BreakFlow", USAGE, "unexpected extra argument"),
    ("log --jsno", USAGE, "did you mean --json"),
    ("log --json=1", USAGE, "does not take a value"),
    ("show 1", CONFLICT, "BreakFlow/1, TrainFlow/1"),
    ("show 99", NOT_FOUND, "there is no run 99"),
    ("show TrainFlow", USAGE, "TrainFlow@latest"),
    ("show TrainFlow/9", NOT_FOUND, "its runs are 1 to 2"),
    ("show TrainFlow@latest~9", NOT_FOUND, "no 9 runs of TrainFlow before"),
    ("show TrainFlow@{-9}", NOT_FOUND, "goes back further"),
    ("show NoSuch@latest", NOT_FOUND, "there is no flow 'NoSuch'"),
    ("show TrainFlw@latest", NOT_FOUND, "did you mean 'TrainFlow'"),
    ("show prdo", NOT_FOUND, "did you mean 'prod'"),
    ("show 0123456789abcdef", NOT_FOUND, "there is no run or tag"),
    ("show abc", NOT_FOUND, "an id prefix needs 4 digits"),
    ("show TrainFlow/1/trian", NOT_FOUND, "did you mean 'train'"),
    ("show TrainFlow/1/acuracy", NOT_FOUND, "did you mean 'accuracy'"),
    ("show TrainFlow/1/train/99", NOT_FOUND, "its tasks are 2, 3, 4"),
    ("show TrainFlow/1/train/score", CONFLICT, "give its id: 2, 3, 4"),
    ("show TrainFlow/1/train/x/score", NOT_FOUND, "'x' is no task id"),
    ("show TrainFlow/1/pick/modle", NOT_FOUND, "did you mean 'model'"),
    ("show TrainFlow/1/a/b/c/d", USAGE, "is no RUN/step/task/artifact"),
    ("show TrainFlow/1//accuracy", USAGE, "is no RUN/step/task/artifact"),
    ("show BreakFlow/1/end", NOT_FOUND, "has no finished task"),
    ("show one two", USAGE, "unexpected extra argument"),
    ("cat", USAGE, "missing argument 'OBJECT'"),
    ("cat TrainFlow/1", USAGE, "is no artifact"),
    ("cat TrainFlow/1/pick/model", USAGE, "a pickle is a program"),
    ("cat TrainFlow/1:tain.py", NOT_FOUND, "did you mean 'train.py'"),
    ("diff TrainFlow/1 TrainFlow/2 nope", NOT_FOUND, "there is no run or tag 'nope'"),
    ("diff TrainFlow/1 nope", NOT_FOUND, "there is no run or tag 'nope'"),
    ("diff TrainFlow/1", NOT_FOUND, "its first run is TrainFlow/1"),
    ("diff TrainFlow/1/train TrainFlow/2", USAGE, "not of one kind"),
    ("logs nope", NOT_FOUND, "there is no run or tag 'nope'"),
    ("tag -d", USAGE, "which tag?"),
    ("tag -d prdo", NOT_FOUND, "did you mean 'prod'"),
    ("tag -d prod TrainFlow/2", NOT_FOUND, "does not bear the tag 'prod'"),
    ("tag -d -m prod", USAGE, "deleted or moved, not both"),
    ("tag best nope", NOT_FOUND, "there is no run or tag 'nope'"),
    ("tag best 1", CONFLICT, "means 2 runs"),
    ("clone", USAGE, "missing argument 'RUN'"),
    ("clone nope", NOT_FOUND, "there is no run or tag 'nope'"),
    ("clone prod .", CONFLICT, "is not empty"),
    ("clone prod train.py", CONFLICT, "not"),
    ("clone prod train.py/below", FAILED, "cannot write train.py/below"),
    ("gc --prune soon", USAGE, "say now, 30m, 12h, 2d or 1w"),
    ("gc extra", USAGE, "unexpected extra argument"),
    ("fsck extra", USAGE, "unexpected extra argument"),
    ("init train.py/below", FAILED, "cannot make"),
    ("run", USAGE, "missing argument 'FLOW.py'"),
    ("run nope.py", NOT_FOUND, "there is no file nope.py"),
    ("run train.py --lrr 3", USAGE, "did you mean --lr"),
    ("run train.py --lr fast", USAGE, "lr"),
    ("run train.py --max-workers 0", USAGE, "1 or more"),
    ("run train.py --tag ../x", USAGE, "cannot be a tag"),
]


@pytest.mark.parametrize(("line", "status", "said"), WRONG, ids=[line for line, _, _ in WRONG])
def test_a_wrong_line_gets_one_clear_error(
    project: pathlib.Path, line: str, status: int, said: str
) -> None:
    ended = mfv_command(project, *line.split())
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert ended.err.startswith("error: ")
    assert len(ended.err.splitlines()) <= 2


BAD_TAGS = [
    *("../../x", "refs/x", "a..b", "HEAD", "x.lock", "@{0}", ".hidden", "-d", "--force", "a b"),
    *("12", "deadbeef", "latest", "con", "a~1", "a^", "\x1b[31mred", "line\nbreak", "x" * 201),
    *("safe\u202etxt", "e\u0301", "zero\u200bwidth", ""),
]


@pytest.mark.parametrize("tag", BAD_TAGS)
def test_a_tag_that_could_mean_something_else_is_refused(project: pathlib.Path, tag: str) -> None:
    ended = mfv_command(project, "tag", "--", tag, "TrainFlow/1")
    assert (ended.status, ended.out) == (USAGE, "")
    assert ended.err.startswith("error: ")
    assert not set(ended.err) & set("\x1b\u202e\u200b")
    assert len(ended.err.splitlines()) == 2


def test_an_empty_command_line_is_answered_with_the_help(project: pathlib.Path) -> None:
    ended = mfv_command(project)
    assert ended.status == 0
    assert "Usage: mfv" in ended.out
