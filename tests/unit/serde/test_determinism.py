"""Equal values are equal frames: twice in one process, and in processes that hash differently.

Only sets of text are not: their order changes with the process, and no pickle sorts them.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

MAKE = """
import hashlib, sys
import numpy, pandas
from mfv.serde.pickle5 import dump

generator = numpy.random.default_rng(3)
rows = generator.normal(size=(3000, 20))
words = [f"word {i % 500}" for i in range(3000)]

def state_dict():
    return {f"layer {i}": {"w": generator.normal(size=(100, 50)), "step": i} for i in range(5)}

def data_frame():
    frame = pandas.DataFrame(rows, columns=[f"c{i}" for i in range(20)])
    frame["word"], frame["kind"] = words, pandas.Categorical(words)
    frame["when"] = pandas.date_range("2024", periods=3000, freq="h")
    frame["maybe"] = pandas.array([None, 1, 2] * 1000, "Int32")
    return frame

def model():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    forest = RandomForestClassifier(10, random_state=1)
    return make_pipeline(StandardScaler(), forest).fit(rows, rows[:, 0] > 0)

def boosted():
    from sklearn.ensemble import HistGradientBoostingRegressor
    return HistGradientBoostingRegressor(max_iter=5, random_state=1).fit(rows, rows[:, 0])

def table():
    import pyarrow
    return pyarrow.table({"n": range(9000), "w": words * 3, "g": [None, 1.5, 2.5] * 3000})

def table_of_polars():
    import polars
    return polars.DataFrame({"n": range(9000), "w": words * 3, "g": [None, 1.5, 2.5] * 3000})

def sparse():
    import scipy.sparse
    return scipy.sparse.random(500, 500, 0.2, format="csr", rng=generator)

def masked():
    return numpy.ma.masked_less(rows, 0)

def plain():
    return {"names": words, "sizes": dict(zip(words, range(3000))), "raw": [bytes(100_000)]}

value = globals()[sys.argv[1]]()
for _ in range(2):
    print([hashlib.sha256(frame.data).hexdigest() for frame in dump(value, name="x")])
"""
KINDS = [
    *("state_dict", "data_frame", "model", "boosted", "table", "table_of_polars"),
    *("sparse", "masked", "plain"),
]


def hashes(kind: str, seed: int) -> list[str]:
    environment: dict[str, Any] = {"PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", MAKE, kind],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_are_equal_frames_in_every_process(kind: str) -> None:
    one, again = hashes(kind, 1)
    assert one == again
    assert hashes(kind, 2) == [one, again]
