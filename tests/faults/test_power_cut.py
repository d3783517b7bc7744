"""A power cut right after success was reported: what is on the disk then is whole.

The file system lies in a file. The moment a command ends, that file is copied as it is: what the
system would still have written is not in the copy. Then the copy is mounted, and read.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from everycommand import COMMANDS, Bases, Command
from mounts import mounted
from processes import Place
from unharmed import assert_unharmed, contents, facts

FEW = ("first-run", "run", "tag", "gc-rules", "gc-repack")
_SIZE = 24 << 20  # bytes
# A journal takes a new name in folders along with any sync; without one each has to be asked for.
JOURNALS = ["journal", "no-journal"]


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    return Bases(tmp_path_factory.mktemp("bases"))


class Disk:
    """A file system in a file."""

    def __init__(self, folder: Path, journal: str) -> None:
        if shutil.which("mkfs.ext4") is None or shutil.which("e2fsck") is None:
            pytest.skip("there is no mkfs.ext4")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._journal = folder, journal
        self.image = folder / "image"
        with self.image.open("wb") as file:
            file.truncate(_SIZE)
        features = ["-O", "^has_journal"] if journal == "no-journal" else []
        subprocess.run(["mkfs.ext4", "-q", *features, str(self.image)], check=True)

    def cut(self, made: Place, command: Command, *, fast: bool = False) -> tuple[Place, Path]:
        """Runs the command on a copy of `made`; the project as a power cut then leaves it."""
        # So that nothing but what the command asks for is written meanwhile.
        options = "loop,commit=300" if self._journal == "journal" else "loop"
        after = self._folder / "after"
        with mounted(self._folder / "disk", "-o", options, self.image) as disk:
            shutil.copytree(made.folder, disk / "project")
            place = Place(disk / "project")
            if fast:
                with (place.store / "config.toml").open("a") as file:
                    file.write('\ndurability = "fast"\n')
            subprocess.run(["sync", "-f", str(disk)], check=True)
            done = place.python(*command.words)
            shutil.copyfile(self.image, after)
            assert done.code == 0, done.text
        # Put right as the system does when it starts; 1: something was.
        checked = subprocess.run(["e2fsck", "-fy", str(after)], capture_output=True)
        assert checked.returncode in (0, 1), checked.stdout
        return place, after


@pytest.mark.parametrize("journal", JOURNALS)
@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_all_that_was_acknowledged_is_there_after_a_power_cut(
    bases: Bases, tmp_path: Path, command: Command, journal: str, long: bool
) -> None:
    if not long and command.name not in FEW:
        pytest.skip("with --long")
    made = bases.copy(command.base)
    before, named = contents(made.store), facts(made.store)
    disk = Disk(tmp_path, journal)
    _, after = disk.cut(made, command)
    expected = bases.copy(command.base)
    assert expected.python(*command.words).code == 0
    done = facts(expected.store)
    with mounted(tmp_path / "later", "-o", "loop", after) as folder:
        place = Place(folder / "project")
        assert_unharmed(place.store, before)
        # A condemned pack that is there again is garbage; all else is as it was said.
        now = facts(place.store)._replace(idle=done.idle)
        assert command.did(named, now, done)
        place.mfv("gc", "--prune", "now")
        assert facts(place.store).idle == 0
        assert_unharmed(place.store, before)


def test_without_syncs_a_power_cut_costs_the_run_so_that_this_test_is_awake(
    bases: Bases, tmp_path: Path
) -> None:
    command = next(one for one in COMMANDS if one.name == "run")
    kept = []
    for attempt in range(3):  # somebody else may sync the whole machine meanwhile
        made = bases.copy(command.base)
        _, after = Disk(tmp_path / str(attempt), "journal").cut(made, command, fast=True)
        with mounted(tmp_path / "later", "-o", "loop", after) as folder:
            store = folder / "project" / ".mfv"
            kept.append(facts(store).runs != facts(made.store).runs)
    assert not all(kept)
