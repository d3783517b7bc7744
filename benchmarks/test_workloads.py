"""What is stored: the same for the same seed, and changed by as much as is said."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))  # as Python does for a script of this folder

from engines.equal import same
from harness import BenchmarkError
from versions import find
from versions import given as given_versions
from workloads import checkpoints, history, records, sources, table

from mfv.repo.repository import Repository

SEEDS = st.integers(0, 2**32 - 1)


def test_a_checkpoint_is_forty_arrays_of_198_mb_at_full_scale() -> None:
    shapes = checkpoints.shapes(1.0)
    assert len(shapes) == 40
    assert sum(4 * int(np.prod(shape)) for shape in shapes.values()) == 197_634_048


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_each_checkpoint_draws_a_tenth_anew_and_nudges_a_twentieth(seed: int) -> None:
    before, after = checkpoints.versions(0.001, seed, 2)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    close = [n for n in changed if np.abs(before[n] - after[n]).max() < 1e-3]
    assert (len(changed), len(close)) == (6, 2)
    assert all(before[name] is after[name] for name in before if name not in changed)


@settings(max_examples=5, deadline=None)
@given(seed=SEEDS)
def test_the_same_seed_makes_the_same_versions(seed: int) -> None:
    for one, other in zip(
        checkpoints.versions(0.001, seed, 3), checkpoints.versions(0.001, seed, 3), strict=True
    ):
        assert same(one, other)
    for one, other in zip(
        table.versions(0.0005, seed, 3), table.versions(0.0005, seed, 3), strict=True
    ):
        assert same(one, other)
    for one, other in zip(records.runs(20, seed), records.runs(20, seed), strict=True):
        assert pickle.dumps(one) == pickle.dumps(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: next(checkpoints.versions(0.001, seed, 1)),
        lambda seed: next(table.versions(0.0005, seed, 1)),
        lambda seed: next(records.runs(1, seed)),
    ],
    ids=["checkpoints", "table", "records"],
)
def test_another_seed_makes_other_versions(make) -> None:  # type: ignore[no-untyped-def]
    assert not same(make(1), make(2))


def test_bf16_is_the_high_halves() -> None:
    state = {"one": np.array([1.0, -2.0, 0.1], dtype=np.float32)}
    assert checkpoints.halved(state)["one"].tolist() == [0x3F80, 0xC000, 0x3DCC]


@settings(max_examples=10, deadline=None)
@given(seed=SEEDS)
def test_each_table_has_rows_inserted_corrected_and_appended_as_stated(seed: int) -> None:
    before, after = table.columns_of(0.01, seed, 2)
    rows = len(before["id"])
    new = after["id"] >= rows
    kept = ~new
    assert rows == 38_000
    assert new.sum() == 2 * (rows // 100)
    # The rows that were there stand in their order; the new ones in one place and at the end.
    assert np.array_equal(after["id"][kept], before["id"])
    assert new[-(rows // 100) :].all()
    assert np.count_nonzero(np.diff(new.astype(int)) == 1) == 2
    changed = np.zeros(rows, dtype=bool)
    for name, values in before.items():
        differs = after[name][kept] != values
        assert name in table.CORRECTED or not differs.any()
        changed |= differs
    # Runs of neighbours may overlap each other, and a value drawn anew may be the old one.
    assert 0.0035 * rows < changed.sum() <= 0.005 * rows
    alone = changed & ~np.roll(changed, 1) & ~np.roll(changed, -1)
    assert 0.1 < alone.sum() / changed.sum() < 0.35


def test_a_table_has_columns_of_every_common_kind() -> None:
    frame = next(table.versions(0.001, 1, 1))
    kinds = {str(dtype) for dtype in frame.dtypes}
    numbers = {"int64", "int16", "float64", "float32", "bool"}
    assert kinds == numbers | {"datetime64[ns]", "category", "object"}
    assert isinstance(frame["country"].dtype, pd.CategoricalDtype)


def test_small_artifacts_are_ten_a_run_of_stated_sizes_half_of_them_repeated() -> None:
    runs = list(records.runs(400, 1))
    assert {len(run) for run in runs} == {records.ARTIFACTS}
    pickles = [pickle.dumps(value, 5) for run in runs for value in run.values()]
    assert min(map(len, pickles)) >= 50 and max(map(len, pickles)) <= 20_000
    # Five of ten belong to one of the four experiments.
    assert len(set(pickles)) == 400 * 5 + 4 * 5


def test_a_tree_changes_in_a_few_files_from_commit_to_commit() -> None:
    first = {f"package/module_{n}.py": b"import os\n" * (n + 1) for n in range(40)}
    before = first
    added = removed = 0
    for tree in list(sources.versions(first, 7, 60))[1:]:
        paths = before.keys() | tree.keys()
        differing = {path for path in paths if before.get(path) != tree.get(path)}
        assert len(differing) <= 6 + 1 + 1 + 2
        added += len(tree.keys() - before.keys())
        removed += len(before.keys() - tree.keys())
        before = tree
    assert added > removed > 0
    again = list(sources.versions(first, 7, 60))
    assert again[-1] == before and again[0] == first


def test_the_tree_of_an_installed_package_is_read_without_importing_it() -> None:
    tree = sources.tree_of("hypothesis", 5)
    assert len(tree) == 5
    assert all(path.startswith("hypothesis/") and path.endswith(".py") for path in tree)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        sources.tree_of("no_such_package")


def test_given_versions_are_found_in_every_layout(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "flat").mkdir(exist_ok=True)
        (tmp_path / "flat" / f"v{number:02d}.csv").write_text("a")
        (tmp_path / "forms" / "csv").mkdir(exist_ok=True, parents=True)
        (tmp_path / "forms" / "csv" / f"v{number:02d}").write_text("a")
        folder = tmp_path / "folders" / "csv" / f"v{number:02d}"
        folder.mkdir(parents=True)
        (folder / "table.csv").write_text("a")
    (tmp_path / "flat" / "facts.json").write_text("{}")
    assert [path.name for path in find(tmp_path / "flat", "csv")] == [
        "v00.csv",
        "v01.csv",
        "v02.csv",
    ]
    assert [path.name for path in find(tmp_path / "forms", "csv")] == ["v00", "v01", "v02"]
    assert [path.name for path in find(tmp_path / "folders", "csv")] == ["table.csv"] * 3
    assert list(given_versions(tmp_path / "flat", ["pkl", "csv"]).forms) == ["csv"]


@pytest.mark.parametrize("names", [[], ["v01.pkl"], ["v00.pkl", "v02.pkl"], ["x.pkl"]])
def test_a_folder_without_versions_is_told_as_such(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BenchmarkError, match=r"holds no versions|not numbered"):
        given_versions(tmp_path, ["pkl"])


@pytest.mark.parametrize("archived", [True, False])
def test_runs_are_added_to_a_history_as_if_all_had_been_made_at_once(
    archived: bool, tmp_path: Path
) -> None:
    history.Maker(tmp_path / "both", seed=7).add(6, archived=archived)
    history.Maker(tmp_path / "both", seed=7).add(5, archived=False)
    history.Maker(tmp_path / "once", seed=7).add(11, archived=archived)
    both, once = (Repository.open(tmp_path / name) for name in ("both", "once"))
    assert history.count_of(tmp_path / "both") == 11
    assert both.state.number == once.state.number == 22
    for number in range(11):
        found = [repository.state.find(*history.flow_of(number)) for repository in (both, once)]
        assert found[0] is not None and found[1] is not None
        assert found[0].opening == found[1].opening
        assert found[0].status == found[1].status == history.status_of(number)
        opening = both.opening(found[0])
        assert opening.created == history.started_of(number)
        assert len(opening.parameters) == 10
    assert history.values_of(3, 7) == history.values_of(3, 7) != history.values_of(3, 8)
