"""Who signed a run, for the commands that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfv.repo.signing import Checked
    from mfv.repo.view import RunView


def signatures_of(run: RunView) -> list[Checked]:
    """Who signed the run, or tags on it; nothing is loaded for a run that nobody did."""
    if not run.state.signatures:
        return []
    from mfv.keys import KeyFileError, fingerprint
    from mfv.repo import signing

    try:
        return signing.check(run.repository, run.state, signing.allowed_keys(), ())
    except KeyFileError as error:  # the library is not installed; the rest of the run is shown
        return [
            signing.Checked(run.name, one.tag, "unchecked", "", fingerprint(one.key), 0, str(error))
            for one in run.state.signatures
        ]
