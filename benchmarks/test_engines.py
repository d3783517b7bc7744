"""Every engine gives back what it was given, and one that does not is found out."""

from __future__ import annotations

import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as Python does for a script of this folder

from engines.base import Engine, size_of
from engines.commands import Borg, Copies, Dvc, Git, Restic
from engines.equal import same, same_files
from engines.libraries import HfXet, Metaflow, Mfv, Plain
from harness import BenchmarkError
from peers import CACHE


def made(name: str) -> bool:
    """Whether a peer's environment is there: tests do not make one."""
    return any(CACHE.glob(f"{name}-*/ready"))


def engine(
    make: Callable[[], Engine], name: str, there: bool = True
) -> object:  # of pytest.param, which has no public type
    return pytest.param(make, id=name, marks=pytest.mark.skipif(not there, reason="not installed"))


BY_OBJECT = [
    engine(Mfv, "mfv"),
    engine(lambda: Plain("pickle"), "pickle"),
    engine(lambda: Plain("joblib-0"), "joblib"),
    engine(Metaflow, "Metaflow", made("metaflow")),
]
BY_FILE = [
    engine(lambda: Mfv("file"), "mfv"),
    engine(Copies, "copies"),
    engine(Restic, "restic", shutil.which("restic") is not None),
    engine(Borg, "borg", shutil.which("borg") is not None),
    engine(Dvc, "DVC", made("dvc")),
    engine(HfXet, "hf_xet", made("hf_xet")),
]
BY_TREE = [
    engine(lambda: Mfv("tree"), "mfv"),
    engine(Git, "git", shutil.which("git") is not None),
    engine(Restic, "restic", shutil.which("restic") is not None),
    engine(Borg, "borg", shutil.which("borg") is not None),
]


@pytest.mark.parametrize("make", [*BY_OBJECT, *BY_FILE])
def test_an_engine_gives_back_every_version(make: Callable[[], Engine], tmp_path: Path) -> None:
    contender = make()
    assert contender.version()
    contender.begin(tmp_path / "place")
    sources = []
    for number in range(2):
        source = tmp_path / f"v{number:02d}.pkl"
        value = {"weights": np.arange(50_000) + number, "names": ["a", "b"]}
        source.write_bytes(pickle.dumps(value, 5))
        sources.append(source)
        cost = contender.store(tmp_path / "place", source, number)
        assert set(cost) == {"wall", "cpu", "peak"} and cost["peak"] > 1_000_000
        assert size_of(contender.kept(tmp_path / "place"))["stored"] > 1000
    for number, source in enumerate(sources):
        assert contender.restore(tmp_path / "place", source, number)["wall"] > 0


@pytest.mark.parametrize("make", [*BY_OBJECT, *BY_FILE])
def test_an_engine_that_gave_back_something_else_is_found_out(
    make: Callable[[], Engine], tmp_path: Path
) -> None:
    contender = make()
    contender.begin(tmp_path / "place")
    source = tmp_path / "v00.pkl"
    source.write_bytes(pickle.dumps({"weights": np.arange(50_000)}, 5))
    contender.store(tmp_path / "place", source, 0)
    source.write_bytes(pickle.dumps({"weights": np.arange(50_000) + 1}, 5))
    with pytest.raises(BenchmarkError, match="not what was stored"):
        contender.restore(tmp_path / "place", source, 0)


@pytest.mark.parametrize("make", BY_TREE)
def test_an_engine_gives_back_every_tree(make: Callable[[], Engine], tmp_path: Path) -> None:
    contender = make()
    contender.begin(tmp_path / "place")
    work = tmp_path / "tree"
    (work / "package").mkdir(parents=True)
    (work / "flow.py").write_text("import package\n")
    kept = []
    for number in range(2):
        (work / "package" / "module.py").write_text(f"NUMBER = {number}\n")
        (work / "package" / f"added_{number}.py").write_text("")
        contender.store(tmp_path / "place", work, number)
        kept.append(shutil.copytree(work, tmp_path / f"v{number:02d}"))
    for number, source in enumerate(kept):
        assert contender.restore(tmp_path / "place", source, number)["wall"] > 0
    (kept[0] / "package" / "module.py").write_text("NUMBER = 7\n")
    with pytest.raises(BenchmarkError, match="not what was stored"):
        contender.restore(tmp_path / "place", kept[0], 0)


def test_versions_in_mfv_are_runs_of_one_flow_and_later_ones_build_on_earlier(
    tmp_path: Path,
) -> None:
    contender = Mfv()
    contender.begin(tmp_path / "place")
    draw = np.random.default_rng(1)
    frame = pd.DataFrame({"word": draw.choice(["aa", "bb", "cc"], 300_000).astype(object)})
    stored = []
    for number in range(2):
        source = tmp_path / f"v{number:02d}.pkl"
        # Changed in so many places that no chunk of it stays.
        frame.loc[number::500, "word"] = f"new {number}"
        source.write_bytes(pickle.dumps(frame, 5))
        contender.store(tmp_path / "place", source, number)
        stored.append(size_of(contender.kept(tmp_path / "place"))["stored"])
    assert stored[1] - stored[0] < stored[0] / 2


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.array([np.nan, -0.0]), np.array([np.nan, -0.0]), True),
        (np.array([0.0]), np.array([-0.0]), False),
        (np.arange(3), np.arange(3).astype("i4"), False),
        (np.zeros((2, 3)), np.zeros((3, 2)), False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({"a": np.arange(3)}, {"a": np.arange(3)}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (1, 1.0, False),
        (pd.DataFrame({"a": [1.0, None]}), pd.DataFrame({"a": [1.0, None]}), True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}), False),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]}), False),
    ],
)
def test_values_are_the_same_if_their_types_and_bits_are(
    one: object, other: object, equal: bool
) -> None:
    assert same(one, other) is equal


def test_files_and_folders_are_the_same_if_all_their_bytes_are(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_bytes(b"abc")
    assert same_files(tmp_path / "one", tmp_path / "other")
    (tmp_path / "other" / "deep" / "more").write_bytes(b"")
    assert not same_files(tmp_path / "one", tmp_path / "other")
    assert not same_files(tmp_path / "one", tmp_path / "one" / "deep" / "file")
