"""Artifacts as files of their type: readable by others, and nothing run to write them."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from making import finished, open_run

from mfv.checkout.data import INDEX, Written, write_data
from mfv.manifest.artifact import Artifact
from mfv.repo.repository import Repository
from mfv.repo.view import RunView

PNG = b"\x89PNG\r\n\x1a\n" + bytes(30)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / ".mfv", writer="ana@host")


def run_of(repository: Repository, values: Mapping[str, object], **changes: Any) -> RunView:
    """A sealed run of one task that left `values`."""
    run = open_run(repository)
    done = finished(repository.database, run, 1, values)
    run.commit([done._replace(task=msgspec.structs.replace(done.task, **changes))])
    run.seal("ok", ended=9)
    state = repository.state.find(run.flow, run.number)
    assert state is not None
    return RunView(repository, state)


def write(view: RunView, folder: Path, *, trusted: bool = True) -> Written:
    return write_data(view, folder / "data", trusted=trusted)


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "data" / "start" / "1").iterdir()}


def test_each_type_gets_the_format_that_others_read(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# hello")
    values = {
        "number": 0.5,
        "text": "ünï" * 10_000,
        "raw": bytes(9),
        "picture": PNG,
        "file": tmp_path / "notes.md",
        "array": np.arange(60_000.0).reshape(300, 200),
        "small": np.array([1, 2]),
        "scalar": np.float32(1.5),
        "nested": {"a": [1, 2.5, None, {"b": "x"}], "c": np.float64(3)},
        "frame": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        "polars": pl.DataFrame({"a": [1, 2]}),
        "arrow": pa.table({"a": [1, 2]}),
        "series": pd.Series([1.0, 2.0], name="s"),
        "odd": {1, 2},
        "states": {"w": np.arange(9000.0)},
    }
    done = write(run_of(repository, values), tmp_path)
    place = tmp_path / "data" / "start" / "1"
    assert files(tmp_path) == {
        *("number.json", "text.txt", "raw.bin", "picture.png", "file.md", "array.npy"),
        *("small.npy", "scalar.json", "nested.json", "frame.parquet", "polars.parquet"),
        *("arrow.parquet", "series.csv", "odd.pickle", "states.pickle"),
    }
    assert json.loads((place / "number.json").read_text()) == 0.5
    assert (place / "text.txt").read_text() == values["text"]
    assert (place / "picture.png").read_bytes() == PNG
    assert (place / "file.md").read_text() == "# hello"
    np.testing.assert_array_equal(np.load(place / "array.npy"), values["array"])
    assert json.loads((place / "nested.json").read_text()) == {
        "a": [1, 2.5, None, {"b": "x"}],
        "c": 3.0,
    }
    pd.testing.assert_frame_equal(pd.read_parquet(place / "frame.parquet"), values["frame"])
    assert pl.read_parquet(place / "polars.parquet").to_dict(as_series=False) == {"a": [1, 2]}
    assert pa.parquet.read_table(place / "arrow.parquet").to_pydict() == {"a": [1, 2]}
    assert pickle.loads((place / "odd.pickle").read_bytes()) == {1, 2}
    states = pickle.loads((place / "states.pickle").read_bytes())
    np.testing.assert_array_equal(states["w"], np.arange(9000.0))
    assert sorted(done.loaded) == [f"start/1/{n}" for n in ("arrow", "frame", "polars", "series")]
    assert (done.files, done.failed) == (len(values), ())
    index = json.loads((tmp_path / "data" / INDEX).read_text())
    assert {one["name"]: one["file"] for one in index}["array"] == "start/1/array.npy"
    assert [one["name"] for one in index if one["unpickled"]] == [
        *("arrow", "frame", "polars", "series")
    ]


def test_what_cannot_be_trusted_is_not_loaded(repository: Repository, tmp_path: Path) -> None:
    done = write(run_of(repository, {"frame": pd.DataFrame({"a": [1]})}), tmp_path, trusted=False)
    assert files(tmp_path) == {"frame.pickle"}
    assert done.loaded == ()
    (path,) = (tmp_path / "data" / "start" / "1").iterdir()
    assert pickle.loads(path.read_bytes()).to_dict() == {"a": {0: 1}}


class Canary:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("canary"),)


def test_nothing_that_is_no_table_is_run(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(run_of(repository, {"canary": Canary(), "list": [Canary()]}), tmp_path)
    assert files(tmp_path) == {"canary.pickle", "list.pickle"}
    assert not (tmp_path / "canary").exists()


NAMES = ["../../evil", "/etc/evil", "CON", "A", "a", "", "x/y", "nul\0", "-rf"]


def test_hostile_names_stay_within_the_folder(repository: Repository, tmp_path: Path) -> None:
    artifacts = tuple(Artifact(name, "int", "scalar", place) for place, name in enumerate(NAMES))
    view = run_of(repository, {}, artifacts=artifacts)
    before = {path for path in tmp_path.rglob("*") if ".mfv" not in path.parts}
    write(view, tmp_path)
    place = tmp_path / "data" / "start" / "1"
    new = {path for path in tmp_path.rglob("*") if ".mfv" not in path.parts} - before
    written = {path for path in new if path.is_file() and path.name != INDEX}
    assert {path.parent for path in written} == {place}
    assert len({path.name.casefold() for path in written}) == len(NAMES)
    assert {json.loads(path.read_text()) for path in written} == set(range(len(NAMES)))


def test_what_was_handed_on_stands_where_it_was_made(
    repository: Repository, tmp_path: Path
) -> None:
    write(run_of(repository, {"own": 1, "other": 2}, inherited=("other",)), tmp_path)
    assert files(tmp_path) == {"own.json"}


@pytest.mark.parametrize("serializer", ["unknown", "pickle5", "text", "bytes", "file"])
def test_a_record_that_makes_no_sense_is_told_and_the_rest_written(
    repository: Repository, tmp_path: Path, serializer: str
) -> None:
    bad = Artifact("bad", "x", serializer)
    good = Artifact("good", "int", "scalar", 1)
    done = write(run_of(repository, {}, artifacts=(bad, good)), tmp_path)
    assert files(tmp_path) == {"good.json"}
    assert [one.split(" (")[0] for one in done.failed] == ["start/1/bad"]


def test_numbers_that_json_has_not_are_no_json(repository: Repository, tmp_path: Path) -> None:
    write(run_of(repository, {"a": [float("nan")], "b": [1 << 80], "c": {1: 2}}), tmp_path)
    assert files(tmp_path) == {"a.pickle", "b.pickle", "c.pickle"}
