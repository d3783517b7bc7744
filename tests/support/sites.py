"""Where a hostile repository is visited, and what no visit may ever do, whatever it holds."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import pytest
from confined import DOCUMENTED, MEMORY, Confined, Done, Visit
from forge import CODE, FLOW, NAME, STEP, Forge

CANARY = "canary"
_RAW = ("cat", "logs")  # these write what is stored, as it is, where nobody's terminal is

# Every command that only looks, on a repository as `Forge.run` makes it; and a clone.
READERS = """
log|log --json|log --stat|log --graph|log --compare|log --lineage @ --descendants|log --oneline
log --columns params.lr,x,started|log --group-by status|log --where x>0|log --where package:numpy
show|show --json|show --code|show --env|show --info|show --storage|show OBJECT|show OBJECT --json
show STEP|show TASK|diff @{-1} @|diff @{-1} @ --json|diff @{-1} @ -p|diff @{-1} @ --stat
ls|ls FLOW|ls @|ls -l TASK|ls -l @:|ls -l OBJECT|cat OBJECT|cat --raw OBJECT|cat @:flow.py|logs
du|du --artifacts|du @|grep hello -n 0|grep -F lr --params|whence FILE|whence OBJECT|rev-parse @
blame FLOW|blame FLOW artifact STEP-OF/NAME|blame FLOW file flow.py|graph|graph --json
graph --format dot|graph --format svg|env|env --format requirements|env --format pylock
tag|tag --json|op|note @|fsck|fsck --data|gc --dry-run|gc --dry-run --keep-last 1
gc --repack --dry-run|clone @ ../out/plain|clone @ ../out/data --data|reindex|log
"""


# Those of them through which most of a record comes.
CORE = frozenset(("log", "show", "show OBJECT", "ls", "tag", "fsck", "diff @{-1} @"))


def readers(
    flow: str = FLOW, step: str = STEP, name: str = NAME, *, core: bool = False
) -> list[list[str]]:
    """READERS as words; `core`: some of them."""
    found = []
    for line in re.split(r"[|\n]", READERS.strip()):
        if core and line not in CORE:
            continue
        words = []
        for word in line.split():
            word = word.replace("STEP-OF/NAME", f"{step}/{name}")
            names = {
                "OBJECT": f"@/{step}/1/{name}",
                "TASK": f"@/{step}/1",
                "STEP": f"@/{step}",
                "FLOW": flow,
                "FILE": "flow.py",
            }
            words.append(names.get(word, word))
        found.append(words)
    return found


class Row(NamedTuple):
    """One hostile input, and what it gets."""

    id: str
    forge: Callable[[Forge], object]
    # What commands end with; all others end with a status that is documented.
    refused: Mapping[str, int] = {}
    says: str = ""  # something of what is said, by whichever command
    commands: Sequence[str] | None = None  # instead of all readers
    heavy: bool = False  # only with --long
    apart: bool = False  # each in a process of its own, where the memory of all would add up


class Site:
    """A folder with a project to visit, an empty place to write to, and much to leave alone."""

    def __init__(self, folder: Path, confined: Confined) -> None:
        self.root, self._confined = folder, confined
        self.project, self.out, self.home = folder / "project", folder / "out", folder / "home"
        for place in (self.project, self.out, self.home, folder / "outside"):
            place.mkdir()
        (self.project / "flow.py").write_bytes(CODE)
        (self.home / ".bashrc").write_bytes(b"# mine\n")
        (folder / "outside" / "mine").write_bytes(b"mine\n")

    def forge(self) -> Forge:
        return Forge(self.project / ".mfv")

    def visit(
        self, commands: Sequence[Sequence[str]], *, check: bool = True, **env: str
    ) -> dict[str, Done]:
        """Runs `commands` in the project; what is wrong with it whatever it holds is an error."""
        before = self.outside()
        environ = {"HOME": os.fspath(self.home), "TMPDIR": os.fspath(self.root / "outside"), **env}
        visit = self._confined.visit(self.project, commands, env=environ)
        if check:
            self.check(visit, before)
        return {" ".join(done.words): done for done in visit.commands}

    def check(self, visit: Visit, before: dict[str, object]) -> None:
        last = " ".join(visit.commands[-1].words) if visit.commands else "nothing"
        assert not visit.ended, f"{visit.ended}, after {last!r}"
        for done in visit.commands:
            said = done.out + done.err
            assert "Traceback (most" not in done.err, done
            assert "MemoryError" not in said and "recursion" not in done.err, done
            assert done.status in DOCUMENTED, done
            if done.status > 1:
                assert said, done
            looked_at = done.err if done.words[0] in _RAW else said
            if done.words[0] == "--complete":
                looked_at = looked_at.replace("\t", "")  # between a word and what it is
            assert dangerous(looked_at) == set(), done
        assert visit.peak <= MEMORY, f"{visit.peak >> 20} MiB"
        assert self.outside() == before

    def outside(self) -> dict[str, object]:
        """Everything that no visit may touch, with what it holds."""
        found: dict[str, object] = {}
        for place, folders, files in os.walk(self.root):
            if Path(place) == self.root:
                folders.remove("out")
            if Path(place) == self.project and ".mfv" in folders:
                folders.remove(".mfv")
            for name in (*folders, *files):
                path = Path(place, name)
                mode = path.lstat().st_mode
                if stat.S_ISREG(mode):
                    found[os.fspath(path)] = path.read_bytes()
                else:
                    found[os.fspath(path)] = mode
        return found

    def within(self) -> list[str]:
        """What was written to the place for it, and did not stay in its folder there: links."""
        escaped = []
        real = os.path.realpath(self.out)
        for place, folders, files in os.walk(self.out):
            for name in (*folders, *files):
                target = os.path.realpath(os.path.join(place, name))
                if not target.startswith(real + os.sep):
                    escaped.append(os.path.join(place, name))
        return escaped


def dangerous(text: str) -> set[str]:
    """The characters of `text` that a terminal acts on or hides, line ends aside."""
    return {c for c in text if c not in "\n " and unicodedata.category(c)[0] in "CZ"}


def try_row(site: Site, row: Row, long: bool) -> dict[str, Done]:
    """Forges what the row says, visits it, and holds it against what is expected.

    By all readers if it is `long`; else by the core of them, those of which something is said, and
    a sixth of the others, which is another one for another row.
    """
    if row.heavy and not long:
        pytest.skip("takes many seconds; --long runs it")
    row.forge(site.forge())
    chosen = readers() if row.commands is None else [line.split() for line in row.commands]
    if row.commands is None and not long:
        core, turn = readers(core=True), crc32(row.id.encode())
        chosen = [
            words
            for place, words in enumerate(chosen)
            if words in core or " ".join(words) in row.refused or (place + turn) % 6 == 0
        ]
    visits = [[words] for words in chosen] if row.apart else [chosen]
    done = {line: one for visit in visits for line, one in site.visit(visit).items()}
    for line, status in row.refused.items():
        assert done[line].status == status, done[line]
    if row.says:
        told = "\n".join(one.out + one.err for one in done.values())
        assert row.says in told, told
    assert site.within() == []
    return done
