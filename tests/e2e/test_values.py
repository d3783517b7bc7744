"""Tables, matrices and models: from a step to the client, and told well on the way."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest
from processes import Place

BODY = """
shift = Parameter("shift", default=0)

@step
def start(self):
    import numpy, pandas, polars, pyarrow, scipy.sparse
    from sklearn.linear_model import LogisticRegression
    rows = numpy.arange(20_000.0).reshape(-1, 4)
    self.frame = pandas.DataFrame({"n": range(9000), "w": [f"word {i}" for i in range(9000)]})
    self.frame["x"] = 0.5 + self.shift
    self.frames = [self.frame, self.frame[:10]]
    self.table = pyarrow.table({"n": range(9000), "w": ["x"] * 9000})
    self.polar = polars.DataFrame({"n": range(9000), "x": [float(self.shift)] * 9000})
    self.sparse = scipy.sparse.eye(300, format="csr") * (1 + self.shift)
    self.model = LogisticRegression(C=1.0 + self.shift).fit(rows, rows[:, 0] > 100)
    self.masked = numpy.ma.array(rows, mask=rows > 19_000)
    self.raw = {"file": b"x" * 100_000, "n": self.shift}
    self.next(self.end)

@step
def end(self):
    assert self.frame["w"][8999] == "word 8999"
    self.frame.loc[0, "n"] = 5
    assert self.raw["file"] == b"x" * 100_000
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two runs that differ by their shift."""
    place = Place(tmp_path_factory.mktemp("values") / "project", BODY)
    place.run()
    place.run("--shift", "1")
    return place


def test_every_value_comes_back_as_what_it_was(ran: Place) -> None:
    found: dict[str, Any] = ran.values("start", run=2)
    words = [f"word {i}" for i in range(9000)]
    expected = pandas.DataFrame({"n": range(9000), "w": words, "x": 1.5})
    pandas.testing.assert_frame_equal(found["frame"], expected)
    pandas.testing.assert_frame_equal(found["frames"][1], expected[:10])
    assert found["table"].to_pydict() == {"n": list(range(9000)), "w": ["x"] * 9000}
    assert found["polar"].sum().row(0) == (sum(range(9000)), 9000.0)
    assert numpy.array_equal(found["sparse"].toarray(), numpy.eye(300) * 2)
    assert found["model"].C == 2.0
    assert found["model"].predict([[4.0, 5.0, 6.0, 7.0]]) == [False]
    assert found["masked"].count() == (found["masked"].data <= 19_000).sum()
    assert found["raw"] == {"file": b"x" * 100_000, "n": 1}


def test_the_client_gives_them_too(ran: Place) -> None:
    code = """
from mfv import Flow
data = Flow("F").latest_run["start"].task.data
print(data.frame["x"][0], data.polar.shape, data.table.num_rows, data.raw["n"], data.model)
"""
    done = ran.python("-c", code)
    assert done.out == "1.5 (9000, 2) 9000 1 LogisticRegression(C=2.0)\n", done.err


def test_show_tells_shapes_columns_and_parameters(ran: Place) -> None:
    lines = {
        line.split()[0]: line for line in ran.mfv("show", "@/start/1").out.splitlines() if line
    }
    assert "DataFrame 9000 x 3" in lines["frame"]
    assert "n, w, x" in lines["frame"]
    assert "Table 9000 x 2" in lines["table"]
    assert "DataFrame 9000 x 2" in lines["polar"]
    assert "csr_matrix float64[300, 300]" in lines["sparse"]
    assert "300 stored" in lines["sparse"]
    assert "LogisticRegression(C=2.0)" in lines["model"]


def test_diff_tells_what_changed_and_nothing_else(ran: Place) -> None:
    out = ran.mfv("diff").out
    changed = {line.split()[0] for line in out.splitlines() if line.startswith("  start/")}
    assert changed == {
        f"start/{name}" for name in ("frame", "frames", "polar", "sparse", "model", "raw")
    }
    assert "n: 0 -> 1" in out


def test_cat_loads_and_prints_one(ran: Place) -> None:
    assert ran.mfv("cat", "--load", "@/start/1/model").out == "LogisticRegression(C=2.0)\n"
    assert "9_000" in ran.mfv("cat", "--load", "@/start/1/polar").out


def test_what_did_not_change_is_not_stored_again(ran: Place) -> None:
    def frames(run: int, name: str) -> list[bytes]:
        (one,) = [a for a in ran.task("start", run=run).artifacts if a.name == name]
        return [frame.id for frame in one.frames]

    before, after = frames(1, "frame"), frames(2, "frame")
    assert [place for place in range(len(before)) if before[place] != after[place]] != []
    assert len(set(before) & set(after)) == len(before) - 1  # a column of three kinds
    assert len(set(frames(1, "polar")) & set(frames(2, "polar"))) == 2  # the stream and `n`
    assert frames(1, "table") == frames(2, "table")
