"""A pickle file for those who read it without mfv: nothing in it is ours."""

from __future__ import annotations

import pickle

from mfv.errors import UnpicklableError


def write_pickle(path: str, value: object) -> None:
    """Writes `value` to the file `path` as one pickle of the newest protocol.

    Raises UnpicklableError, or OSError; then the file may be there with a part of it.
    """
    with open(path, "wb") as file:
        try:
            pickle.dump(value, file, protocol=pickle.HIGHEST_PROTOCOL)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise UnpicklableError(
                f"{path} cannot be written: {error}",
                path=path,
                type_name=type(value).__name__,
                hint="leave the artifact out with --exclude NAME",
            ) from error
