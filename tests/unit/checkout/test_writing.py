"""Bringing code back: bit for bit, whole or not at all, and nothing outside the target."""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from making import FLOW, opening_of
from making import environment as machine

from mfv.checkout import GUIDE, INFO, LOCK, PARAMETERS, Clone, clone
from mfv.errors import ConflictError, CorruptError, MfvError, StorageError
from mfv.ids import EnvironmentId, TreeId
from mfv.manifest.records import GivenFile, LeftOut, Opening, Tree, TreeFile
from mfv.odb.packindex import key_of
from mfv.odb.writer import Writer
from mfv.repo.publish import add_record
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
Entry = tuple[int, bytes]  # mode and content


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repository" / ".mfv", writer="ana@host")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with nothing in it and something beside it."""
    (tmp_path / "beside").write_text("untouched")
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


def run_of(
    repository: Repository,
    files: Mapping[bytes, Entry] | list[tuple[bytes, Entry]],
    **facts: object,
) -> RunView:
    """A sealed run whose snapshot holds `files`, written without asking whether they make sense."""
    pairs = list(files.items()) if isinstance(files, Mapping) else files

    def make(writer: Writer) -> Opening:
        opening = opening_of()(writer)
        found = [
            TreeFile(path, mode, bytes(writer.add_blob(data)), len(data))
            for path, (mode, data) in pairs
        ]
        tree, _ = add_record(writer, TreeId, Tree(tuple(found)))
        return msgspec.structs.replace(opening, tree=bytes(tree), **facts)

    recorder = RunRecorder(repository, make)
    recorder.seal("ok", ended=1)
    state = repository.state.find(FLOW, recorder.number)
    assert state is not None
    return RunView(repository, state)


def found_in(folder: Path) -> dict[bytes, Entry]:
    """Every file and link below `folder` as a snapshot holds them, mfv's own aside."""
    found = {}
    for parent, folders, names in os.walk(os.fsencode(folder)):
        for name in [*names, *folders]:
            path = os.path.join(parent, name)
            relative = os.path.relpath(path, os.fsencode(folder))
            if relative.startswith(b".mfv-clone"):
                continue
            if os.path.islink(path):
                found[relative] = (LINK, os.readlink(path))
            elif os.path.isfile(path):
                runs = os.stat(path).st_mode & stat.S_IXUSR
                with open(path, "rb") as file:
                    found[relative] = (PROGRAM if runs else FILE, file.read())
    return found


def test_every_byte_mode_and_link_comes_back(repository: Repository, place: Path) -> None:
    files = {
        b"flow.py": (FILE, b"print('x')\n"),
        b"run.sh": (PROGRAM, b"#!/bin/sh\n"),
        b"empty": (FILE, b""),
        b"data/deep/er/raw.bin": (FILE, os.urandom(300_000)),
        b"odd/caf\xe9 \xff.txt": (FILE, b"not utf-8"),
        "naïve/файл.py".encode(): (FILE, "ünï\r\n".encode()),
        b"-rf": (FILE, b"1"),
        b"--help": (FILE, b"2"),
        b"%2e%2e%2fevil": (FILE, b"taken as it stands"),
        b"..;/x": (FILE, b"a folder called ..;"),
        b"link": (LINK, b"data/deep"),
        b"data/up": (LINK, b"../flow.py"),
        b"data/deep/two": (LINK, b"../../flow.py"),
        b"dangling": (LINK, b"nowhere"),
        b"\xff-link": (LINK, b"caf\xe9"),
    }
    done = clone(run_of(repository, files), place / "out")
    assert found_in(place / "out") == files
    assert (done.files, done.links_left_out) == (len(files), ())


def test_names_that_differ_by_case_or_form_alone_are_told_apart(
    repository: Repository, place: Path
) -> None:
    composed, apart = (unicodedata.normalize(form, "é.py").encode() for form in ("NFC", "NFD"))
    files = {name: (FILE, name) for name in (b"Model.pkl", b"model.pkl", composed, apart)}
    # Where the file system folds them together, the collision is reported and nothing is left.
    try:
        clone(run_of(repository, files), place / "out")
    except ConflictError as error:
        assert "one name on this file system" in error.message
        assert list(place.iterdir()) == []
    else:
        assert found_in(place / "out") == files


