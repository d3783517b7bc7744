"""A disk that only lets one read, one that is full to the last byte, and too few open files.

Whoever looks is told the same as ever, and nothing is made; whoever writes gets one error. And a
gc on a full disk frees room, which is when it is wanted most.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from everycommand import Bases
from mounts import fill_up, mounted
from processes import Done, Place
from unharmed import assert_unharmed, contents, facts

_MOMENT = re.compile(r"\s+(?:now|\d+\w* ago)\s+")  # another one a moment later
LOOKING = [
    "log",
    "log --where status=ok",
    "show F/1",
    "show --storage F/1",
    "diff F/1 F/4",
    "cat F/4/end/label",
    "cat F/1/work/2/large",
    "whence flow.py",
    "ls F/1",
    "logs F/1",
    "graph F/1",
    "grep worked",
    "du",
    "tag",
    "op log",
    "fsck",
    "fsck --data",
    "gc --dry-run",
    "gc --repack --prune now --dry-run",
]
WRITING = ["gc --prune now", "gc", "tag new F/1", "note F/1 -m word", "rm F/3", "undo", "reindex"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    return Bases(tmp_path_factory.mktemp("bases"))


def files(store: Path) -> dict[str, int]:
    """Everything below, with the time of its last change."""
    found = {}
    for folder, _, names in os.walk(store):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            found[os.path.relpath(path, store)] = os.lstat(path).st_ctime_ns
    return found


def command(place: Place, words: str, *before: str, **options: object) -> Done:
    line = [*before, sys.executable, "-m", "mfv", *words.split()]
    done = subprocess.run(
        line, cwd=place.folder, env=place.environment(), capture_output=True, **options
    )  # type: ignore[call-overload]
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return Done(done.returncode, out, err)


def assert_one_error(done: Done) -> None:
    assert done.code == 1, done.text
    assert "Traceback" not in done.text
    starts = [line.partition(":")[0] for line in done.err.splitlines()]
    assert starts == ["error", "hint"], done.err


def looked_at(place: Place, *before: str) -> dict[str, str]:
    """What every command that only looks prints."""
    found = {}
    for words in LOOKING:
        done = command(place, words, *before)
        assert (done.code, done.err) == (0, ""), (words, done.text)
        found[words] = _MOMENT.sub(" then ", done.out)
    return found


@pytest.mark.parametrize("cached", [True, False])
def test_on_a_read_only_file_system_all_that_only_look_work_and_the_others_say_so(
    bases: Bases, tmp_path: Path, cached: bool
) -> None:
    place = bases.copy("filled")
    if not cached:
        shutil.rmtree(place.store / "cache")
    usual = looked_at(bases.copy("filled"))
    before = files(place.store)
    with mounted(tmp_path / "disk", "--bind", place.folder) as folder:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        there = Place(folder)
        assert looked_at(there) == usual
        for words in WRITING:
            assert_one_error(command(there, words))
    assert files(place.store) == before


@pytest.fixture
def reader() -> tuple[str, ...]:
    """Words before a command that have a user run it who may only read; none for such a one."""
    if os.getuid():
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root may write everywhere, and there is no setpriv to become somebody else")
    return (setpriv, "--reuid", "65534", "--regid", "65534", "--clear-groups")


def test_for_a_user_who_may_only_read_it_is_the_same(
    bases: Bases, reader: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = bases.copy("filled")
    paths = [place.folder, *place.folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    opened: list[tuple[Path, int]] = []
    for above in place.folder.parents:
        mode = above.stat().st_mode
        if reader and above.owner() == "root" and not mode & 0o001:
            opened.append((above, mode))
            above.chmod(mode | 0o011)
    try:
        before = files(place.store)
        looked_at(place, *reader)
        for words in WRITING:
            assert_one_error(command(place, words, *reader))
        assert files(place.store) == before
    finally:
        for above, mode in opened:
            above.chmod(mode)
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture(params=["tmpfs", "ext4"])
def full(request: pytest.FixtureRequest, bases: Bases, tmp_path: Path) -> Iterator[Place]:
    """A project on a small file system of which every byte is taken."""
    words: tuple[str | Path, ...] = ("-t", "tmpfs", "-o", "size=12m", "tmpfs")
    if request.param == "ext4":
        if shutil.which("mkfs.ext4") is None:
            pytest.skip("there is no mkfs.ext4")
        image = tmp_path / "image"
        with image.open("wb") as file:
            file.truncate(16 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        words = ("-o", "loop", image)
    made = bases.copy("filled")
    with mounted(tmp_path / "disk", *words) as disk:
        shutil.copytree(made.folder, disk / "project")
        place = Place(disk / "project")
        place.variables["TMPDIR"] = str(tmp_path)  # of the system, which has room
        yield place


def test_on_a_full_disk_all_that_only_look_work_and_a_gc_frees_room(
    bases: Bases, full: Place
) -> None:
    usual = looked_at(bases.copy("filled"))
    before = contents(full.store)
    shutil.rmtree(full.store / "cache" / "index", ignore_errors=True)
    filler = fill_up(full.folder.parent)
    assert looked_at(full) == usual
    for words in ("tag new F/1", "note F/1 -m word", "rm F/3"):
        assert_one_error(command(full, words))
    assert_unharmed(full.store, before)
    done = command(full, "gc --prune now")
    assert done.code == 0, done.text
    assert facts(full.store).idle == 0
    assert_unharmed(full.store, before)
    assert command(full, "tag new F/1").code == 0
    # Once more, and runs go as well.
    with filler.open("ab", buffering=0) as file:
        try:
            while file.write(b"x" * 512):
                pass
        except OSError:
            pass
    done = command(full, "gc --keep-last 1 --prune now")
    assert done.code == 0, done.text
    assert facts(full.store).idle == 0
    assert_unharmed(full.store, {name: one for name, one in before.items() if name == "F/5"})


@pytest.mark.parametrize("most", [8, 12, 20])
def test_with_few_open_files_a_command_works_or_says_so(bases: Bases, most: int) -> None:
    place = bases.copy("filled")
    before = contents(place.store)

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    for words in (*LOOKING, *WRITING):
        done = command(place, words, preexec_fn=limited)
        if done.code:
            assert_one_error(done)
    done = place.python("flow.py", "run", preexec_fn=limited)
    if done.code:
        assert_one_error(done)
    assert_unharmed(place.store, before, done.out)
    for words in ("log", "gc --prune now", "fsck"):
        assert command(place, words).code == 0
