from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mfv.capture import git as module
from mfv.capture.git import GitState, read_git, version_string
from mfv.capture.snapshot import CLONE_MARKER

Git = Callable[..., str]


def state_of(folder: Path) -> GitState:
    state = read_git(folder)
    assert state is not None
    return state


def test_a_clean_repository_tells_commit_and_branch(repository: Path, git: Git) -> None:
    assert state_of(repository) == GitState(
        commit=git(repository, "rev-parse", "HEAD"), branch="main"
    )


def test_a_folder_inside_the_repository_tells_the_same(repository: Path) -> None:
    inner = repository / "a" / "b"
    inner.mkdir(parents=True)
    assert state_of(inner) == state_of(repository)


def test_no_repository_is_none(tmp_path: Path) -> None:
    assert read_git(tmp_path) is None


def test_an_empty_folder_called_git_is_no_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert read_git(tmp_path) is None


def test_no_git_binary_is_none(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git(repository) is None


def test_a_repository_without_commits_has_a_branch_but_no_commit(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    assert state_of(tmp_path) == GitState(branch="main")


def test_a_detached_head_has_no_branch(repository: Path, git: Git) -> None:
    git(repository, "checkout", "-q", "--detach")
    state = state_of(repository)
    assert state.branch is None
    assert state.commit == git(repository, "rev-parse", "HEAD")


def test_a_changed_file_makes_it_dirty(repository: Path) -> None:
    (repository / "train.py").write_text("print('other')\n")
    state = state_of(repository)
    assert state.dirty
    assert state.changed == ("train.py",)


def test_an_untracked_file_is_listed_but_does_not_make_it_dirty(repository: Path) -> None:
    (repository / "a note.txt").write_text("x")
    state = state_of(repository)
    assert not state.dirty
    assert state.changed == ("a note.txt",)


def test_renamed_deleted_and_staged_files_are_changed(repository: Path, git: Git) -> None:
    for name in ("old name.py", "gone.py", "staged.py"):
        (repository / name).write_text(name * 9)
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "more")
    git(repository, "mv", "old name.py", "new name.py")
    (repository / "gone.py").unlink()
    (repository / "staged.py").write_text("x")
    git(repository, "add", "staged.py")
    assert set(state_of(repository).changed) == {
        "old name.py",
        "new name.py",
        "gone.py",
        "staged.py",
    }


def test_a_file_in_conflict_is_changed(repository: Path, git: Git) -> None:
    git(repository, "checkout", "-q", "-b", "other")
    (repository / "train.py").write_text("theirs\n")
    git(repository, "commit", "-q", "-a", "-m", "theirs")
    git(repository, "checkout", "-q", "main")
    (repository / "train.py").write_text("ours\n")
    git(repository, "commit", "-q", "-a", "-m", "ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(repository, "merge", "other")
    assert state_of(repository).changed == ("train.py",)


def test_changes_come_before_untracked_files_and_at_most_200_are_listed(repository: Path) -> None:
    for number in range(250):
        (repository / f"a{number}").write_text("x")
    (repository / "train.py").write_text("changed")
    changed = state_of(repository).changed
    assert len(changed) == 200
    assert changed[0] == "train.py"


def test_the_repository_of_mfv_itself_is_no_change(repository: Path) -> None:
    (repository / ".mfv").mkdir()
    (repository / ".mfv" / "format").write_text("x")
    assert state_of(repository).changed == ()


def test_a_name_that_is_not_utf8_can_be_printed(repository: Path) -> None:
    try:
        Path(bytes(repository / "x").decode() + "\udcff").write_text("x")
    except OSError:
        return  # a file system of text names has no such file
    (changed,) = state_of(repository).changed
    assert changed == "x\\xff"


def test_the_remote_comes_without_its_credentials(repository: Path, git: Git) -> None:
    git(repository, "remote", "add", "origin", "https://ana:hunter2@example.org/a.git")
    assert state_of(repository).remote == "https://example.org/a.git"


def test_origin_goes_before_the_upstream(repository: Path, git: Git) -> None:
    git(repository, "remote", "add", "fork", "git@example.org:fork.git")
    git(repository, "config", "branch.main.remote", "fork")
    assert state_of(repository).remote == "git@example.org:fork.git"
    git(repository, "remote", "add", "origin", "git@example.org:origin.git")
    assert state_of(repository).remote == "git@example.org:origin.git"


def test_an_upstream_may_be_a_url_but_not_this_very_repository(repository: Path, git: Git) -> None:
    git(repository, "config", "branch.main.remote", "https://t0k@example.org/up.git")
    assert state_of(repository).remote == "https://example.org/up.git"
    git(repository, "config", "branch.main.remote", ".")
    assert state_of(repository).remote is None


def test_a_worktree_has_its_own_branch(repository: Path, tmp_path: Path, git: Git) -> None:
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    state = state_of(tmp_path / "side")
    assert state.branch == "side"
    assert state.commit == git(repository, "rev-parse", "HEAD")


def test_a_submodule_has_its_own_commit(repository: Path, tmp_path: Path, git: Git) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", "-b", "trunk")
    git(outer, "submodule", "--quiet", "add", str(repository), "part")
    assert state_of(outer / "part").commit == git(repository, "rev-parse", "HEAD")
    assert state_of(outer).commit is None


def test_a_clone_inside_a_repository_is_not_that_repository(repository: Path) -> None:
    clone = repository / "clones" / "7"
    clone.mkdir(parents=True)
    (clone / CLONE_MARKER).parent.mkdir()
    (clone / CLONE_MARKER).write_text("")
    assert read_git(clone) is None


def test_variables_of_a_git_hook_do_not_lead_elsewhere(
    repository: Path, tmp_path: Path, git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q", "-b", "elsewhere")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    assert state_of(repository).branch == "main"


def test_reading_leaves_the_index_alone(repository: Path) -> None:
    index = repository / ".git" / "index"
    before = index.read_bytes()
    (repository / "train.py").touch()
    state_of(repository)
    assert index.read_bytes() == before


def test_a_git_that_fails_leaves_the_fields_empty(repository: Path) -> None:
    (repository / ".git" / "config").write_text("[core\n")
    assert read_git(repository) == GitState()


def test_a_git_that_hangs_leaves_the_fields_empty(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 600 & wait\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:/usr/bin:/bin")
    monkeypatch.setattr(module, "GIT_SECONDS", 0.2)
    assert read_git(repository) == GitState()


@pytest.mark.parametrize("tag", ["v1.2", "release-2024-07", "x-1-gabc", "v1-dirty"])
def test_a_tagged_commit_is_described_by_its_tag(repository: Path, git: Git, tag: str) -> None:
    git(repository, "tag", tag)
    assert version_string(state_of(repository)) == tag


def test_commits_after_the_tag_are_counted_and_named(repository: Path, git: Git) -> None:
    git(repository, "tag", "v1.2-rc-1")
    for _ in range(3):
        git(repository, "commit", "-q", "--allow-empty", "-m", "more")
    commit = git(repository, "rev-parse", "HEAD")
    state = state_of(repository)
    assert version_string(state) == f"v1.2-rc-1.post3-git{commit[:7]}"
    assert version_string(state, public=True) == "1.2rc1.post3"


def test_the_description_is_what_git_says_of_a_dirty_tree(repository: Path, git: Git) -> None:
    git(repository, "tag", "v1.2")
    (repository / "train.py").write_text("changed")
    state = state_of(repository)
    assert state.describe == git(
        repository, "describe", "--tags", "--dirty", "--long", "--abbrev=7"
    )
    assert version_string(state) == "v1.2-dirty"
    assert version_string(state, public=True) == "1.2"


@pytest.mark.parametrize(("tag", "public"), [("v0.1", "0.1"), ("0.1", "0.1"), ("vega", None)])
def test_the_public_version_is_that_of_the_tag(tag: str, public: str | None) -> None:
    state = GitState(commit="0" * 40, describe=f"{tag}-0-g0000000")
    assert version_string(state, public=True) == public


def test_without_a_tag_the_version_is_the_commit(repository: Path, git: Git) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert version_string(state_of(repository)) == f"git{commit[:7]}"
    (repository / "train.py").write_text("changed")
    assert version_string(state_of(repository)) == f"git{commit[:7]}-dirty"
    assert version_string(state_of(repository), public=True) is None


def test_without_a_commit_there_is_no_version() -> None:
    assert version_string(None) is None
    assert version_string(GitState(branch="main")) is None