REFUSED = [
    *(
        b"../evil",
        b"/abs/evil",
        b"C:\\evil",
        b"\\\\host\\share\\x",
        b"C:/evil",
        b"c:",
        b"a/../../evil",
    ),
    *(b"a/./b", b"a//b", b"a/", b"./a", b"..\\evil", b"a\\..\\b", b"..", b".", b""),
    *(b".mfv/config", b".MFV/log/0", b"sub/.mfv/x", b"MFV~1/x", b".mfv.", b".mfv ", b".mfv"),
    *(b".git/config", b".GIT/hooks/x", b"git~1/x", b"sub/.git", b".mfv-clone/run.json"),
    *(".m\u200bfv/x".encode(), ".gi\u200ct/x".encode(), ".ｍfv/x".encode(), "..\u200b/x".encode()),
    *(b"line\nbreak", b"tab\tname", b"nul\0byte", b"\x1b[31m", b"\x01", b"\x7f"),
    *(b"n" * 256, b"a/" * 2500, b"x" * 5000, b"a/" * 2000 + b"b" * 200),
]


@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path[:30].hex() + str(len(path)))
def test_a_path_that_leads_anywhere_else_is_refused_before_any_write(
    repository: Repository, place: Path, path: bytes
) -> None:
    view = run_of(repository, [(b"0first.py", (FILE, b"x")), (path, (FILE, b"evil"))])
    with pytest.raises(CorruptError, match="path"):
        clone(view, place / "out")
    assert list(place.iterdir()) == []
    assert sorted(p.name for p in place.parent.iterdir()) == ["beside", "place", "repository"]


RENAMED = {
    b"CON": "%43ON",
    b"nul.pkl": "%6Eul.pkl",
    b"COM1": "%43OM1",
    b"lpt9.txt": "%6Cpt9.txt",
    b"sub/aux.py": "sub/%61ux.py",
    b"prn /x": "%70rn /x",
    b"a:stream": "a%3Astream",
    b"result_12:30.csv": "result_12%3A30.csv",
    b"one\\two": "one%5Ctwo",
}


@pytest.mark.parametrize(("path", "written"), RENAMED.items())
def test_a_name_that_means_something_to_other_systems_is_written_as_one_that_does_not(
    repository: Repository, place: Path, path: bytes, written: str
) -> None:
    done = clone(run_of(repository, [(path, (FILE, b"data"))]), place / "out")
    assert (place / "out" / written).read_bytes() == b"data"
    assert done.renamed == (f"{path.decode()} -> {written}",)
    assert done.renamed[0] in (place / "out" / ".mfv-clone" / GUIDE).read_text()


CLASHES = [
    [(b"out", (LINK, b"/abs/o")), (b"out/x", (FILE, b"evil"))],
    [(b"out", (LINK, b"../..")), (b"out/x", (FILE, b"evil"))],
    [(b"a", (FILE, b"1")), (b"a/b", (FILE, b"2"))],
    [(b"a/b", (FILE, b"1")), (b"a", (LINK, b"elsewhere"))],
    [(b"same", (FILE, b"1")), (b"same", (LINK, b"/etc"))],
    [(b"same", (FILE, b"1")), (b"same", (FILE, b"2"))],
    [(b"a:b", (FILE, b"1")), (b"a%3Ab", (FILE, b"2"))],
]


@pytest.mark.parametrize("files", CLASHES)
def test_paths_below_a_link_or_a_file_or_given_twice_are_refused(
    repository: Repository, place: Path, files: list[tuple[bytes, Entry]]
) -> None:
    with pytest.raises(CorruptError):
        clone(run_of(repository, files), place / "out")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (b"l", b"/etc/passwd"),
        (b"l", b".."),
        (b"l", b"../beside"),
        (b"sub/l", b"../../beside"),
        (b"sub/l", b"./../../beside"),
        (b"l", b"sub/../../beside"),
        (b"l", b"up/.."),  # `up` may lead to the root of the clone, and `..` from there out of it
        (b"l", b"/"),
        (b"l", b""),
        (b"l", b"nul\0byte"),
    ],
)
def test_a_link_that_leads_out_is_left_out_and_said(
    repository: Repository, place: Path, path: bytes, target: bytes
) -> None:
    files = {b"flow.py": (FILE, b"x"), b"sub/up": (LINK, b".."), path: (LINK, target)}
    done = clone(run_of(repository, files), place / "out")
    assert done.links_left_out == (path.decode(),)
    assert done.files == 2
    assert path not in found_in(place / "out")
    assert f"- {path.decode()}" in (place / "out" / ".mfv-clone" / GUIDE).read_text()


def test_two_links_to_each_other_are_just_two_links(repository: Repository, place: Path) -> None:
    files = {b"one": (LINK, b"two"), b"two": (LINK, b"one")}
    clone(run_of(repository, files), place / "out")
    assert found_in(place / "out") == files


