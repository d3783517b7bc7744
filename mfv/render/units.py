"""Times, durations, sizes and numbers, as people read them."""

from __future__ import annotations

import time

_FOREVER = 86400.0 * 1_000_000  # seconds


def duration(seconds: float) -> str:
    """`0.42s`, `12.4s`, `3m 05s`, `2h 07m`, `4d 01h`; `?` for what can be none."""
    # The bounds are where the text would round up to the next unit.
    if seconds < 9.995:
        return f"{max(seconds, 0):.2f}s"
    if not seconds < _FOREVER:
        return "?"  # not a number, or no time that anything took
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = int(seconds + 0.5)
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes}m {whole % 60:02d}s"
    if hours < 24:
        return f"{hours}h {minutes % 60:02d}m"
    return f"{days}d {hours % 24:02d}h"


def age(seconds: float) -> str:
    """`now`, `42s ago`, `5m ago`, `3h ago`, `12d ago`, `7w ago`, `3y ago`."""
    if seconds < 2:
        return "now"
    for limit, size, unit in (
        (60, 1, "s"),
        (3600, 60, "m"),
        (86400, 3600, "h"),
        (86400 * 21, 86400, "d"),
        (86400 * 365, 86400 * 7, "w"),
    ):
        if seconds < limit:
            return f"{int(seconds // size)}{unit} ago"
    return f"{int(seconds // (86400 * 365))}y ago"


def date(micros: int) -> str:
    """`2026-11-22 21:53:07 +0000`, in local time."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(micros / 1e6))
    except (OverflowError, ValueError, OSError):
        return f"@{micros}"


def size(count: int) -> str:
    """`512 B`, `1.5 kB`, `3.4 MB`: powers of 1000, as disks and networks count."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
    return f"{value:.0f} PB"


def number(value: float, digits: int = 6) -> str:
    """A number as short as it can be without looking different: `0.9911`, `1e-05`, `42`."""
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{digits}g}"
    return text if set(text) & set(".en") else f"{text}.0"


def count(number: int, word: str) -> str:
    """`1 file`, `3 files`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
