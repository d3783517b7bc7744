"""The namespace: the one tag by which the client filters what it shows."""

from __future__ import annotations

from mfv.capture.user import user_name


class _Unset:
    """Not chosen yet; None is a choice, for everything."""


_current: str | type[_Unset] | None = _Unset


def namespace(ns: str | None) -> str | None:
    """Shows only objects that bear the tag `ns` from now on; None shows all. Returns `ns`.

    Objects that exist keep the namespace in which they were made.
    """
    global _current
    _current = ns
    return ns


def get_namespace() -> str | None:
    """The tag by which objects are filtered; `user:<me>` until one is chosen, None for no filter.

    Me is who MFV_USER, METAFLOW_USER, SUDO_USER, USERNAME or USER says, the first that is set.
    """
    if isinstance(_current, type):
        return default_namespace()
    return _current


def default_namespace() -> str:
    """Goes back to `user:<me>`, which is returned."""
    global _current
    _current = f"user:{user_name()}"
    return _current