def test_a_target_with_something_in_it_is_left_as_it_is(
    repository: Repository, place: Path
) -> None:
    view = run_of(repository, {b"flow.py": (FILE, b"x")})
    (place / "mine").write_text("mine")
    for target in (place, place / "mine"):
        with pytest.raises(ConflictError):
            clone(view, target)
    assert [path.name for path in place.iterdir()] == ["mine"]
    assert (place / "mine").read_text() == "mine"


def test_an_empty_folder_is_as_good_as_none(repository: Repository, place: Path) -> None:
    clone(run_of(repository, {b"flow.py": (FILE, b"x")}), place)
    assert (place / "flow.py").read_bytes() == b"x"


def test_a_target_that_is_a_link_is_never_written_through(
    repository: Repository, place: Path
) -> None:
    view = run_of(repository, {b"flow.py": (FILE, b"x")})
    (place / "real").mkdir()
    (place / "to-folder").symlink_to("real")
    (place / "to-nothing").symlink_to("gone")
    for name in ("to-folder", "to-nothing"):
        with pytest.raises(MfvError):
            clone(view, place / name)
    assert list((place / "real").iterdir()) == []
    assert sorted(path.name for path in place.iterdir()) == ["real", "to-folder", "to-nothing"]


def test_a_snapshot_with_a_damaged_file_is_not_half_written(
    repository: Repository, place: Path
) -> None:
    files = {b"a.py": (FILE, b"first" * 100), b"b.py": (FILE, os.urandom(5000))}
    view = run_of(repository, files)
    (location,) = repository.database.index.find(view.tree.files[1].blob)
    pack = Path(repository.folder or "", key_of(location.pack))
    data = bytearray(pack.read_bytes())
    data[location.record.offset + 9] ^= 1
    pack.write_bytes(data)
    with pytest.raises(CorruptError):
        clone(view, place / "out")
    assert list(place.iterdir()) == []


