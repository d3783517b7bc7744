"""The state of the git repository around a run: commit, branch, remote, what changed.

Read with three commands side by side. Knows nothing of snapshots: a commit names code, only the
snapshot is the code that ran.
"""

# `os` rather than pathlib, whose import costs more than all that is done here.
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from mfv.capture.gitcommand import ask
from mfv.capture.pep440 import tagged_version
from mfv.capture.root import is_clone, marked_folder
from mfv.capture.secrets import strip_credentials

if TYPE_CHECKING:
    from pathlib import Path

GIT_SECONDS = 10.0
MOST_CHANGED = 200


class GitState(msgspec.Struct, frozen=True, kw_only=True):
    """What git says of a folder. A field that git did not answer in time is None, or empty.

    Bytes that are not UTF-8 stand as `\\xff`.
    """

    commit: str | None = None  # full hash; None before the first commit
    branch: str | None = None  # None where HEAD is detached
    remote: str | None = None  # URL of origin, else of the upstream; without credentials
    dirty: bool = False  # tracked files differ from the commit, as `git describe` means it
    changed: tuple[str, ...] = ()  # changed, then untracked, relative to the top; at most 200
    describe: str | None = None  # TAG-COMMITS-gHASH, then -dirty; None without a tag


def read_git(folder: Path) -> GitState | None:
    """The state of the repository that `folder` lies in; None without one, or without git.

    A folder below a clone marker belongs to no repository further up, whose commit would name
    other code. Where git fails or takes longer than 10 s, the fields stay empty. Never raises.
    """
    top = marked_folder(os.path.realpath(folder))
    if top is None or not _is_repository(top):
        return None
    answers = ask(
        top,
        (
            *("status", "--porcelain=v2", "--branch", "-z"),
            *("--untracked-files=normal", "--no-renames", "--no-ahead-behind"),
        ),
        ("describe", "--tags", "--long", "--abbrev=7"),
        ("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$"),
        seconds=GIT_SECONDS,
    )
    if answers is None:
        return None
    status, describe, config = answers
    if not status.ok:
        return GitState()
    head, changed, untracked = _parse_status(status.data)
    commit = head.get("branch.oid", "(initial)")
    branch = head.get("branch.head", "(detached)")
    described = _text(describe.data).strip() if describe.ok else ""
    return GitState(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        remote=_remote(config.data, branch) if config.ok else None,
        dirty=bool(changed),
        changed=(*changed, *untracked)[:MOST_CHANGED],
        # `--dirty` would look through the work tree a second time.
        describe=(described + ("-dirty" if changed else "")) if described else None,
    )


def version_string(state: GitState | None, *, public: bool = False) -> str | None:
    """A version for code in `state`: `TAG`, or `TAG.postN-gitHASH` N commits after it.

    `-dirty` follows where tracked files differ; without a tag it is `gitHASH` of 7 digits.
    `public` is the tag and `.postN` as PEP 440 spells it (`v1.0-rc.1` is `1.0rc1`). None without
    a commit, and for `public` without a tag or where the tag is no version.
    """
    if state is None:
        return None
    dirty = "-dirty" if state.dirty else ""
    if state.describe is None:
        return f"git{state.commit[:7]}{dirty}" if state.commit and not public else None
    # From the right, for a tag may have dashes of its own.
    tag, commits, name = state.describe.removesuffix("-dirty").rsplit("-", 2)
    if public:
        return tagged_version(tag, int(commits))
    version = tag if commits == "0" else f"{tag}.post{commits}-git{name.removeprefix('g')}"
    return version + dirty


def _is_repository(folder: str) -> bool:
    """Whether git should know `folder`; told apart here, since git's status is 128 either way."""
    if is_clone(folder) and not os.path.exists(f"{folder}/.git"):
        return False
    if os.path.isfile(f"{folder}/.git"):
        return True
    return os.path.lexists(f"{folder}/.git/HEAD")


def _parse_status(data: bytes) -> tuple[dict[str, str], list[str], list[str]]:
    """The headers, the changed and the untracked paths of `git status --porcelain=v2 -z`."""
    head: dict[str, str] = {}
    changed: list[str] = []
    untracked: list[str] = []
    for entry in _text(data).split("\0"):
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            head[name] = value
        elif kind == "1":
            state, submodule, *_, path = rest.split(" ", 7)
            # As `git describe` has it: a submodule that only has untracked files is as it was.
            (untracked if (state, submodule) == (".M", "S..U") else changed).append(path)
        elif kind == "u":
            changed.append(rest.split(" ", 9)[9])
        elif kind == "?" and not _is_ours(rest):
            untracked.append(rest)
    return head, changed, untracked


def _is_ours(path: str) -> bool:
    return ".mfv" in path.lower().split("/")


def _remote(data: bytes, branch: str) -> str | None:
    settings: dict[str, str] = {}
    for entry in _text(data).split("\0"):
        key, _, value = entry.partition("\n")
        settings.setdefault(key, value)
    upstream = settings.get(f"branch.{branch}.remote", "")
    for name in ("origin", upstream):
        url = settings.get(f"remote.{name}.url")
        if url:
            return strip_credentials(url)
    # An upstream may be a URL without a name; "." is this very repository.
    return strip_credentials(upstream) if "/" in upstream else None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
