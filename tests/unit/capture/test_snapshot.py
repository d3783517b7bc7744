from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mfv.capture import listing
from mfv.capture.snapshot import CLONE_MARKER, Snapshot, SourceFile, find_root, read, take
from mfv.errors import NotFoundError, StorageError

Git = Callable[..., str]
Write = Callable[..., Path]


def paths(snapshot: Snapshot) -> list[str]:
    return [file.path for file in snapshot.files]


def reasons(snapshot: Snapshot) -> dict[str, str]:
    return {left.path: left.reason for left in snapshot.left_out}


def file_in(snapshot: Snapshot, path: str) -> SourceFile:
    return next(file for file in snapshot.files if file.path == path)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Rights hold for everybody but root; so as root, be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


class TestTheRoot:
    def test_is_the_repository_around_the_script(self, repository: Path, write: Write) -> None:
        script = write(repository / "a" / "b" / "run.py")
        assert find_root(script) == repository.resolve()

    def test_is_the_scripts_own_folder_without_a_repository(
        self, tmp_path: Path, write: Write
    ) -> None:
        assert find_root(write(tmp_path / "a" / "run.py")) == (tmp_path / "a").resolve()

    def test_is_a_clone_inside_a_repository(self, repository: Path, write: Write) -> None:
        write(repository / "clone" / CLONE_MARKER)
        script = write(repository / "clone" / "deep" / "run.py")
        assert find_root(script) == (repository / "clone").resolve()

    def test_is_a_repository_inside_a_clone(self, tmp_path: Path, git: Git, write: Write) -> None:
        write(tmp_path / CLONE_MARKER)
        script = write(tmp_path / "inner" / "run.py")
        git(tmp_path / "inner", "init", "-q")
        assert find_root(script) == (tmp_path / "inner").resolve()

    def test_is_where_the_script_really_lies_if_started_by_a_link(
        self, repository: Path, tmp_path: Path
    ) -> None:
        link = tmp_path / "bin"
        link.symlink_to(repository / "train.py")
        assert find_root(link) == repository.resolve()
        assert take(link).entry == "train.py"

    def test_of_a_script_in_the_home_folder_is_not_above_it(
        self, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        assert find_root(write(tmp_path / "code" / "run.py")) == (tmp_path / "code").resolve()

    def test_is_a_worktree_or_submodule_by_its_git_file(
        self, repository: Path, tmp_path: Path, git: Git
    ) -> None:
        git(repository, "worktree", "add", "-q", str(tmp_path / "side"))
        git(repository, "submodule", "--quiet", "add", str(repository), "part")
        assert find_root(tmp_path / "side" / "train.py") == (tmp_path / "side").resolve()
        part = repository / "part"
        assert find_root(part / "train.py") == part.resolve()
        for folder in (tmp_path / "side", part):
            snapshot = take(folder / "train.py")
            assert snapshot.git
            assert paths(snapshot) == ["train.py"]


class TestWithGit:
    def test_tracked_and_untracked_files_are_in_and_ignored_or_deleted_ones_are_not(
        self, repository: Path, git: Git, write: Write
    ) -> None:
        write(repository / ".gitignore", "*.log\ndata/\n")
        write(repository / "gone.py")
        write(repository / "old" / "gone.py")
        git(repository, "add", ".")
        (repository / "gone.py").unlink()
        (repository / "old" / "gone.py").unlink()
        (repository / "old").rmdir()
        write(repository / "pkg" / "new.py")
        write(repository / "run.log")
        write(repository / "data" / "big.csv")
        snapshot = take(repository / "train.py")
        assert snapshot.git
        assert snapshot.root == str(repository.resolve())
        assert snapshot.entry == "train.py"
        assert paths(snapshot) == [".gitignore", "pkg/new.py", "train.py"]
        assert snapshot.left_out == ()

    def test_modes_and_sizes_are_those_of_git(self, repository: Path, git: Git) -> None:
        (repository / "tool").write_text("#!/bin/sh\n")
        (repository / "tool").chmod(0o755)
        (repository / "link").symlink_to("train.py")
        git(repository, "add", ".")
        of_git = {}
        for line in git(repository, "ls-files", "--stage").splitlines():
            facts, name = line.split("\t")
            size = git(repository, "cat-file", "-s", facts.split()[1])
            of_git[name] = (int(facts.split()[0], 8), int(size))
        ours = {f.path: (f.mode, f.size) for f in take(repository / "train.py").files}
        assert ours == of_git

    def test_a_script_that_git_ignores_is_in(self, repository: Path, write: Write) -> None:
        write(repository / ".gitignore", "scratch/\n")
        script = write(repository / "scratch" / "try.py")
        write(repository / "scratch" / "other.py")
        snapshot = take(script)
        assert snapshot.entry == "scratch/try.py"
        assert paths(snapshot) == [".gitignore", "scratch/try.py", "train.py"]

    def test_a_tracked_environment_or_cache_is_out_all_the_same(
        self, repository: Path, git: Git, write: Write
    ) -> None:
        write(repository / "venv" / "pyvenv.cfg")
        write(repository / "venv" / "lib" / "x.py")
        write(repository / "node_modules" / "x.js")
        write(repository / "a" / "__pycache__" / "x.pyc")
        write(repository / ".MFV" / "format")
        write(repository / ".ipynb_checkpoints" / "x.ipynb")
        write(repository / "venvs" / "notes.txt")
        git(repository, "add", "-f", ".")
        assert paths(take(repository / "train.py")) == ["train.py", "venvs/notes.txt"]

    def test_submodules_and_nested_repositories_are_left_out_by_name(
        self, repository: Path, tmp_path: Path, git: Git, write: Write
    ) -> None:
        outer = tmp_path / "outer"
        script = write(outer / "run.py")
        git(outer, "init", "-q")
        git(outer, "submodule", "--quiet", "add", str(repository), "part")
        git(outer, "clone", "-q", str(repository), "cloned")
        snapshot = take(script)
        assert paths(snapshot) == [".gitmodules", "run.py"]
        assert reasons(snapshot) == {"part": "nested repository", "cloned": "nested repository"}

    def test_a_folder_in_the_place_of_a_tracked_file_is_only_a_folder(
        self, repository: Path, git: Git, write: Write
    ) -> None:
        write(repository / "thing")
        git(repository, "add", ".")
        (repository / "thing").unlink()
        write(repository / "thing" / "inner.py")
        snapshot = take(repository / "train.py")
        assert paths(snapshot) == ["thing/inner.py", "train.py"]
        assert snapshot.left_out == ()

    def test_a_tracked_folder_that_became_a_link_is_not_followed(
        self, repository: Path, tmp_path: Path, git: Git, write: Write
    ) -> None:
        write(repository / "pkg" / "a.py")
        git(repository, "add", ".")
        (repository / "pkg").rename(tmp_path / "elsewhere")
        (repository / "pkg").symlink_to(tmp_path / "elsewhere")
        snapshot = take(repository / "train.py")
        assert paths(snapshot) == ["pkg", "train.py"]
        assert read(snapshot, snapshot.files[0]) == os.fsencode(tmp_path / "elsewhere")

    def test_a_file_in_conflict_is_in_once(self, repository: Path, git: Git) -> None:
        git(repository, "checkout", "-q", "-b", "other")
        (repository / "train.py").write_text("theirs\n")
        git(repository, "commit", "-q", "-a", "-m", "theirs")
        git(repository, "checkout", "-q", "main")
        (repository / "train.py").write_text("ours\n")
        git(repository, "commit", "-q", "-a", "-m", "ours")
        with pytest.raises(subprocess.CalledProcessError):
            git(repository, "merge", "other")
        assert paths(take(repository / "train.py")) == ["train.py"]

    def test_variables_of_a_git_hook_do_not_lead_elsewhere(
        self, repository: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "-q")
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other))
        assert paths(take(repository / "train.py")) == ["train.py"]

    def test_git_is_started_once(
        self, repository: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(repository / "new.py")
        started: list[object] = []
        popen = subprocess.Popen

        def counting(*words: object, **more: object) -> subprocess.Popen[bytes]:
            started.append(words)
            return popen(*words, **more)  # type: ignore[call-overload, no-any-return]

        monkeypatch.setattr(subprocess, "Popen", counting)
        assert paths(take(repository / "train.py")) == ["new.py", "train.py"]
        assert len(started) == 1

    @pytest.mark.parametrize("bare", ["false", "true"])
    def test_the_files_here_count_whatever_work_tree_the_repository_is_set_to(
        self, repository: Path, tmp_path: Path, git: Git, write: Write, bare: str
    ) -> None:
        write(tmp_path / "elsewhere" / "other.py")
        write(repository / "helper.py")
        write(repository / ".gitignore", "*.log\n")
        write(repository / "run.log")
        if bare == "true":
            git(repository, "config", "core.bare", "true")
        else:
            git(repository, "config", "core.worktree", str(tmp_path / "elsewhere"))
        snapshot = take(repository / "train.py")
        assert snapshot.git
        assert paths(snapshot) == [".gitignore", "helper.py", "train.py"]

    def test_a_git_file_that_leads_nowhere_is_as_no_git(self, tmp_path: Path, write: Write) -> None:
        script = write(tmp_path / "code" / "run.py")
        write(tmp_path / "code" / ".git", "gitdir: /nowhere/at/all\n")
        write(tmp_path / "code" / "helper.py")
        snapshot = take(script)
        assert not snapshot.git
        assert paths(snapshot) == ["helper.py", "run.py"]

    def test_files_that_a_sparse_checkout_leaves_out_are_absent(
        self, repository: Path, git: Git, write: Write
    ) -> None:
        write(repository / "big" / "one.py")
        write(repository / "small" / "two.py")
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", "both")
        git(repository, "sparse-checkout", "set", "small")
        assert paths(take(repository / "train.py")) == ["small/two.py", "train.py"]

    def test_where_git_fails_the_folder_is_walked(self, repository: Path, write: Write) -> None:
        write(repository / ".gitignore", "*.log\n")
        write(repository / "run.log")
        (repository / ".git" / "config").write_text("[core\n")
        snapshot = take(repository / "train.py")
        assert not snapshot.git
        assert paths(snapshot) == [".gitignore", "train.py"]

    def test_where_git_is_missing_the_folder_is_walked(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        snapshot = take(repository / "train.py")
        assert not snapshot.git
        assert paths(snapshot) == ["train.py"]

    def test_tracked_files_come_first_where_there_are_too_many(
        self, repository: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            write(repository / f"a{number:02}")
        monkeypatch.setattr(listing, "MOST_FILES", 5)
        snapshot = take(repository / "train.py")
        assert "train.py" in paths(snapshot)
        assert len(snapshot.files) == 5
        assert reasons(snapshot) == {".": listing.TOO_MANY}


class TestWithoutGit:
    def test_everything_below_is_in_but_for_caches_and_environments(
        self, tmp_path: Path, write: Write
    ) -> None:
        script = write(tmp_path / "run.py")
        write(tmp_path / "pkg" / "mod.py")
        write(tmp_path / "conf" / "a.yaml")
        write(tmp_path / "env" / "pyvenv.cfg")
        write(tmp_path / "env" / "lib.py")
        for junk in (
            "__pycache__/a.pyc",
            "pkg/__pycache__/b.pyc",
            ".mypy_cache/x",
            ".pytest_cache/x",
            ".ruff_cache/x",
            ".ipynb_checkpoints/x",
            "node_modules/x",
            ".mfv/format",
            ".Mfv/format",
            "loose.pyc",
            "run.py~",
        ):
            write(tmp_path / junk)
        snapshot = take(script)
        assert not snapshot.git
        assert paths(snapshot) == ["conf/a.yaml", "pkg/mod.py", "run.py"]
        assert snapshot.left_out == ()

    def test_gitignore_holds_where_there_is_no_git(self, tmp_path: Path, write: Write) -> None:
        script = write(tmp_path / "run.py")
        write(tmp_path / ".gitignore", "*.csv\n")
        write(tmp_path / "a.csv")
        write(tmp_path / "sub" / ".gitignore", "!keep.csv\nout/\n")
        write(tmp_path / "sub" / "keep.csv")
        write(tmp_path / "sub" / "out" / "x.txt")
        assert paths(take(script)) == [".gitignore", "run.py", "sub/.gitignore", "sub/keep.csv"]

    @pytest.mark.parametrize("marked", [False, True])
    def test_of_a_home_folder_only_its_own_python_files_are_in(
        self, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch, marked: bool
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        script = write(tmp_path / "run.py")
        write(tmp_path / "helper.py")
        write(tmp_path / "letter.txt")
        write(tmp_path / "photos" / "a.py")
        if marked:
            write(tmp_path / CLONE_MARKER)
            everything = ["helper.py", "letter.txt", "photos/a.py", "run.py"]
            assert paths(take(script)) == everything
        else:
            assert paths(take(script)) == ["helper.py", "run.py"]
            assert list(reasons(take(script))) == ["."]

    def test_of_a_folder_that_all_users_share_only_its_own_python_files_are_in(
        self, tmp_path: Path, write: Write
    ) -> None:
        shared = tmp_path / "shared"
        script = write(shared / "run.py")
        write(shared / "of another" / "a.py")
        shared.chmod(0o1777)
        assert paths(take(script)) == ["run.py"]

    def test_a_loop_of_links_has_an_end(self, tmp_path: Path, write: Write) -> None:
        script = write(tmp_path / "run.py")
        (tmp_path / "loop").symlink_to(tmp_path)
        (tmp_path / "self").symlink_to("self")
        snapshot = take(script)
        assert paths(snapshot) == ["loop", "run.py", "self"]
        assert read(snapshot, file_in(snapshot, "self")) == b"self"

    def test_pipes_and_sockets_are_left_out(
        self, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = write(tmp_path / "run.py")
        os.mkfifo(tmp_path / "pipe")
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
            snapshot = take(script)
        assert paths(snapshot) == ["run.py"]
        assert reasons(snapshot) == {"pipe": "special file", "socket": "special file"}

    def test_a_nested_repository_is_left_out_by_name(
        self, tmp_path: Path, git: Git, write: Write
    ) -> None:
        script = write(tmp_path / "run.py")
        write(tmp_path / "other" / "x.py")
        git(tmp_path / "other", "init", "-q")
        snapshot = take(script)
        assert paths(snapshot) == ["run.py"]
        assert reasons(snapshot) == {"other": "nested repository"}

    def test_what_cannot_be_read_is_left_out(self, open_folder: Path, write: Write) -> None:
        script = write(open_folder / "run.py")
        write(open_folder / "closed" / "x.py").parent.chmod(0)
        write(open_folder / "only names" / "x.py").parent.chmod(0o444)
        write(open_folder / "mine.py").chmod(0)
        try:
            with ordinary_user():
                snapshot = take(script)
        finally:
            (open_folder / "closed").chmod(0o700)
            (open_folder / "only names").chmod(0o700)
        assert paths(snapshot) == ["run.py"]
        assert reasons(snapshot) == {
            "closed": "unreadable",
            "mine.py": "unreadable",
            "only names/x.py": "unreadable",
        }

    def test_the_walk_ends_where_there_are_too_many_and_the_nearest_come_first(
        self, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = write(tmp_path / "run.py")
        for number in range(20):
            write(tmp_path / "deep" / "er" / f"{number}.txt")
        monkeypatch.setattr(listing, "MOST_FILES", 8)
        snapshot = take(script)
        assert "run.py" in paths(snapshot)
        assert len(snapshot.files) < 9
        assert reasons(snapshot) == {".": listing.TOO_MANY}

    def test_folders_a_thousand_deep_are_no_trouble(self, tmp_path: Path, write: Write) -> None:
        script = write(tmp_path / "run.py")
        here = os.open(tmp_path, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)
        try:
            assert paths(take(script)) == ["run.py"]
        finally:
            # Python's own removal goes down by recursion and would give up on it.
            subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


class TestEverywhere:
    @pytest.fixture(params=["git", "walk"])
    def folder(self, request: pytest.FixtureRequest, tmp_path: Path, git: Git) -> Path:
        folder = tmp_path / "code"
        folder.mkdir()
        if request.param == "git":
            git(folder, "init", "-q")
        (folder / "run.py").write_text("x\n")
        return folder

    def test_files_are_sorted_by_the_bytes_of_their_paths(self, folder: Path, write: Write) -> None:
        for name in ("a-b", "a/b", "B", "ä", "z", "a.b"):
            write(folder / name)
        listed = paths(take(folder / "run.py"))
        assert listed == sorted(listed, key=os.fsencode)
        assert len(listed) == 7

    def test_secrets_are_left_out_and_listed(self, folder: Path, write: Write) -> None:
        write(folder / ".env", "KEY=hunter2")
        write(folder / ".env.example")
        write(folder / "keys" / "id_rsa")
        (folder / "server.pem").symlink_to("/nowhere")
        snapshot = take(folder / "run.py")
        assert paths(snapshot) == [".env.example", "run.py"]
        assert reasons(snapshot) == {
            ".env": "secret",
            "keys/id_rsa": "secret",
            "server.pem": "secret",
        }

    def test_a_file_larger_than_the_limit_is_left_out_with_its_size(
        self, folder: Path, write: Write
    ) -> None:
        write(folder / "at", "x" * 100)
        write(folder / "over", "x" * 101)
        snapshot = take(folder / "run.py", file_limit=100)
        assert paths(snapshot) == ["at", "run.py"]
        (left,) = snapshot.left_out
        assert (left.path, left.reason, left.size) == ("over", "larger than the limit", 101)

    def test_over_the_total_limit_the_largest_are_left_out(
        self, folder: Path, write: Write
    ) -> None:
        write(folder / "a", "x" * 60)
        write(folder / "b", "x" * 50)
        write(folder / "c", "x" * 40)
        snapshot = take(folder / "run.py", total_limit=100)
        assert paths(snapshot) == ["b", "c", "run.py"]
        assert reasons(snapshot) == {"a": "over the total limit"}

    def test_no_limit_leaves_out_the_script(self, folder: Path, write: Write) -> None:
        write(folder / "a")
        snapshot = take(folder / "run.py", file_limit=0, total_limit=0)
        assert paths(snapshot) == ["run.py"]

    def test_a_script_in_a_folder_that_is_never_taken_is_in(
        self, folder: Path, write: Write
    ) -> None:
        script = write(folder / "venv" / "bin" / "tool")
        write(folder / "venv" / "pyvenv.cfg")
        write(folder / "venv" / "lib.py")
        if (folder / ".git").exists():
            assert paths(take(script)) == ["run.py", "venv/bin/tool"]
        else:
            assert paths(take(script)) == ["tool"]  # without git its own folder is the root

    def test_a_nested_clone_is_left_out_by_name(self, folder: Path, write: Write) -> None:
        write(folder / "runs" / "7" / CLONE_MARKER)
        write(folder / "runs" / "7" / "run.py")
        write(folder / "runs" / "notes.txt")
        snapshot = take(folder / "run.py")
        assert paths(snapshot) == ["run.py", "runs/notes.txt"]
        assert reasons(snapshot) == {"runs/7": "nested clone"}

    def test_the_marker_of_a_clone_is_no_part_of_its_code(self, folder: Path, write: Write) -> None:
        write(folder / CLONE_MARKER)
        assert paths(take(folder / "run.py")) == ["run.py"]

    def test_a_name_that_is_not_utf8_comes_back(self, folder: Path) -> None:
        raw = os.fsencode(folder) + b"/caf\xe9.py"
        try:
            with open(raw, "wb") as file:
                file.write(b"latin")
        except OSError:
            return  # a file system of text names has no such file
        snapshot = take(folder / "run.py")
        assert paths(snapshot) == ["caf\udce9.py", "run.py"]
        assert read(snapshot, snapshot.files[0]) == b"latin"

    def test_a_name_with_a_line_break_is_left_out(self, folder: Path, write: Write) -> None:
        write(folder / "a\n\tb", "odd")
        taken = take(folder / "run.py")
        assert reasons(taken)["a\n\tb"] == "control character in its name"

    def test_a_link_to_an_environment_is_not_taken(
        self, folder: Path, tmp_path: Path, write: Write
    ) -> None:
        write(tmp_path / "elsewhere" / "pyvenv.cfg")
        (folder / ".venv").symlink_to(tmp_path / "elsewhere")
        assert paths(take(folder / "run.py")) == ["run.py"]

    @pytest.mark.parametrize(
        "rules",
        [
            {"": "*.csv\n!keep.csv\n"},
            {"": "/data\nmodels/\n"},
            {"": "# a comment\n\n\\#odd\n\\!odd\n  \ntrailing.txt   \n"},
            {"": "*\n!*.py\n!*/\n"},
            {"": "/*\n!/data\n/data/*\n!/data/keep.csv\n"},
            {"": "*.csv\n!data/\n"},
            {"": "data/\n!data/keep.csv\n"},
            {"": "**/out\ndata/**/deep\n"},
            {"": "data/**\n!data/keep.csv\n"},
            {"": "[ab].txt\nx[!y]z\n[\n[z-a].txt\n*.csv\r\n"},
            {"": "*.csv\n", "data": "!keep.csv\n"},
            {"": "!keep.csv\n", "data": "*.csv\n"},
            {"data": "/deep\n", "data/deep": "!*\n"},
            {"": "data/deep/x.csv\n?ut\n**\n!a.txt"},
            {"": "/**\n!/a.txt\n"},
            {"": "\ufeffa.txt\ndata//deep\n/\n!\n"},
            {"": "odd\\ \nsp* /x.txt\n[[a].txt\n"},
        ],
    )
    def test_mfvignore_means_what_the_same_gitignore_means_to_git(
        self, folder: Path, tmp_path: Path, git: Git, write: Write, rules: dict[str, str]
    ) -> None:
        names = [
            *("a.txt", "b.txt", "trailing.txt", "#odd", "!odd", "xyz", "xaz", "x.csv", "keep.csv"),
            *("out", "models", "data/keep.csv", "data/x.csv", "data/x.py", "data/out/x.py", "odd "),
            "sp /x.txt",
            *("data/deep/x.csv", "data/deep/er/deep/x.txt", "sub/models/x.py", "sub/data/x.csv"),
        ]
        mirror = tmp_path / "mirror"
        for name in names:
            write(folder / name)
            write(mirror / name)
        git(mirror, "init", "-q")
        for inner, text in rules.items():
            write(folder / inner / ".mfvignore", text)
            write(mirror / inner / ".gitignore", text)
        listed = set(git(mirror, "ls-files", "-z", "-o", "--exclude-standard").split("\0"))
        ours = set(paths(take(folder / "run.py"))) - {"run.py"}
        assert {name for name in ours if not name.endswith("ignore")} == listed & set(names)

    def test_a_pipe_or_folder_called_mfvignore_has_no_rules(
        self, folder: Path, write: Write
    ) -> None:
        os.mkfifo(folder / ".mfvignore")
        write(folder / "a" / ".mfvignore" / "run.py")
        assert paths(take(folder / "run.py")) == ["a/.mfvignore/run.py", "run.py"]

    def test_mfvignore_takes_tracked_files_out_but_never_the_script(
        self, folder: Path, git: Git, write: Write
    ) -> None:
        write(folder / "a" / "x.py")
        if (folder / ".git").exists():
            git(folder, "add", ".")
        write(folder / ".mfvignore", "*\n")
        assert paths(take(folder / "run.py")) == ["run.py"]


class TestAScriptThatIsNone:
    def test_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(NotFoundError, match=r"no script at .*missing\.py"):
            take(tmp_path / "missing.py")
        with pytest.raises(NotFoundError):
            take(tmp_path)


class TestReading:
    def test_brings_the_bytes_and_the_target_of_a_link(self, repository: Path) -> None:
        (repository / "raw.bin").write_bytes(bytes(range(256)))
        (repository / "link").symlink_to("../no where")
        snapshot = take(repository / "train.py")
        assert read(snapshot, file_in(snapshot, "raw.bin")) == bytes(range(256))
        assert read(snapshot, file_in(snapshot, "link")) == b"../no where"

    def test_a_file_that_is_gone_is_not_found(self, repository: Path, write: Write) -> None:
        write(repository / "a" / "b.py")
        snapshot = take(repository / "train.py")
        (repository / "a" / "b.py").unlink()
        with pytest.raises(NotFoundError, match=r"a/b\.py"):
            read(snapshot, file_in(snapshot, "a/b.py"))
        (repository / "a").rmdir()
        write(repository / "a")
        with pytest.raises(NotFoundError, match=r"a/b\.py"):
            read(snapshot, file_in(snapshot, "a/b.py"))

    def test_a_link_or_pipe_in_the_place_of_a_file_is_refused(
        self, repository: Path, tmp_path: Path, write: Write
    ) -> None:
        file = write(repository / "a.py")
        snapshot = take(repository / "train.py")
        file.unlink()
        file.symlink_to(write(tmp_path / "outside", "hunter2"))
        with pytest.raises(StorageError, match=r"a\.py"):
            read(snapshot, file_in(snapshot, "a.py"))
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(StorageError, match=r"a\.py"):
            read(snapshot, file_in(snapshot, "a.py"))

    def test_a_file_in_the_place_of_a_link_is_refused(self, repository: Path, write: Write) -> None:
        (repository / "link").symlink_to("x")
        snapshot = take(repository / "train.py")
        (repository / "link").unlink()
        write(repository / "link")
        with pytest.raises(StorageError, match="link"):
            read(snapshot, file_in(snapshot, "link"))

    def test_a_file_that_may_not_be_read_is_refused(self, open_folder: Path, write: Write) -> None:
        file = write(open_folder / "a.py")
        snapshot = take(write(open_folder / "run.py"))
        file.chmod(0)
        with ordinary_user(), pytest.raises(StorageError, match=r"a\.py"):
            read(snapshot, file_in(snapshot, "a.py"))
