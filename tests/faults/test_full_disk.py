"""A disk that is full: one error that says what to do, and all that was recorded stays."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import Done, Place

BODY = """
size = Parameter("size", default=1000)

@step
def start(self):
    self.first = os.urandom(2000)
    self.next(self.fill)

@step
def fill(self):
    self.note = "set before"
    self.data = os.urandom(self.size)
    self.next(self.end)

@step
def end(self):
    pass
"""
DISK = 12 << 20  # bytes


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Place]:
    """A place whose repository lies on a file system of 12 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only root on Linux may mount a file system")
    place = Place(tmp_path / "project", BODY)
    place.store = disk / "repository"
    place.variables["MFV_DIR"] = str(place.store)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def assert_one_error(done: Done, reason: str) -> None:
    assert "Traceback" not in done.err, done.err
    assert done.err.count("error: ") == 1, done.err
    assert reason in done.err
    assert "hint: " in done.err


def assert_first_run_is_whole(place: Place, size: int = 1000) -> None:
    assert place.statuses()["F/1"] == "ok"
    assert len(place.values("fill")["data"]) == size
    for words in (["log"], ["show", "1"], ["cat", "1/fill/2/note"], ["fsck"]):
        place.mfv(*words)


def fill_up(place: Place) -> Path:
    """Takes every byte that is left."""
    path = place.store.parent / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return path


def test_an_artifact_larger_than_the_disk_fails_its_task_and_nothing_else(
    small_disk: Place,
) -> None:
    place = small_disk
    place.run()
    done = place.run("--size", str(2 * DISK), code=1)
    assert "No space left on device" in done.text
    assert place.statuses() == {"F/1": "ok", "F/2": "failed"}
    failure = place.task("fill", run=2).failure
    assert failure is not None
    assert "No space left on device" in failure.message
    assert len(place.values("start", run=2)["first"]) == 2000
    assert_first_run_is_whole(place)
    assert not list((place.store / "tmp").iterdir()), "half-written bytes were left on the disk"
    place.run()
    assert place.statuses()["F/3"] == "ok"


def test_a_disk_without_a_byte_left_refuses_the_run_and_keeps_the_others_readable(
    small_disk: Place,
) -> None:
    place = small_disk
    place.run()
    before = sorted(path for path in place.store.rglob("*") if path.is_file())
    filler = fill_up(place)
    done = place.run(code=1)
    assert_one_error(done, "No space left on device")
    assert "free some space" in done.err
    assert_first_run_is_whole(place)
    assert set(before) <= {path for path in place.store.rglob("*") if path.is_file()}
    filler.unlink()
    place.run()
    newest = max(place.statuses())
    assert place.statuses()[newest] == "ok"
    assert_first_run_is_whole(place)


def test_a_disk_that_fills_up_while_a_run_goes_on_costs_that_run_only(small_disk: Place) -> None:
    place = small_disk
    place.run()
    text = (place.folder / "flow.py").read_text()
    eater = f"""
        with open({str(place.store.parent / "filler")!r}, "wb", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass
"""
    (place.folder / "flow.py").write_text(text.replace('        self.note = "set before"\n', eater))
    done = place.run(code=1)
    assert_one_error(done, "No space left on device")
    assert_first_run_is_whole(place)
    # What was durable before the disk was full is there, with a name.
    assert place.statuses()["F/2"] in ("failed", "crashed")
    assert len(place.values("start", run=2)["first"]) == 2000
    (place.store.parent / "filler").unlink()
    (place.folder / "flow.py").write_text(text)
    place.run()
    assert place.statuses()["F/3"] == "ok"
    place.mfv("fsck")


def test_a_file_that_may_not_grow_fails_the_task_that_needs_it(tmp_path: Path) -> None:
    place = Place(tmp_path / "project", BODY)
    place.run()
    limit = 1 << 20

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = place.python("flow.py", "run", "--size", str(4 * limit), preexec_fn=limited)
    assert done.code == 1, done.text
    assert "File too large" in done.text
    assert place.statuses() == {"F/1": "ok", "F/2": "failed"}
    assert_first_run_is_whole(place)
    place.run("--size", str(4 * limit))
    assert len(place.values("fill", run=3)["data"]) == 4 * limit
