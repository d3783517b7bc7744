"""Signed runs and tags: somebody vouches, by a key of theirs, for what a name stands for.

What is signed says where it holds, so that a signature that was copied, or whose run was edited,
tells on itself. What is checked against are the keys in one's own settings, never a repository's.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from mfv import keys
from mfv.capture.user import settings_file, sign_variable
from mfv.errors import ConflictError, CorruptError, MfvError, NotFoundError
from mfv.ids import RunId
from mfv.manifest.encoding import decode, encode
from mfv.repo import person
from mfv.repo.config import ConfigError
from mfv.repo.entries import Signature, SignRun, Statement
from mfv.repo.names import OPEN, RunState, State
from mfv.repo.repository import Repository

PREFIX = b"mfv v1 signature\n"

Status = Literal["good", "unknown key", "bad", "unsigned", "unchecked"]


class Checked(NamedTuple):
    """One signature, or the lack of any."""

    run: str
    tag: str  # empty: of the run itself
    status: Status
    label: str = ""  # whose key it is, by one's own settings
    key: str = ""  # its fingerprint
    time: int = 0  # µs since 1970, as signed
    why: str = ""

    @property
    def target(self) -> str:
        return f"{self.tag} on {self.run}" if self.tag else self.run


def own_signer() -> keys.Signer | None:
    """The key that this person signs with, by MFV_SIGN_KEY or their settings; None without one.

    Raises NotFoundError, KeyFileError, ConfigError.
    """
    path = sign_variable() or person.read(settings_file()).key
    return keys.load_signer(path) if path else None


def allowed_keys() -> dict[bytes, str]:
    """The keys that this person knows, with their labels; ConfigError."""
    path = settings_file()
    found = {}
    for label, text in person.read(path).allowed.items():
        try:
            found[keys.parse_public(text)] = label
        except MfvError as error:
            raise ConfigError(f"{path}, sign.allowed.{label}: {error.message}") from None
    return found


def sign(repository: Repository, run: RunState, signer: keys.Signer, tag: str = "") -> bool:
    """Signs a run, or a tag on it; False where this key did so already, rightly.

    Raises ConflictError for a run that is open or changed meanwhile, NotFoundError for a tag that
    it does not bear, CorruptError where its record cannot be read.
    """
    if run.manifest is None or run.status == OPEN:
        raise ConflictError(f"{run.name} is still running", hint="sign it when it has ended")
    if tag and tag not in run.tags:
        raise NotFoundError(f"{run.name} does not bear the tag {tag!r}")
    trouble = _trouble(repository, run)
    if trouble:
        raise CorruptError(f"{run.name} is not signed: {trouble}", hint="`mfv fsck` says more")
    mine = {signer.public: "me"}
    if any(
        one.key == signer.public and _check(repository, run, one, mine).status == "good"
        for one in run.signatures
        if one.tag == tag
    ):
        return False
    now = time.time_ns() // 1000
    origin, manifest = repository.format.repository, run.manifest
    statement = encode(Statement(origin, run.flow, run.number, tag, manifest, now))
    made = Signature(tag, statement, signer.public, signer.sign(PREFIX + statement))

    def build(state: State) -> SignRun:
        found = state.find(run.flow, run.number)
        if found is None or found.manifest != manifest or (tag and tag not in found.tags):
            raise ConflictError(f"{run.name} changed while it was signed")
        return SignRun(run.flow, run.number, made)

    repository.log.append(build)
    return True


def check(
    repository: Repository, run: RunState, allowed: Mapping[bytes, str], asked: Iterable[str]
) -> list[Checked]:
    """What is signed of a run and its tags: every signature there is, each looked at.

    `asked`: tags, or "" for the run, of which it is told if they are unsigned.
    """
    found = [_check(repository, run, one, allowed) for one in run.signatures]
    signed = {one.tag for one in found}
    unsigned = [Checked(run.name, tag, "unsigned") for tag in asked if tag not in signed]
    return sorted([*found, *unsigned], key=lambda one: (one.tag, one.label, one.key))


def is_good(checked: Iterable[Checked]) -> bool:
    """Whether everything is signed by a known key at least once, and nothing is bad."""
    found = list(checked)
    good = {(one.run, one.tag) for one in found if one.status == "good"}
    return {(one.run, one.tag) for one in found} == good and not any(
        one.status == "bad" for one in found
    )


def _check(
    repository: Repository, run: RunState, one: Signature, allowed: Mapping[bytes, str]
) -> Checked:
    label, key = allowed.get(one.key, ""), keys.fingerprint(one.key)
    bad = Checked(run.name, one.tag, "bad", label, key)
    if not keys.is_signed(one.key, PREFIX + one.statement, one.signature):
        return bad._replace(why="the key that it names did not sign what it says")
    try:
        said = decode(Statement, one.statement)
    except MfvError:
        return bad._replace(why="what it says cannot be read")
    bad = bad._replace(time=said.time)
    if said.repository != repository.format.repository:
        return bad._replace(why=f"it was made in another repository, {said.repository.hex()}")
    if (said.flow, said.number) != (run.flow, run.number):
        return bad._replace(why=f"it was made for {said.flow}/{said.number}")
    if said.tag != one.tag:
        what = f"the tag {said.tag}" if said.tag else "the run, and not for a tag"
        return bad._replace(why=f"it was made for {what}")
    if one.tag and one.tag not in run.tags:
        return bad._replace(why="the run does not bear that tag")
    if said.manifest != run.manifest:
        now = "nothing" if run.manifest is None else str(RunId(run.manifest))[:8]
        signed = str(RunId(said.manifest))[:8]
        return bad._replace(why=f"the run is {now} now, and what was signed is {signed}")
    trouble = _trouble(repository, run)
    if trouble:
        return bad._replace(why=trouble)
    if not label:
        return bad._replace(status="unknown key", why="the key is not in your settings")
    return bad._replace(status="good")


def _trouble(repository: Repository, run: RunState) -> str:
    """What of a sealed run's record is not what its id stands for; empty if nothing."""
    try:
        manifest = repository.manifest(run)
    except MfvError as error:
        return f"its record cannot be read: {error.message}"
    if manifest is None:
        return "it is open"
    # The log says both, and the id covers only what the manifest says.
    if run.opening is not None and manifest.opening != run.opening:
        return "the log names another beginning than its record"
    if manifest.status != run.status:
        return f"the log says {run.status}, and its record {manifest.status}"
    if manifest.origin != repository.format.repository:
        return "it was made in another repository"
    return ""
