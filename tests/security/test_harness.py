"""That the tests of this folder could fail: an honest repository passes, and harm is seen."""

from __future__ import annotations

import os

import pytest
from confined import MEMORY, Confined, Done, Visit
from sites import Site, readers


def test_an_honest_repository_that_was_forged_is_read_by_every_command(site: Site) -> None:
    forge = site.forge()
    forge.run()
    forge.run()
    done = site.visit(readers())
    refused = {line: one.status for line, one in done.items() if one.status}
    assert refused == {"whence @/start/1/x": 3}  # of a number, which stands in the record
    assert (site.out / "plain" / "flow.py").read_bytes() == b"print('hello')\n"
    assert len(done) > 50


@pytest.mark.parametrize(
    "harm",
    [
        Visit((), MEMORY + 1, ""),
        Visit((), 0, "it took more than 60 s"),
        Visit((Done(("log",), 1, "", "Traceback (most recent call last)"),), 0, ""),
        Visit((Done(("log",), 70, "", "error: what"),), 0, ""),
        Visit((Done(("log",), 5, "", ""),), 0, ""),
        Visit((Done(("log",), 0, "\x1b[31m", ""),), 0, ""),
        Visit((Done(("cat", "x"), 5, "", "error: \u202e"),), 0, ""),
    ],
)
def test_harm_is_seen(site: Site, harm: Visit) -> None:
    with pytest.raises(AssertionError):
        site.check(harm, site.outside())


def test_what_is_written_outside_is_seen(site: Site) -> None:
    fine, before = Visit((), 0, ""), site.outside()
    site.check(fine, before)
    (site.home / ".bashrc").write_text("# not mine\n")
    with pytest.raises(AssertionError):
        site.check(fine, before)
    os.symlink(site.home, site.out / "link")
    assert site.within() == [os.fspath(site.out / "link")]


def test_the_memory_of_a_visit_is_its_own(site: Site, confined: Confined) -> None:
    greedy = site.project / "greedy.py"
    greedy.write_text("held = bytes(range(256)) * (300 << 12)\nraise SystemExit(0)\n")
    assert confined.visit(site.project, [["run", "greedy.py"]]).peak > MEMORY
    assert confined.visit(site.project, [["--version"]]).peak < MEMORY // 2
