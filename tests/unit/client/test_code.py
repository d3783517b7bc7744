"""The code of a run, also where its repository is not to be trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from flowruns import DEMO, FLOWS
from making import FLOW, opening_of

from mfv.client import MetaflowCode, MetaflowNotFound, Run
from mfv.errors import CorruptError, StorageError
from mfv.ids import TreeId
from mfv.manifest.records import LeftOut, Opening, Tree, TreeFile
from mfv.odb.writer import Writer
from mfv.repo.publish import add_record
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository

FILE, PROGRAM, LINK = 0o100644, 0o100755, 0o120000
Code = Callable[..., MetaflowCode]


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Code:
    """The code of a run whose snapshot has just these files: path to mode and bytes."""

    def make(files: dict[bytes, tuple[int, bytes]]) -> MetaflowCode:
        def opening(writer: Writer) -> Opening:
            entries = (
                TreeFile(path, mode, bytes(writer.add_blob(data)), len(data))
                for path, (mode, data) in sorted(files.items())
            )
            tree, _ = add_record(writer, TreeId, Tree(tuple(entries)))
            left_out = (LeftOut(".env", "may hold secrets", 10),)
            made = opening_of()(writer)
            return msgspec.structs.replace(made, tree=bytes(tree), left_out=left_out)

        repository = Repository.create(tmp_path / "made")
        RunRecorder(repository, opening).seal("ok", ended=0)
        monkeypatch.setenv("MFV_DIR", str(tmp_path / "made"))
        return Run(f"{FLOW}/1").code

    return make


def test_the_code_has_the_files_beside_the_flow() -> None:
    code = Run("DemoFlow/1").code
    assert code.files == sorted(FLOWS)
    assert code.script_name == "demo.py"
    assert code.flowspec == DEMO
    assert code.read("plain.py") == FLOWS["plain.py"].encode()
    assert repr(code) == "<MetaflowCode: demo.py of DemoFlow/1>"


def test_a_task_has_the_code_of_its_run() -> None:
    run = Run("DemoFlow/1")
    assert run["work"].task.code.sha == run.code.sha == Run("DemoFlow/2").code.sha


def test_a_file_that_is_not_there_is_refused_with_near_names(code: Code) -> None:
    made = code({b"flow.py": (FILE, b"")})
    with pytest.raises(MetaflowNotFound, match=r"did you mean 'flow\.py'"):
        made.read("flw.py")
    with pytest.raises(MetaflowNotFound, match="it was left out"):
        made.read(".env")


def test_info_has_what_metaflows_info_has() -> None:
    info = Run("DemoFlow/1").code.info
    assert info["script"] == "demo.py"
    assert info["username"] == "ana"
    assert info["platform"] == os.uname().sysname
    assert (info["runtime"], info["environment_type"]) == ("dev", "local")
    assert info["python_version_code"].count(".") == 2
    assert info["mfv_version"]
    assert info["ext_info"] == {}
    assert info["packages"]["msgspec"]
    for key in ("repo_url", "branch_name", "commit_sha", "has_uncommitted_changes"):
        assert info[key] is None  # the project is no git repository


def test_an_extracted_flow_can_be_used_until_the_folder_goes() -> None:
    with Run("DemoFlow/1").code.extract() as folder:
        assert sorted(os.listdir(folder)) == sorted(FLOWS)
        command = [sys.executable, "demo.py", "check"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "DemoFlow is a valid flow of 8 steps\n"
    assert not os.path.exists(folder)


def test_folders_modes_and_links_come_back(code: Code) -> None:
    files = {
        b"tools/run.sh": (PROGRAM, b"#!/bin/sh\n"),
        b"src/a.py": (FILE, b"a = 1\n"),
        b"src/link.py": (LINK, b"a.py"),
        b"up/back": (LINK, b"../src"),
    }
    made = code(files)
    with made.extract() as folder:
        assert os.access(f"{folder}/tools/run.sh", os.X_OK)
        assert not os.access(f"{folder}/src/a.py", os.X_OK)
        assert os.readlink(f"{folder}/src/link.py") == "a.py"
        assert Path(folder, "up/back/link.py").read_text() == "a = 1\n"
    with made.extract(links=False) as folder:
        assert not os.path.lexists(f"{folder}/src/link.py")
        assert os.path.exists(f"{folder}/src/a.py")


def test_the_tarball_holds_the_same_files(code: Code) -> None:
    files = {b"a.py": (FILE, b"a = 1\n"), b"b/run": (PROGRAM, b"x"), b"l": (LINK, b"a.py")}
    with code(files).tarball as archive:
        assert archive.getnames() == ["a.py", "b/run", "l"]
        inner = archive.extractfile("a.py")
        assert inner is not None and inner.read() == b"a = 1\n"
        assert archive.getmember("b/run").mode == 0o755
        assert archive.getmember("l").linkname == "a.py"


@pytest.mark.parametrize(
    "path",
    [
        b"/etc/x",
        b"../x",
        b"a/../../x",
        b"a//x",
        b"./x",
        b"a\\..\\x",
        b".git/hooks/x",
        b".MFV/x",
        b"",
    ],
)
def test_a_path_that_leads_out_is_written_nowhere(
    path: bytes, code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(CorruptError):
        code({b"good.py": (FILE, b""), path: (FILE, b"bad")}).extract()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "links",
    [
        {b"out": b"/etc"},
        {b"out": b".."},
        {b"a/out": b"../../x"},
        {b"a/broken": b"a\0b"},
        # Each looks harmless by itself.
        {b"here": b".", b"out": b"here/here/../.."},
    ],
)
def test_a_link_that_leads_out_is_refused_and_nothing_stays(
    links: dict[bytes, bytes], code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    made = code({b"good.py": (FILE, b""), **{path: (LINK, to) for path, to in links.items()}})
    with pytest.raises(CorruptError, match="links=False"):
        made.extract()
    assert list(scratch.iterdir()) == []
    with made.extract(links=False) as folder:
        assert os.listdir(folder) == ["good.py"]


def test_what_the_file_system_refuses_leaves_nothing_behind(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    made = code({b"a.py": (FILE, b""), b"/".join([b"x" * 250] * 16): (FILE, b"")})
    with pytest.raises(StorageError, match="nowhere"):
        made.extract()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(StorageError, match="name too long"):
        made.extract()
    assert list(scratch.iterdir()) == []


def test_nothing_is_written_through_a_link(code: Code) -> None:
    with pytest.raises(CorruptError):
        code({b"a": (LINK, b"/tmp"), b"a/x": (FILE, b"bad")}).extract()
