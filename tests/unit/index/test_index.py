"""The index says what the log says: built at once or bit by bit, damaged, killed, shared."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from histories import Made, fast_repository, make, random_run

from mfv.index import filling, schema
from mfv.index.index import Index
from mfv.index.opening import FOLDER, current, open_index, rebuild
from mfv.maintain import logarchive
from mfv.repo.archive import key_of
from mfv.repo.names import RunState, State
from mfv.repo.repository import Repository


def record(folder: Path, runs: int, seed: str = "runs") -> list[object]:
    """Adds random runs; those that are open stay so while the result is kept."""
    repository = fast_repository(folder)
    choose = random.Random(seed)
    return [make(repository, random_run(choose)) for _ in range(runs)]


def opened(folder: Path) -> Index:
    index = open_index(Repository.open(folder))
    assert index is not None
    return index


def fold(folder: Path) -> list[RunState]:
    """What the log itself adds up to."""
    return list(State.__iter__(Repository.open(folder).state))


def tables(index: Index) -> dict[str, list[tuple[object, ...]]]:
    """All that is in an index, whatever order it came in."""
    names = ("states", "tags", "fields", "types")
    found = {name: sorted(index.rows(f"SELECT * FROM {name}"), key=repr) for name in names}
    # Numbers of words and of sets of steps are given in the order of coming.
    named = [
        f"(SELECT text FROM words WHERE id = {one}) AS {one}_"
        for one in ("user", "host", "commit_id", "branch", "failed_step", "failure")
    ]
    steps = "(SELECT steps FROM step_sets WHERE id = step_set)"
    own = "seq, flow, number, status, started, removed, ended"
    columns = sorted(index.catalog().columns.values())
    sql = f"SELECT {', '.join([own, *named, steps, *columns])} FROM runs"
    return {**found, "runs": sorted(index.rows(sql), key=repr)}


def assert_true(folder: Path) -> None:
    """The index, caught up, is what a new one would be, and lists what the log does."""
    index = opened(folder)
    assert list(index.select()) == fold(folder)
    assert tables(index) == tables(rebuild(Repository.open(folder)))


def test_a_new_index_lists_what_the_log_lists(tmp_path: Path) -> None:
    kept = record(tmp_path / ".mfv", 30)
    assert_true(tmp_path / ".mfv")
    assert len(opened(tmp_path / ".mfv")) == len(kept)


def test_caught_up_after_every_few_runs_it_is_as_if_built_at_once(tmp_path: Path) -> None:
    folder, kept = tmp_path / ".mfv", []
    for number in range(6):
        kept.append(record(folder, number + 1, seed=f"runs {number}"))
        opened(folder)
    assert_true(folder)


def test_runs_that_change_at_last_are_changed_in_it(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    repository = fast_repository(folder)
    run = make(repository, Made("TrainFlow", {"lr": 1}, {}, status=None))
    assert [one.status for one in opened(folder).select()] == ["open"]
    run.seal("failed", ended=5)
    state = repository.state.find("TrainFlow", 1)
    assert state is not None
    repository.tag(add=[(state, "prod")])
    assert [(one.status, one.tags) for one in opened(folder).select()] == [("failed", ["prod"])]
    repository.tag(remove=[(state, "prod")])
    assert_true(folder)
    assert opened(folder).rows("SELECT * FROM tags") == []


def test_an_index_follows_the_log_into_its_archives(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    kept = [record(folder, 12)]
    opened(folder)
    kept.append(record(folder, 12, seed="more"))
    logarchive.run(Repository.open(folder))
    assert_true(folder)


def test_many_runs_are_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = record(tmp_path / ".mfv", 25)
    monkeypatch.setattr(filling, "_AT_ONCE", 3)
    assert_true(tmp_path / ".mfv")
    assert kept


def test_names_beyond_the_columns_are_known_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mfv.index.rows.MOST_COLUMNS", 2)
    monkeypatch.setattr(schema, "MOST_COLUMNS", 2)
    folder = tmp_path / ".mfv"
    make(fast_repository(folder), Made("F", {"a": 1, "b": 2, "c": "x"}, {}))
    catalog = opened(folder).catalog()
    assert set(catalog.types) == {"params.a", "params.b", "params.c"}
    assert set(catalog.columns) == {"params.a", "params.b"}
    assert catalog.types["params.c"] == {"text"}


def file_of(folder: Path) -> Path:
    path = current(str(folder))
    assert path is not None
    return Path(path)


def scribble(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def garbage_behind_the_first_page(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + random.Random(1).randbytes(len(data) - 4096))


def a_bit_of_a_state(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        sql = "SELECT seq, state FROM states WHERE seq = (SELECT max(seq) FROM states)"
        seq, state = connection.execute(sql).fetchone()
        flipped = bytes([*state[:12], state[12] ^ 1, *state[13:]])
        connection.execute("UPDATE states SET state = ? WHERE seq = ?", (flipped, seq))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 99 WHERE name = 'version'")


def of_another_repository(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = x'00' WHERE name = 'repository'")


def ahead_of_the_log(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 999999 WHERE name = 'number'")


def of_another_past(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = zeroblob(32) WHERE name = 'head'")


def without_a_table(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE meta")


def gone(path: Path) -> None:
    path.unlink()


def point_nowhere(path: Path) -> None:
    (path.parent / "current").write_text("0123456789ab.sqlite")


def point_out(path: Path) -> None:
    (path.parent / "current").write_text("../../config.toml")


def no_pointer(path: Path) -> None:
    (path.parent / "current").write_bytes(b"\xff\x00")


@pytest.mark.parametrize(
    "spoil",
    [
        *(scribble, cut_short, garbage_behind_the_first_page, a_bit_of_a_state, empty),
        *(of_another_version, of_another_repository),
        *(ahead_of_the_log, of_another_past, without_a_table),
        *(gone, point_nowhere, point_out, no_pointer),
    ],
)
def test_an_index_that_cannot_be_trusted_is_made_anew(tmp_path: Path, spoil: object) -> None:
    folder = tmp_path / ".mfv"
    kept = record(folder, 20)
    opened(folder).close()
    spoil(file_of(folder))  # type: ignore[operator]
    assert list(opened(folder).select()) == fold(folder)
    assert_true(folder)
    assert kept


def test_damage_that_shows_only_when_a_page_is_read_costs_one_answer_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / ".mfv"
    kept = record(folder, 60)
    index = opened(folder)
    ((page,),) = index.rows("SELECT rootpage FROM sqlite_master WHERE name = 'states'")
    index.close()
    with (file_of(folder)).open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(os.urandom(4096))
    assert list(opened(folder).select()) == fold(folder)
    assert_true(folder)
    assert kept


def test_where_there_can_be_none_nothing_is_said(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    kept = record(folder, 3)
    opened(folder).close()
    shutil.rmtree(folder / FOLDER)
    (folder / FOLDER).write_text("in the way")
    assert open_index(Repository.open(folder)) is None
    assert kept


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_it_is_used_while_it_is_up_to_date(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    kept = [record(folder, 5)]
    opened(folder).close()
    (folder / FOLDER).chmod(0o500)
    file_of(folder).chmod(0o400)
    try:
        assert len(list(opened(folder).select())) == 5
        kept.append(record(folder, 1))
        assert open_index(Repository.open(folder)) is None
    finally:
        (folder / FOLDER).chmod(0o700)
    assert kept


def test_a_damaged_log_is_for_the_log_itself_to_tell_of(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    kept = record(folder, 5)
    entry = folder / key_of(4)
    data = bytearray(entry.read_bytes())
    data[20] ^= 1
    entry.chmod(0o600)
    entry.write_bytes(data)
    assert open_index(Repository.open(folder)) is None
    assert kept


def test_a_run_whose_record_is_damaged_stands_in_it_without_values(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    make(fast_repository(folder), Made("F", {"a": 1}, {"b": 2}))
    for pack in (folder / "packs").rglob("*.pack"):
        pack.chmod(0o600)
        pack.unlink()
    index = opened(folder)
    assert [run.name for run in index.select()] == ["F/1"]
    assert index.catalog().types == {}


ASK = """
import sys
from mfv.index.opening import open_index, rebuild
from mfv.repo.repository import Repository
repository = Repository.open(sys.argv[1])
if sys.argv[2] == "rebuild":
    rebuild(repository)
