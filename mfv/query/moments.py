"""Times and durations as people type them."""

from __future__ import annotations

import re

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONG_UNITS = {"month": 30 * 86400, "y": 365 * 86400}
_DURATION = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:us|ms|s|m|h|d|w|month|y)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{1,2}(?:-\d{1,2})?(?:[T ].*)?", re.ASCII)

WANTED_DURATION = "a duration such as 90s, 5m, 1.5h, 2d"
WANTED_TIME = "a time such as 2w (ago), today, yesterday, 2026-11-01, 2026-11-01T09:30"


def seconds_of(text: str) -> float | None:
    """`90`, `90s`, `1h30m` in seconds; None if it is no duration."""
    try:
        plain = float(text)
    except ValueError:
        pieces = _DURATION.findall(text)
        if not pieces or "".join(pieces) != text:
            return None
        return sum(_piece(piece) for piece in pieces)
    return plain if plain == plain and abs(plain) != float("inf") else None


def moment_of(text: str, now: float) -> int | None:
    """A time in µs since 1970; None if `text` is none.

    A duration means so long before `now` (seconds since 1970). What has no zone is local time.
    """
    from datetime import datetime, timedelta

    word = text.strip().lower()
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": datetime.fromtimestamp(now), "today": today}
    named["yesterday"] = today - timedelta(days=1)
    if word in named:
        return _micros(named[word])
    word = word.removesuffix("ago").strip()
    if _DATE.fullmatch(word):
        try:
            return _micros(datetime.fromisoformat(_whole(text.strip())))
        except (ValueError, OverflowError, OSError):
            return None
    try:
        float(word)
    except ValueError:
        back = seconds_of(word)
        return None if back is None else int((now - back) * 1e6)
    return None  # 2026 alone, or 17: neither a date nor so long ago


def _whole(text: str) -> str:
    """`2026-11` and `2026-1-5` as ISO has them."""
    date, *rest = re.split(r"[T ]", text, maxsplit=1)
    numbers = [*date.split("-"), "1"][:3]
    return "-".join(number.zfill(2) for number in numbers) + "".join(f"T{one}" for one in rest)


def _piece(text: str) -> float:
    unit = text.lstrip("0123456789.").lower()
    return float(text[: -len(unit)]) * (_UNITS.get(unit) or _LONG_UNITS[unit])


def _micros(moment: object) -> int:
    return int(moment.timestamp() * 1e6)  # type: ignore[attr-defined]
