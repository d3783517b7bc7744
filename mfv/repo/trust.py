"""Whose repository it is, and so what may be done with it: read, write, run what it names.

A pickle is a program. What a repository holds is unpickled, and the code of its runs run, where the
file system says that it is this person's own, or where this person said that they trust it: in
their own settings, never in the repository's alone. See docs/design/028-trust.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mfv.capture.user import settings_file, trust_variable
from mfv.errors import UntrustedError
from mfv.manifest.artifact import PICKLE, Artifact
from mfv.repo import artifacts, person
from mfv.repo.standing import EVERYTHING, NOTHING, grant_of, owner_of

if TYPE_CHECKING:
    from mfv.repo.repository import Repository
    from mfv.repo.view import RunView


class Refusal(NamedTuple):
    """Why nothing that a run names is run, and what would allow it."""

    reason: str
    hint: str


def refusal(repository: Repository, origin: bytes | None = None) -> Refusal | None:
    """Why nothing that is named by a run made in `origin` is run; None where that is trusted.

    `origin`: the id of a repository; None for this one.
    """
    if trust_variable() == NOTHING:
        return Refusal("MFV_TRUST says to trust nothing", "unset MFV_TRUST")
    folder = repository.folder
    if folder is not None and repository.standing not in ("own", "trusted"):
        return Refusal(f"{folder} is of {owner_of(folder)}", f"`{grant_of(folder)}`")
    if origin is None or origin == repository.format.repository:
        return None
    # The repository's own settings may name others, once it is trusted itself.
    if origin in repository.config.trust_origins or trust_variable() == EVERYTHING:
        return None
    if origin in person.read(settings_file()).origins:
        return None
    return Refusal(
        f"it was made in another repository, {origin.hex()}",
        f"`mfv trust --origin {origin.hex()}`",
    )


def refusal_of(view: RunView) -> Refusal | None:
    """Why nothing that this run names is run; None where it is trusted."""
    manifest = view.manifest
    return refusal(view.repository, None if manifest is None else manifest.origin)


def load(
    repository: Repository,
    artifact: Artifact,
    name: str,
    *,
    origin: bytes | None = None,
    trust: bool | None = None,
    once: str = "",
) -> object:
    """The value of an artifact of a run made in `origin`, as far as that is trusted.

    Of what is not, only values of harmless data; else UntrustedError, which says what is not
    harmless in `name`, and how to trust it. `trust`: True or False whatever the rules say.
    `once`: how to do so for this once, in words.
    """
    if artifact.serializer != PICKLE or trust:
        return artifacts.load(repository.database, artifact)
    refused = refusal(repository, origin) if trust is None else _ASKED
    if refused is None:
        return artifacts.load(repository.database, artifact)
    try:
        return artifacts.load(repository.database, artifact, trusted=False)
    except UntrustedError as error:
        hint = refused.hint if not once else f"{refused.hint}, or for this once {once}"
        raise UntrustedError(
            f"{name} is not loaded: {error.message}; and {refused.reason}",
            hint=f"{hint}; then it is unpickled, which runs what it names",
        ) from None


_ASKED = Refusal("only what is harmless was asked for", "load it with trust=True")


def is_trusted(view: RunView) -> bool:
    """Whether the code of this run may be run, and its artifacts unpickled."""
    return refusal_of(view) is None
