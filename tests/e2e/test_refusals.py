"""What stops a run before it begins: one error, its exit code, and nothing written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Done, Place

from mfv.repo import format as formats

GOOD = """
@step
def start(self):
    self.next(self.end)

@step
def end(self):
    pass
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lock(folder: Path) -> Callable[[], object]:
    """Makes a folder read-only, for root as well; returns what undoes it."""
    if os.geteuid():
        folder.chmod(0o500)
        return lambda: folder.chmod(0o700)
    for options in (["--bind"], ["-o", "remount,ro,bind"]):
        command = ["mount", *options, str(folder), str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip("root may write everywhere, and may not mount here")
    return lambda: subprocess.run(["umount", "-l", str(folder)], check=True)


def assert_one_error(done: Done, code: int, said: str) -> None:
    assert done.code == code, done.text
    assert "Traceback" not in done.err, done.err
    assert done.err.count("error: ") == 1, done.err
    assert said in done.err


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        (GOOD.replace("self.next(self.end)", "self.next(self.ends)"), 8, "ends"),
        (GOOD.replace("    self.next(self.end)", "    pass"), 7, "start"),
        (GOOD + "\n@step\ndef lost(self):\n    self.next(self.end)\n", 15, "lost"),
        (GOOD.replace("def end(self)", "def end(self, inputs)"), 11, "end"),
    ],
)
def test_a_broken_graph_is_refused_with_its_line_and_no_run_is_made(
    place: Place, body: str, line: int, said: str
) -> None:
    path = place.write(body)
    done = place.python("flow.py", "run")
    assert_one_error(done, 1, said)
    assert f"{path}:{line}: " in done.err
    assert not place.store.exists()
    assert place.python("flow.py", "check").code == 1


def test_a_repository_of_a_newer_format_is_refused_and_not_touched(place: Place) -> None:
    place.write(GOOD)
    place.run()
    path = place.store / "format"
    text = path.read_bytes()
    newer = text.replace(b"version %d" % formats.VERSION, b"version %d" % (formats.VERSION + 1))
    assert newer != text
    path.write_bytes(newer)
    before = contents(place.store)
    done = place.python("flow.py", "run")
    assert_one_error(done, 5, "newer")
    assert "hint: " in done.err
    assert contents(place.store) == before


def test_a_folder_that_may_not_be_written_is_refused(place: Place, tmp_path: Path) -> None:
    place.write(GOOD)
    locked = tmp_path / "locked"
    locked.mkdir()
    place.variables["MFV_DIR"] = str(locked / "repository")
    undo = lock(locked)
    try:
        done = place.python("flow.py", "run")
        assert_one_error(done, 1, str(locked))
        assert "MFV_DIR" in done.err
        assert list(locked.iterdir()) == []
    finally:
        undo()


def test_a_repository_that_became_read_only_is_refused_and_still_read(
    place: Place, tmp_path: Path
) -> None:
    place.write(GOOD)
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    place.store = shelf / "repository"
    place.variables["MFV_DIR"] = str(place.store)
    place.run()
    undo = lock(shelf)
    try:
        done = place.python("flow.py", "run")
        assert_one_error(done, 1, str(shelf))
        for words in (["log"], ["show", "1"], ["fsck"]):
            place.mfv(*words)
    finally:
        undo()
    place.run()
    assert set(place.statuses().values()) == {"ok"}