index = open_index(repository)
print(sum(1 for _ in index.select()), index.count())
"""


def ask(folder: Path, how: str = "open") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", ASK, str(folder), how]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_several_processes_make_it_and_catch_it_up_at_once(tmp_path: Path) -> None:
    folder = tmp_path / ".mfv"
    kept = [record(folder, 40)]
    for number in range(3):
        asked = [ask(folder, how) for how in ("open", "open", "rebuild", "open")]
        for process in asked:
            out, err = process.communicate(timeout=60)
            assert (out.split(), err) == ([str(40 + 10 * number)] * 2, "")
        kept.append(record(folder, 10, seed=f"more {number}"))
    assert_true(folder)


@pytest.mark.parametrize("how", ["open", "rebuild"])
def test_killed_at_any_moment_it_leaves_what_the_next_one_uses(tmp_path: Path, how: str) -> None:
    folder = tmp_path / ".mfv"
    kept = [record(folder, 60)]
    begun = time.monotonic()
    ask(folder, how).communicate(timeout=60)
    lasts = time.monotonic() - begun
    moments = random.Random("moments")
    for number in range(6):
        kept.append(record(folder, 5, seed=f"more {number}"))
        process = ask(folder, how)
        time.sleep(lasts * moments.uniform(0.4, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert list(opened(folder).select()) == fold(folder)
    assert_true(folder)
    for left in (folder / FOLDER).iterdir():
        os.utime(left, (1, 1))  # long ago
    rebuild(Repository.open(folder)).close()
    assert {one.name for one in (folder / FOLDER).iterdir()} == {"current", file_of(folder).name}
