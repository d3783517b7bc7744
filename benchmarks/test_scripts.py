"""The parts of the single benchmarks that their figures rest on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as Python does for a script of this folder

import bigfile
import bitflips
import checkpoints
import cores
import history
import small
import snapshots
import table
from engines.base import PROGRAMS
from engines.histories import Mfv as MfvHistory
from engines.libraries import Mfv
from engines.questions import QUESTIONS
from harness import BenchmarkError, Comparison
from mfv_command import mfv_version
from series import Record, Series
from versions import Versions


def record(name: str, walls: list[float], stored: float) -> Record:
    samples = [{"wall": w, "cpu": w, "peak": 1e6, "stored": stored, "files": 3} for w in walls]
    return Record(name, "1.0", samples, samples)


def test_a_tree_is_brought_to_a_version_without_touching_what_is_the_same(tmp_path: Path) -> None:
    work, version = tmp_path / "work", tmp_path / "version"
    old = {"flow.py": b"1", "kept/one.py": b"2", "gone/two.py": b"3", "changed.py": b"4"}
    new = {"flow.py": b"1", "kept/one.py": b"2", "new/three.py": b"", "changed.py": b"44"}
    snapshots.write_tree(work, old)
    snapshots.write_tree(version, new)
    before = {name: (work / name).stat().st_mtime_ns for name in old}
    snapshots.update(work, version)
    assert {name: (work / name).read_bytes() for name in snapshots.files_of(work)} == new
    assert not (work / "gone").exists()
    for name in ("flow.py", "kept/one.py"):
        assert (work / name).stat().st_mtime_ns == before[name]


def test_the_versions_of_a_tree_always_have_the_script_of_their_run(tmp_path: Path) -> None:
    paths, _, files = snapshots.write_versions(tmp_path, "hypothesis", 10, seed=3, count=20)
    assert len(paths) == 20 and files == 11
    assert all((path / "flow.py").read_text() == "import hypothesis\n" for path in paths)


@pytest.mark.parametrize("hasher", [["b3sum"], None], ids=["b3sum", "python"])
def test_a_file_is_copied_hashed_and_compared(
    hasher: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if hasher is None:
        monkeypatch.setattr(bigfile.shutil, "which", lambda name: None)
    elif bigfile.shutil.which("b3sum") is None:
        pytest.skip("b3sum is not installed")
    command, name = bigfile.choose_hasher()
    assert ("one thread" in name) is (hasher is None)
    bigfile.write_file(tmp_path / "file", 2, seed=1)
    assert (tmp_path / "file").stat().st_size == 2 << 20
    found = bigfile.copied(tmp_path / "copies", tmp_path / "file", command)
    assert set(found) == {bigfile.INTO, bigfile.OUT}
    assert not (tmp_path / "copies").exists()


def test_a_file_goes_into_mfv_and_out_of_it(tmp_path: Path) -> None:
    bigfile.write_file(tmp_path / "file", 2, seed=1)
    found = bigfile.stored(tmp_path / "place", tmp_path / "file")
    samples = {action: {"base": [one] * 5, "mfv": [one] * 5} for action, one in found.items()}
    goals = bigfile.goals(samples, "base")
    assert [goal.met for goal in goals] == [True] * 4


def test_small_runs_are_written_and_read_back_by_mfv(tmp_path: Path) -> None:
    total = small.write_pickles(tmp_path / "pickles", tmp_path / "runs", 3, seed=1)
    library = small.Library("mfv", "mfv")
    row = small.written(library, tmp_path / "place", tmp_path / "runs", 3)
    assert total > 3 * small.records.ARTIFACTS * 50
    assert 0 < row["read"] < row["wall"] and row["files"] >= 3
    rows = {"mfv": {**row, "files a run": row["files"] / 3}}
    missing = {"mfv, fast": "no setting", "mfv, repacked": "no `gc --repack`"}
    unknown = [goal.met is None for goal in small.goals(rows, missing)]
    assert unknown == [False, True, False, True, False, True]
    assert "| mfv, fast | no setting |" in small.as_table(rows, missing, 3)


def test_git_gets_every_pickle_as_an_object(tmp_path: Path) -> None:
    small.write_pickles(tmp_path / "pickles", tmp_path / "runs", 3, seed=1)
    assert small.git_objects(tmp_path / "git", tmp_path / "pickles")["files"] == 3 * 5 + 5


def test_a_second_core_must_bring_half_as_much_again() -> None:
    samples = {cores.TWO: [{"wall": 1.0}] * 5, cores.ONE: [{"wall": 1.6}] * 5}
    assert cores.goal(Comparison("it", samples)).met is True
    samples[cores.ONE] = [{"wall": 1.4}] * 5
    assert cores.goal(Comparison("it", samples)).met is False


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_a_timed_part_is_kept_to_as_many_cores_as_its_engine_says(tmp_path: Path) -> None:
    program = (
        "import os, clock, pathlib\n"
        "with clock.measured(pathlib.Path('report')): print(len(os.sched_getaffinity(0)))"
    )
    for limit in range(1, len(os.sched_getaffinity(0)) + 1):
        variables = Mfv(cores=limit).variables(tmp_path)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(PROGRAMS), **variables},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(done.stdout) == limit
    assert Mfv().variables(tmp_path) == {}


def test_what_a_checkpoint_may_take_follows_from_what_is_distinct_in_it() -> None:
    own, peers = record("mfv", [1.0] * 6, 80e6), ["hf_xet", "restic", "borg (zstd 3)"]
    series = Series("it", [100_000_000], [own, *(record(p, [2.0] * 6, 9e7) for p in peers)])
    facts = {"pkl distinct bytes": 100_000_000, "bf16 distinct bytes": 100_000_000}
    goals = checkpoints.goals({"float32": series, "bf16": series}, Versions({}, facts))
    assert [goal.met for goal in goals] == [True, True, False, False, False, False, True, False]
    assert checkpoints.stored_limit(series, Versions({}, {}))[0] == pytest.approx(
        100e6 * 375 / 1976
    )


def test_what_a_table_may_take_follows_from_its_size() -> None:
    own, restic = record("mfv", [1.0] * 6, 5e6), record("restic", [0.3] * 6, 9e6)
    series = Series("it", [100_000_000], [own, restic])
    goals = table.goals({"object": series, "parquet": series})
    assert [(goal.measured, goal.met) for goal in goals] == [
        ("5 MB", True),
        ("0.30× of 5 pairs", False),
        ("3.33× of 6 pairs", False),
    ]


def test_the_mfv_that_is_measured_has_a_version() -> None:
    assert mfv_version()[0].isdigit()


def test_a_history_is_asked_caught_up_with_and_indexed_anew(tmp_path: Path) -> None:
    class Forgetful(MfvHistory):
        """Answers with the runs but the first."""

        name = "forgetful"

        def answer(self, place: Path, question: str, number: int) -> list[int]:
            return super().answer(place, question, number)[1:]

    options = history.parser().parse_args(["--quick"])
    measured = history.Measured(200)
    history.measure(measured, tmp_path, [Forgetful()], options)
    assert set(measured.found) == {*QUESTIONS, history.CAUGHT_UP, history.REBUILT}
    assert measured.failed == {
        "forgetful": "forgetful gives a wrong answer to: the newest 20"  # and is not asked again
    }
    assert list(measured.found["newest"].samples) == ["mfv", history.NOTHING]
    assert all(goal.met is not None for goal in history.goals(measured))
    assert "| forgetful | forgetful gives a wrong answer" in history.as_table(measured)
    assert "| 200 runs |" in history.upkeep_table([measured], 50)
    assert history.count_of(tmp_path / "mfv" / ".mfv") == 250


def test_a_given_history_is_measured_in_a_copy(tmp_path: Path) -> None:
    given = tmp_path / "given" / ".mfv"
    MfvHistory().fill(given.parent, 30, seed=1)
    before = sorted(path.relative_to(given) for path in given.rglob("*"))
    options = history.parser().parse_args(["--rounds", "1", "--engines", "mfv"])
    options.repository = given
    assert history.sizes_of(options) == [30]
    ((measured,), versions) = history.measure_all(tmp_path / "scratch", options)
    assert measured.runs == 30 and list(versions) == ["mfv"]
    assert sorted(path.relative_to(given) for path in given.rglob("*")) == before


def test_a_history_that_mfv_answers_wrongly_is_an_error(tmp_path: Path) -> None:
    MfvHistory().fill(tmp_path, 30, seed=1)
    with pytest.raises(BenchmarkError, match="wrong answer to: the newest 20"):
        history.check(MfvHistory(), tmp_path, "newest", 31, seed=1)


def test_what_was_harmed_is_wrong_only_where_nobody_said_so() -> None:
    whole = {"runs": "1 2", "1 tags": "a", "1/start/x": "v"}
    wrong = {**whole, "1/start/x": "w"}
    assert list(bitflips.wrong_parts(whole, whole)) == []
    assert list(bitflips.wrong_parts(whole, wrong)) == ["1/start/x"]
    assert list(bitflips.wrong_parts(whole, {**whole, "1/start/x": bitflips.REFUSED})) == []
    less = {"runs": "2", "1 tags": ""}
    assert set(bitflips.wrong_parts(whole, less)) == set(whole)
    warned = {bitflips.WARNED: bitflips.REFUSED}
    assert list(bitflips.wrong_parts(whole, {**less, **warned})) == []
    assert list(bitflips.wrong_parts(whole, {**wrong, **warned})) == ["1/start/x"]


def test_flips_change_one_bit_and_swaps_two_files_of_a_kind() -> None:
    files = {"log/1": b"one", "log/2": b"two", "tip": b"tip"}
    for harm in bitflips.draw_flips(files, 20, random.Random(1)):
        ((name, data),) = harm.changes.items()
        pairs = zip(data, files[name], strict=True)
        assert sum((one ^ other).bit_count() for one, other in pairs) == 1
    (swap,) = bitflips.draw_swaps(files, 5, random.Random(1))
    assert swap.changes == {"log/1": b"two", "log/2": b"one"}
