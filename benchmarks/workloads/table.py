"""A table of orders as it is kept day after day: ten versions of 3.8 million rows, 200 MB and more.

From one version to the next 1 % of new rows is inserted in one place, 0.5 % is corrected in four
columns (four fifths of these in forty runs of neighbours, one fifth here and there) and 1 % is
appended. Identifiers and times rise, the rest is drawn. Any version follows from the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

ROWS = 3_800_000  # at scale 1
INSERTED, UPDATED, APPENDED = 0.01, 0.005, 0.01
CORRECTED = ("price", "amount", "score", "status")
_IN_RUNS, _RUNS = 0.8, 40
_STREAM = 102
_START = int(np.datetime64("2025-01-01T00:00:00", "ns").astype(np.int64))

_STATUS = ["new", "paid", "shipped", "delivered", "returned", "cancelled"]
_COUNTRY = [
    "US",
    "DE",
    "FR",
    "GB",
    "IN",
    "BR",
    "JP",
    "CN",
    "NL",
    "SE",
    "PL",
    "ES",
    "IT",
    "CA",
    "AU",
]
_CHANNEL = ["web", "ios", "android", "store", "partner", "phone"]

Columns = dict[str, np.ndarray]


def versions(scale: float, seed: int, count: int) -> Iterator[pd.DataFrame]:
    """`count` tables: integers, floats, a flag, times, a category and two columns of strings."""
    for columns in columns_of(scale, seed, count):
        yield _frame(columns)


def columns_of(scale: float, seed: int, count: int) -> Iterator[Columns]:
    """The tables as columns of numbers: of strings and categories their codes."""
    rows = max(1000, int(ROWS * scale))
    columns = _rows(np.random.default_rng([seed, _STREAM, 0]), rows, 0, _START)
    next_id = rows
    yield columns
    for number in range(1, count):
        draw = np.random.default_rng([seed, _STREAM, number])
        rows = len(columns["id"])
        more, late = max(1, int(rows * INSERTED)), max(1, int(rows * APPENDED))
        columns = _corrected(draw, columns)
        place = int(draw.integers(rows // 5, 4 * rows // 5))
        between = _rows(draw, more, next_id, int(columns["ts"][place]))
        after = _rows(draw, late, next_id + more, int(columns["ts"][-1]))
        next_id += more + late
        columns = {
            name: np.concatenate([old[:place], between[name], old[place:], after[name]])
            for name, old in columns.items()
        }
        yield columns


def _corrected(draw: np.random.Generator, columns: Columns) -> Columns:
    rows = len(columns["id"])
    wanted = max(1, int(rows * UPDATED))
    in_runs = int(wanted * _IN_RUNS)
    alone = draw.choice(rows, wanted - in_runs, replace=False)
    length = max(1, in_runs // _RUNS)
    starts = draw.integers(0, max(1, rows - length), _RUNS)
    places = np.unique(np.concatenate([alone, *(start + np.arange(length) for start in starts)]))
    drawn = _rows(draw, len(places), 0, _START)
    columns = {name: values.copy() for name, values in columns.items()}
    for name in CORRECTED:
        columns[name][places] = drawn[name]
    return columns


def _rows(draw: np.random.Generator, count: int, first: int, start: int) -> Columns:
    price = np.round(draw.lognormal(3.0, 1.0, count), 2)
    quantity = np.minimum(draw.geometric(0.35, count), 99).astype(np.int16)
    common_first = np.arange(len(_COUNTRY), 0, -1)
    return {
        "id": np.arange(first, first + count, dtype=np.int64),
        "user_id": draw.zipf(1.3, count).clip(max=2_000_000).astype(np.int64),
        "ts": start + np.cumsum(draw.integers(1, 8_000, count)) * 1_000_000,
        "price": price,
        "amount": price * quantity * (1 - 0.05 * draw.integers(0, 5, count)),
        "score": draw.beta(2, 5, count).astype(np.float32),
        "quantity": quantity,
        "is_gift": draw.random(count) < 0.07,
        "country": _codes(draw, count, common_first / common_first.sum()),
        "status": draw.integers(0, len(_STATUS), count, dtype=np.int8),
        "channel": _codes(draw, count, [0.4, 0.2, 0.2, 0.1, 0.06, 0.04]),
    }


def _codes(draw: np.random.Generator, count: int, weights: np.ndarray | list[float]) -> np.ndarray:
    return draw.choice(len(weights), count, p=weights).astype(np.int8)


def _frame(columns: Columns) -> pd.DataFrame:
    values: dict[str, object] = dict(columns)
    values["ts"] = columns["ts"].astype("datetime64[ns]")
    values["country"] = pd.Categorical.from_codes(columns["country"], categories=_COUNTRY)
    for name, labels in (("status", _STATUS), ("channel", _CHANNEL)):
        strings = np.array(labels, dtype=object)[columns[name]]
        values[name] = pd.Series(strings, dtype=object)
    return pd.DataFrame(values)
