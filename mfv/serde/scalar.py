"""Values small and plain enough to stand in a manifest, where every command can read them."""

from __future__ import annotations

TEXT_LIMIT = 1024  # bytes of UTF-8
_LOW, _HIGH = -(2**63), 2**64 - 1

Scalar = None | bool | int | float | str


def is_scalar(value: object) -> bool:
    """Whether `value` is exactly a None, bool, int, float or str that an inline record can hold.

    Subclasses (numpy.float64 is a float) are not: they must come back as what they were.
    """
    kind = type(value)
    if value is None or kind is bool or kind is float:
        return True
    if kind is int:
        return _LOW <= value <= _HIGH  # type: ignore[operator]
    if kind is str:
        assert isinstance(value, str)
        if len(value) > TEXT_LIMIT:
            return False
        try:
            return len(value.encode()) <= TEXT_LIMIT
        except UnicodeEncodeError:
            return False
    return False
