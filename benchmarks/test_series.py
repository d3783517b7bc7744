"""Versions in turn: what is paired with what, and what becomes of an engine that cannot go on."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as Python does for a script of this folder

import storage
from engines.base import check_files
from goals import Goal, at_most, of_pairs, times
from goals import table as goals_table
from harness import BenchmarkError, Sample
from outcome import Outcome, as_json, put_between, series_table, tell
from series import Series, measure_series, ratios, reason
from suite import choose


class Fake:
    """Keeps copies, at a price that is told; fails where it is asked to."""

    def __init__(
        self, name: str, price: float = 1.0, fails: str = "", log: list[str] | None = None
    ):
        self.name = name
        self._price, self._fails, self._log = price, fails, log if log is not None else []

    def version(self) -> str:
        if self._fails == "version":
            raise BenchmarkError(f"no `{self.name}` on the PATH", hint="install it")
        return "1.0"

    def begin(self, place: Path) -> None:
        place.mkdir(parents=True)

    def store(self, place: Path, source: Path, number: int) -> Sample:
        if self._fails == f"store {number}":
            raise BenchmarkError("`it` failed with status 1:\n  | much ado\n  | no | space")
        self._log.append(f"{self.name}{number}")
        (place / str(number)).write_bytes(source.read_bytes())
        # Every version costs as much more for all, as on a machine that gets slower.
        return {"wall": self._price * (number + 1), "cpu": self._price, "peak": 1000.0}

    def restore(self, place: Path, source: Path, number: int) -> Sample:
        if self._fails == f"restore {number}":
            raise BenchmarkError("what came back is not what was stored")
        check_files(place / str(number), source)
        self._log.append(f"{self.name}-{number}")
        return {"wall": self._price, "cpu": self._price, "peak": 1000.0}

    def kept(self, place: Path) -> Path:
        return place


def series_of(
    folder: Path, *engines: Fake, count: int = 3, patience: float = 60.0, title: str = "things"
) -> Series:
    versions = []
    for number in range(count):
        versions.append(folder / f"v{number:02d}")
        versions[-1].write_bytes(b"x" * (100 + number))
    return measure_series(
        title, engines, versions, folder / "scratch", patience=patience, say=lambda line: None
    )


def test_every_engine_stores_a_version_before_any_stores_the_next(tmp_path: Path) -> None:
    log: list[str] = []
    series_of(tmp_path, Fake("a", log=log), Fake("b", log=log), count=2)
    assert log == ["a0", "b0", "a1", "b1", "a-0", "b-0", "a-1", "b-1"]


def test_ratios_are_those_of_the_same_version(tmp_path: Path) -> None:
    series = series_of(tmp_path, Fake("a"), Fake("b", price=3.0))
    record = series.of("b")
    assert record is not None
    assert ratios(record, series.baseline, "further", "wall") == [3.0, 3.0]
    assert ratios(record, series.baseline, "first", "wall") == [3.0]
    assert ratios(record, series.baseline, "restores", "cpu") == [3.0] * 3
    assert [sample["stored"] for sample in record.stores] == [100, 201, 303]


@pytest.mark.parametrize(
    ("fails", "stored", "restored", "why"),
    [
        ("version", 0, 0, "no `b` on the PATH hint: install it"),
        ("store 0", 0, 0, "no / space"),
        ("store 2", 2, 0, "no / space"),
        ("restore 1", 3, 1, "what came back is not what was stored"),
    ],
)
def test_a_peer_that_fails_is_told_with_its_reason_and_the_others_go_on(
    tmp_path: Path, fails: str, stored: int, restored: int, why: str
) -> None:
    series = series_of(tmp_path, Fake("a"), Fake("b", fails=fails), Fake("c"))
    one, failed, other = series.records
    assert (len(failed.stores), len(failed.restores), failed.ended) == (stored, restored, why)
    assert [len(one.restores), len(other.restores)] == [3, 3]
    assert why in series_table(series).splitlines()[3]


@pytest.mark.parametrize("fails", ["version", "store 1", "restore 0"])
def test_without_a_baseline_there_is_nothing_to_compare(tmp_path: Path, fails: str) -> None:
    with pytest.raises(BenchmarkError, match="a, the baseline, failed"):
        series_of(tmp_path, Fake("a", fails=fails), Fake("b"))


def test_a_slow_peer_stops_when_it_has_five_pairs_and_the_baseline_does_not(
    tmp_path: Path,
) -> None:
    series = series_of(tmp_path, Fake("a"), Fake("b"), count=10, patience=-1.0)
    own, peer = series.records
    assert (len(own.stores), len(own.restores)) == (10, 10)
    assert (len(peer.stores), len(peer.restores)) == (6, 5)
    assert len(ratios(peer, own, "further", "wall")) == 5
    table = series_table(series)
    assert "6 stored, 5 restored: slow, stopped after 6 of 10 versions" in table
    # Held against what the baseline had stored by then.
    assert "615 B · 1× | 6 |" in table


def test_the_reason_of_a_failure_is_its_last_line() -> None:
    long = BenchmarkError("`" + "x" * 500 + "` failed:\n  | Traceback\n  | OSError: full")
    assert reason(long) == "OSError: full"
    assert len(reason(BenchmarkError("y" * 500))) == 300


def test_goals_need_five_pairs(tmp_path: Path) -> None:
    few = series_of(tmp_path, Fake("a"), Fake("b", price=2.0), count=3)
    assert times("twice", few, "b", "further", "wall", at_least=1.5).met is None
    (tmp_path / "more").mkdir()
    many = series_of(tmp_path / "more", Fake("a"), Fake("b", price=2.0), count=6)
    assert times("twice", many, "b", "further", "wall", at_least=1.5) == Goal(
        "twice", "2.00× of 5 pairs", True
    )
    assert times("thrice", many, "b", "further", "wall", at_least=3.0).met is False
    assert times("of c", many, "c", "further", "wall", at_least=3.0).met is None
    assert of_pairs("at most", [1.0, 1.0, 1.0, 2.0, 2.0], at_most=1.0).met is True
    assert at_most("bytes", 101, 100).met is False
    assert "| bytes | 101 B | **not met** |" in goals_table([at_most("bytes", 101, 100)])


def test_the_baseline_takes_part_whatever_engines_are_named() -> None:
    engines = [Fake("a"), Fake("b"), Fake("c")]
    assert [one.name for one in choose(engines, "c")] == ["a", "c"]
    assert choose(engines, None) == engines


def test_a_report_has_samples_plot_and_tables_in_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    series = series_of(tmp_path, Fake("a"), Fake("b"))
    outcome = Outcome("things", "Three things.", [series], goals=[Goal("much", "little", False)])
    folder = tmp_path / "report"
    folder.mkdir()
    page = folder / "README.md"
    page.write_text("Before.\n<!-- things: begin -->\nold\n<!-- things: end -->\nAfter.\n")
    for _ in range(2):
        tell(outcome, argparse.Namespace(json=False, report=folder))
    text = page.read_text("utf-8")
    assert text.startswith("Before.\n<!-- things: begin -->\n![") and text.endswith(
        "end -->\nAfter.\n"
    )
    assert text.count("| much | little | **not met** |") == 1 and "old" not in text
    samples = json.loads((folder / "things.json").read_text("utf-8"))
    assert samples["series"][0]["records"][1]["stores"][2]["wall"] == 3.0
    plot = (folder / "things.svg").read_bytes()
    tell(outcome, argparse.Namespace(json=True, report=folder))
    assert (folder / "things.svg").read_bytes() == plot
    assert json.loads(capsys.readouterr().out.rpartition("little | **not met** |\n")[2])["goals"]


def test_goals_are_told_at_their_own_scale_only() -> None:
    outcome = Outcome("things", "One thing.", goals=[Goal("much", "little", False)], full=False)
    assert json.loads(as_json(outcome))["goals"] == []


@pytest.mark.parametrize("text", ["", "<!-- a: end -->\n<!-- a: begin -->\n", "<!-- a: begin -->"])
def test_a_page_without_a_place_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(text)
    with pytest.raises(BenchmarkError, match="no place for a"):
        put_between(page, "a", "new")
    assert page.read_text() == text


def test_the_rounds_of_the_array_pair_every_action(tmp_path: Path) -> None:
    source = tmp_path / "array.pkl"
    source.write_bytes(b"x" * 1000)
    engines = [Fake("mfv"), Fake("b", price=2.0), Fake("c", fails="restore 0")]
    found, versions, failed = storage.measure_rounds(
        engines, tmp_path, source, 5, 60.0, warm_up=True
    )
    assert {action: list(by_name) for action, by_name in found.items()} == {
        storage.NEW: ["mfv", "b"],
        storage.UNCHANGED: ["mfv", "b"],
        storage.LOAD: ["mfv", "b"],
    }
    assert {len(samples) for by_name in found.values() for samples in by_name.values()} == {5}
    assert failed == {"c": "what came back is not what was stored"}
    assert set(versions) == {"mfv", "b"}


@pytest.mark.parametrize(
    "command",
    [
        ["storage.py", "--quick", "--engines", "pickle.dump + fsync"],
        ["snapshots.py", "--quick", "--engines", "git", "--package", "hypothesis"],
        ["monorepo.py", "--quick"],
    ],
    ids=["storage", "snapshots", "monorepo"],
)
def test_a_script_shows_in_seconds_that_it_works(command: list[str], tmp_path: Path) -> None:
    script = Path(__file__).with_name(command[0])
    done = subprocess.run(
        [sys.executable, str(script), *command[1:], "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["machine"] and found["versions"]["mfv"]
