"""The version of a project, beside what git itself says of the same repository."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from mfv.capture.git import read_git, version_string
from mfv.capture.pep440 import is_version, public_version, tagged_version

Git = Callable[..., str]

TAGS = ["v1.2", "1.2", "v1.0-rc.1", "release-2024-07", "x-1-gabc1234", "v1-dirty", "a/b", "nightly"]


def as_git_says(folder: Path, git: Git) -> str:
    """The version made of `git describe`, read from the left: TAG is known from git too."""
    words = ("describe", "--tags", "--dirty")
    try:
        tag = git(folder, "describe", "--tags", "--abbrev=0")
    except subprocess.CalledProcessError:
        return "git" + git(folder, "describe", "--always", "--dirty", "--abbrev=7")
    long = git(folder, *words, "--long", "--abbrev=7")
    commits, name, *dirty = long.removeprefix(f"{tag}-").split("-")
    behind = "" if commits == "0" else f".post{commits}-git{name[1:]}"
    return tag + behind + "".join(f"-{word}" for word in dirty)


def commit(folder: Path, git: Git, count: int) -> None:
    for _ in range(count):
        git(folder, "commit", "-q", "--allow-empty", "-m", "more")


def told(folder: Path, git: Git) -> str | None:
    """The version, which is what git says."""
    version = version_string(read_git(folder))
    assert version == as_git_says(folder, git)
    return version


@pytest.mark.parametrize("tag", TAGS)
def test_it_is_what_git_describe_says_at_a_tag_and_after_it_clean_and_dirty(
    repository: Path, git: Git, tag: str
) -> None:
    git(repository, "tag", tag)
    assert told(repository, git) == tag
    commit(repository, git, 2)
    assert told(repository, git) == f"{tag}.post2-git{git(repository, 'rev-parse', 'HEAD')[:7]}"
    (repository / "train.py").write_text("changed")
    version = told(repository, git)
    assert version is not None and version.endswith("-dirty")


def test_an_annotated_tag_and_a_light_one_count_the_same(repository: Path, git: Git) -> None:
    git(repository, "tag", "-a", "v1", "-m", "one")
    commit(repository, git, 1)
    git(repository, "tag", "v2")
    commit(repository, git, 1)
    version = told(repository, git)
    assert version is not None and version.startswith("v2.post1-git")


def test_before_the_first_tag_it_is_the_commit(repository: Path, git: Git) -> None:
    assert told(repository, git) == f"git{git(repository, 'rev-parse', 'HEAD')[:7]}"
    (repository / "train.py").write_text("changed")
    told(repository, git)


def test_without_git_or_a_commit_there_is_none(tmp_path: Path, git: Git) -> None:
    assert version_string(read_git(tmp_path)) is None
    git(tmp_path, "init", "-q")
    assert version_string(read_git(tmp_path)) is None
    assert version_string(read_git(tmp_path), public=True) is None


def test_a_detached_head_is_described_like_a_branch(repository: Path, git: Git) -> None:
    git(repository, "tag", "v1")
    commit(repository, git, 3)
    git(repository, "checkout", "-q", "--detach", "HEAD~1")
    version = told(repository, git)
    assert version is not None and version.startswith("v1.post2-git")


def test_a_shallow_clone_tells_what_it_has(repository: Path, tmp_path: Path, git: Git) -> None:
    git(repository, "tag", "v1")
    commit(repository, git, 3)
    for depth, start in ((1, "git"), (4, "v1.post3-git")):
        shallow = tmp_path / f"shallow{depth}"
        git(tmp_path, "clone", "-q", f"--depth={depth}", repository.as_uri(), str(shallow))
        git(shallow, "fetch", "-q", "--tags", f"--depth={depth}")
        version = told(shallow, git)
        assert version is not None and version.startswith(start)


def test_a_worktree_has_the_version_of_its_own_commit(
    repository: Path, tmp_path: Path, git: Git
) -> None:
    git(repository, "tag", "v1")
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    commit(tmp_path / "side", git, 2)
    (tmp_path / "side" / "train.py").write_text("changed")
    version = told(tmp_path / "side", git)
    assert version is not None and version.startswith("v1.post2-git") and version.endswith("-dirty")
    assert told(repository, git) == "v1"


def test_a_submodule_has_its_own_version_and_makes_the_outer_one_dirty(
    repository: Path, tmp_path: Path, git: Git
) -> None:
    git(repository, "tag", "v7")
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "part")
    git(outer, "commit", "-q", "-m", "with a part")
    git(outer, "tag", "v1")
    assert told(outer / "part", git) == "v7"
    assert told(outer, git) == "v1"
    (outer / "part" / "train.py").write_text("changed")
    assert told(outer / "part", git) == "v7-dirty"
    assert told(outer, git) == "v1-dirty"


def test_an_untracked_file_in_a_submodule_is_no_change_of_the_outer_one(
    repository: Path, tmp_path: Path, git: Git
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "submodule", "--quiet", "add", str(repository), "part")
    git(outer, "commit", "-q", "-m", "with a part")
    git(outer, "tag", "v1")
    (outer / "part" / "new.txt").write_text("x")
    assert told(outer, git) == "v1"


def test_a_changed_mode_a_deleted_and_a_staged_file_are_dirty_a_touched_one_is_not(
    repository: Path, git: Git
) -> None:
    git(repository, "tag", "v1")
    script = repository / "train.py"
    script.touch()
    assert told(repository, git) == "v1"
    script.chmod(0o755)
    assert told(repository, git) == "v1-dirty"
    script.chmod(0o644)
    script.unlink()
    assert told(repository, git) == "v1-dirty"
    git(repository, "checkout", "-q", ".")
    (repository / "new.py").write_text("x")
    assert told(repository, git) == "v1"
    git(repository, "add", "new.py")
    assert told(repository, git) == "v1-dirty"


@pytest.mark.parametrize(
    ("tag", "public", "later"),
    [
        ("v2.3.0", "2.3.0", "2.3.0.post5"),
        ("1.0", "1.0", "1.0.post5"),
        ("v1.0-rc.1", "1.0rc1", "1.0rc1.post5"),
        ("1!2.0", "1!2.0", "1!2.0.post5"),
        ("1.0+cu118", "1.0", "1.0.post5"),
        # There is no post release of one, so these count on.
        ("1.0.post2", "1.0.post2", "1.0.post7"),
        ("1.0.dev3", "1.0.dev3", "1.0.dev8"),
        ("release-1.2", "1.2", "1.2.post5"),
        ("model/v1.2", "1.2", "1.2.post5"),
        ("my-tool-2.0b1", "2.0b1", "2.0b1.post5"),
        ("nightly", None, None),
        ("release-candidate", None, None),
        ("x-1-gabc1234", None, None),
        ("1.0.linux", None, None),
        ("v", None, None),
    ],
)
def test_the_public_form_is_the_version_in_the_tag(
    tag: str, public: str | None, later: str | None
) -> None:
    assert (tagged_version(tag), tagged_version(tag, 5)) == (public, later)


PARTS = st.lists(
    st.sampled_from([*"019.-_+!", "v", "V", "rc", "a", "alpha", "c", "post", "rev", "dev", "x"]),
    max_size=9,
).map("".join)


@given(PARTS, st.integers(0, 20))
def test_a_version_is_what_the_packaging_library_takes_for_one(text: str, after: int) -> None:
    try:
        known = Version(text)
    except InvalidVersion:
        known = None
    assert is_version(text) == (known is not None)
    public = public_version(text)
    assert public == (None if known is None else known.public)
    later = public_version(text, after)
    if later is not None and after and known is not None:
        assert str(Version(later)) == later
        assert Version(later) > Version(known.public)