def test_where_nothing_can_be_made_it_says_so(repository: Repository, place: Path) -> None:
    (place / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot write"):
        clone(run_of(repository, {b"flow.py": (FILE, b"x")}), place / "file" / "out")


def cloned(repository: Repository, target: Path, **facts: object) -> Clone:
    return clone(run_of(repository, {b"sub/flow.py": (FILE, b"x")}, **facts), target)


def test_what_the_run_was_given_lies_beside_the_code(repository: Repository, place: Path) -> None:
    done = cloned(
        repository,
        place / "out",
        script="sub/flow.py",
        options=(("lr", "-0.5"), ("note", "two words; $(id)"), ("flag", "true")),
        secret=("api_token",),
        left_out=(LeftOut(".env", "a secret", 12), LeftOut("big.bin", "too large", 1 << 40)),
    )
    assert done.commands == (
        f"cd {place / 'out'}",
        "python sub/flow.py run --lr=-0.5 --note 'two words; $(id)' --flag true --api_token=...",
    )
    assert done.secrets == ("api_token",)
    assert done.missing == (".env (a secret)", "big.bin (too large)")
    inputs = place / "out" / ".mfv-clone"
    parameters = msgspec.json.decode((inputs / PARAMETERS).read_bytes())
    assert parameters == {"lr": "-0.5", "note": "two words; $(id)", "flag": "true"}
    info = msgspec.json.decode((inputs / INFO).read_bytes())
    assert (info["run"], info["script"], info["python_version"]) == (
        "TrainFlow/1",
        "sub/flow.py",
        machine().python,
    )
    assert "numpy==2.0.0" in (inputs / LOCK).read_text()
    guide = (inputs / GUIDE).read_text()
    assert done.commands[1] in guide
    assert "- .env (a secret)" in guide


def given_files(repository: Repository, *files: tuple[tuple[str, ...], str, bytes]) -> object:
    """The files that a run was given, their content stored."""
    writer = Writer(repository.database)
    found = tuple(
        GivenFile(option, path, bytes(writer.add_blob(data)), len(data))
        for option, path, data in files
    )
    writer.flush()
    return found


def test_the_files_that_the_run_was_given_are_written_out_and_named(
    repository: Repository, place: Path
) -> None:
    files = given_files(
        repository,
        (("table",), "/home/ana/data.csv", b"1,2"),
        (("config", "model"), "", b'{"a": 1}'),
        (("Table",), "x/../../y.csv", b"3"),
        (("../../evil",), "x.$(id)", b"4"),
    )
    done = cloned(repository, place / "out", script="sub/flow.py", folder="sub", given=files)
    inputs = "../.mfv-clone/inputs"
    assert done.commands[1] == (
        f"python flow.py run --table {inputs}/table.csv --config model {inputs}/config-model "
        f"--Table {inputs}/2-Table.csv --../../evil {inputs}/______evil"
    )
    folder = place / "out" / ".mfv-clone"
    written = {path.name: path.read_bytes() for path in (folder / "inputs").iterdir()}
    assert written == {
        "table.csv": b"1,2",
        "config-model": b'{"a": 1}',
        "2-Table.csv": b"3",
        "______evil": b"4",
    }
    parameters = msgspec.json.decode((folder / PARAMETERS).read_bytes())
    assert parameters["config model"] == ".mfv-clone/inputs/config-model"


def test_a_secret_config_has_to_be_given_anew(repository: Repository, place: Path) -> None:
    done = cloned(repository, place / "out", secret=("config db",), script="flow.py")
    assert done.commands[1] == "python flow.py run --config db ..."


def test_a_run_started_in_a_subfolder_is_run_again_from_there(
    repository: Repository, place: Path
) -> None:
    done = cloned(repository, place / "out", script="sub/flow.py", folder="sub")
    assert done.commands == (f"cd {place / 'out' / 'sub'}", "python flow.py run")


def test_what_differs_of_the_environment_is_said(repository: Repository, place: Path) -> None:
    def make(writer: Writer) -> Opening:
        opening = opening_of()(writer)
        other, _ = add_record(writer, EnvironmentId, machine())
        return msgspec.structs.replace(opening, environment=bytes(other))

    recorder = RunRecorder(repository, make)
    state = repository.state.find(FLOW, recorder.number)
    assert state is not None
    done = clone(RunView(repository, state), place / "out")
    assert done.environment[0].startswith("Python 3.11.9, here ")
    assert done.environment[1].startswith("numpy 2.0.0, here ")
    recorder.seal("interrupted", ended=1)


def test_an_open_run_can_be_cloned_too(repository: Repository, place: Path) -> None:
    recorder = RunRecorder(repository, opening_of(script=b"now\n"))
    state = repository.state.find(FLOW, recorder.number)
    assert state is not None
    clone(RunView(repository, state), place / "out")
    assert (place / "out" / "flow.py").read_bytes() == b"now\n"
    assert "(not sealed)" in (place / "out" / ".mfv-clone" / GUIDE).read_text()
    recorder.seal("interrupted", ended=1)


def test_other_options_of_the_run_are_in_the_command(repository: Repository, place: Path) -> None:
    flags = (("--with", "retry:times=2"), ("--branch", "x"), ("--production",), ("--namespace", ""))
    done = cloned(repository, place / "out", script="flow.py", flags=flags, options=(("a", ""),))
    assert done.commands[1] == (
        "python flow.py run --with retry:times=2 --branch x --production --namespace= --a="
    )


def test_a_flow_whose_file_was_never_in_the_snapshot_is_said(
    repository: Repository, place: Path
) -> None:
    done = cloned(repository, place / "out", script="moved.py")
    assert not done.has_script
    assert "not part of the snapshot" in (place / "out" / ".mfv-clone" / GUIDE).read_text()
    assert cloned(repository, place / "other", script="sub/flow.py").has_script


def test_the_folder_that_it_was_started_in_is_there_though_nothing_was_in_it(
    repository: Repository, place: Path
) -> None:
    done = cloned(repository, place / "out", script="sub/flow.py", folder="data/today")
    assert (place / "out" / "data" / "today").is_dir()
    assert done.commands == (
        f"cd {place / 'out' / 'data' / 'today'}",
        "python ../../sub/flow.py run",
    )


@pytest.mark.parametrize("folder", ["../evil", "/abs", "a/../../b", ".git/hooks", "a//b"])
def test_a_folder_that_leads_out_is_refused(
    repository: Repository, place: Path, folder: str
) -> None:
    with pytest.raises(CorruptError):
        cloned(repository, place / "out", script="sub/flow.py", folder=folder)
    assert list(place.iterdir()) == []


def test_a_folder_behind_a_link_is_not_made(repository: Repository, place: Path) -> None:
    view = run_of(repository, {b"here": (FILE, b"x"), b"link": (LINK, b"here")}, folder="link/in")
    clone(view, place / "out")
    assert sorted(os.listdir(place / "out")) == [".mfv-clone", "here", "link"]


def test_a_script_is_never_taken_for_an_option(repository: Repository, place: Path) -> None:
    done = cloned(repository, place / "out", script="-c print(1)")
    assert done.commands[1] == "python './-c print(1)' run"
