"""Tags through the repository, artifacts there and back, and what a hostile one may hold."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from making import FLOW, damage, finished, memory_repository, open_run, whole_run

from mfv.errors import (
    ConflictError,
    CorruptError,
    FormatTooNewError,
    MfvError,
    NotFoundError,
    StorageError,
    UsageError,
)
from mfv.ids import RunId
from mfv.manifest.artifact import Artifact
from mfv.manifest.encoding import encode
from mfv.odb.packindex import key_of, list_packs
from mfv.odb.writer import Writer
from mfv.repo.archive import list_entries
from mfv.repo.artifacts import load, store, store_all
from mfv.repo.entries import SealRun
from mfv.repo.names import RunState
from mfv.repo.publish import add_record, publish
from mfv.repo.repository import Repository
from mfv.repo.repository import find as find_repository
from mfv.repo.tags import TAGS_PER_RUN


@pytest.fixture
def repository() -> Repository:
    made = memory_repository()
    for number in range(3):
        whole_run(made, {"x": number})
    return made


def run(repository: Repository, number: int) -> RunState:
    found = repository.state.find(FLOW, number)
    assert found is not None
    return found


def test_tags_go_on_come_off_and_move_in_one_entry(repository: Repository) -> None:
    repository.tag(add=[(run(repository, 1), "best"), (run(repository, 1), "old")])
    before = len(list_entries(repository.backend))
    repository.tag(remove=[(run(repository, 1), "best")], add=[(run(repository, 2), "best")])
    assert len(list_entries(repository.backend)) == before + 1
    assert (run(repository, 1).tags, run(repository, 2).tags) == (["old"], ["best"])


def test_tagging_changes_no_run(repository: Repository) -> None:
    before = [state.run_id for state in repository.state]
    repository.tag(add=[(run(repository, 1), "best")])
    assert [state.run_id for state in repository.state] == before


def test_no_tags_at_all_are_no_entry(repository: Repository) -> None:
    before = list_entries(repository.backend)
    repository.tag()
    assert list_entries(repository.backend) == before


def test_of_several_changes_none_is_made_where_one_cannot_be(repository: Repository) -> None:
    before = list_entries(repository.backend)
    with pytest.raises(NotFoundError, match="does not bear"):
        repository.tag(add=[(run(repository, 1), "a")], remove=[(run(repository, 2), "b")])
    with pytest.raises(UsageError):
        repository.tag(add=[(run(repository, 1), "a"), (run(repository, 2), "-d")])
    with pytest.raises(NotFoundError, match="no run"):
        repository.tag(add=[(RunState(FLOW, 99), "a")])
    assert list_entries(repository.backend) == before


def test_a_run_bears_no_more_tags_than_the_limit(repository: Repository) -> None:
    target = run(repository, 1)
    repository.tag(add=[(target, f"t{i}") for i in range(TAGS_PER_RUN)])
    repository.tag(add=[(target, "t0")])
    with pytest.raises(ConflictError, match=str(TAGS_PER_RUN)):
        repository.tag(add=[(target, "one-more")])
    repository.tag(remove=[(target, "t0")], add=[(run(repository, 2), "one-more")])
    assert len(run(repository, 1).tags) == TAGS_PER_RUN - 1


VALUES: dict[str, Any] = {
    "none": None,
    "flag": True,
    "count": 3,
    "rate": 0.5,
    "nan": float("inf"),
    "big": 1 << 100,
    "word": "text",
    "long": "word " * 1000,
    "odd": "\udc80",
    "bytes": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "empty": b"",
    "list": [1, [2, {"a": (3,)}]],
    "array": numpy.arange(100_000, dtype="f4").reshape(100, 1000),
    "mixed": {"w": numpy.ones(50_000), "name": "m"},
}


def same(one: object, other: object) -> bool:
    if isinstance(one, numpy.ndarray):
        return bool(numpy.array_equal(one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@pytest.mark.parametrize("name", VALUES)
def test_a_stored_value_is_loaded_as_it_was(repository: Repository, name: str) -> None:
    writer = Writer(repository.database)
    artifact = store(writer, name, VALUES[name])
    writer.flush()
    assert same(VALUES[name], load(Repository(repository.backend).database, artifact))
    assert encode(artifact)


def test_equal_values_have_equal_artifact_ids_under_any_name_in_any_run(
    repository: Repository,
) -> None:
    for value in VALUES.values():
        writer = Writer(memory_repository().database)
        one = store(writer, "one", value)
        assert store(Writer(repository.database), "other", value).id == one.id
    ids = {store(Writer(repository.database), "x", value).id for value in VALUES.values()}
    assert len(ids) == len(VALUES)


def test_loaded_arrays_may_be_written_to_and_the_repository_stays(repository: Repository) -> None:
    writer = Writer(repository.database)
    artifact = store(writer, "array", VALUES["array"])
    writer.flush()
    first: Any = load(repository.database, artifact)
    first[:] = 0
    assert same(VALUES["array"], load(repository.database, artifact))


def test_what_cannot_be_stored_is_named_and_the_rest_is_stored(repository: Repository) -> None:
    stored = store_all(
        Writer(repository.database), {"b": 1, "a": lambda: 0, "c": [2], "\udc80": 3j}
    )
    assert [artifact.name for artifact in stored.artifacts][:2] == ["b", "c"]
    assert stored.dropped[0][0] == "a"
    assert "self.a cannot be stored" in stored.dropped[0][1]


def test_a_value_of_a_later_serializer_is_refused_by_its_name(repository: Repository) -> None:
    with pytest.raises(FormatTooNewError, match="arrow9"):
        load(repository.database, Artifact("x", "t", "arrow9"))


@pytest.mark.parametrize("serializer", ["pickle5", "bytes", "text"])
@pytest.mark.parametrize("frames", [0, 2])
def test_a_record_with_frames_that_do_not_fit_is_damage(
    repository: Repository, serializer: str, frames: int
) -> None:
    writer = Writer(repository.database)
    good = store(writer, "x", b"some bytes that are a blob")
    writer.flush()
    hostile = msgspec.structs.replace(good, serializer=serializer, frames=good.frames * frames)
    with pytest.raises(MfvError):
        load(repository.database, hostile)


def test_bytes_that_are_no_text_are_not_loaded_as_text(repository: Repository) -> None:
    writer = Writer(repository.database)
    good = store(writer, "x", b"\xff\xfe")
    writer.flush()
    with pytest.raises(CorruptError, match="text"):
        load(repository.database, msgspec.structs.replace(good, serializer="text"))


def test_a_frame_of_another_size_than_recorded_is_refused(repository: Repository) -> None:
    writer = Writer(repository.database)
    good = store(writer, "x", [1, 2])
    writer.flush()
    wrong = tuple(msgspec.structs.replace(frame, size=frame.size + 1) for frame in good.frames)
    with pytest.raises(CorruptError, match="size"):
        load(repository.database, msgspec.structs.replace(good, frames=wrong))


def test_a_manifest_of_another_run_is_refused(repository: Repository) -> None:
    manifest = repository.manifest(run(repository, 1))
    assert manifest is not None
    recorder = open_run(repository)

    def fill(writer: Writer) -> Any:
        run_id, pack = add_record(writer, RunId, manifest)
        return lambda _, packs: SealRun(
            FLOW, recorder.number, "ok", bytes(run_id), bytes(pack), packs
        )

    publish(repository.database, repository.log, fill)
    with pytest.raises(CorruptError, match="TrainFlow/4 is of TrainFlow/1"):
        repository.manifest(run(repository, 4))


def test_a_damaged_pack_costs_the_runs_that_it_touches_and_never_the_listing(
    repository: Repository,
) -> None:
    recorder = open_run(repository)
    before = set(list_packs(repository.backend))
    recorder.commit([finished(repository.database, recorder, 1, {"y": [1, 2, 3]})])
    recorder.seal("ok", ended=1)
    for pack in set(list_packs(repository.backend)) - before:
        damage(repository.backend, key_of(pack), -1)
    fresh = Repository(repository.backend)
    assert [state.number for state in fresh.state] == [4, 3, 2, 1]
    with pytest.raises(CorruptError):
        fresh.manifest(run(fresh, 4))
    assert fresh.manifest(run(fresh, 3)) is not None


def test_the_limit_of_tags_counts_what_a_run_would_bear_after_the_change() -> None:
    from mfv.repo.tags import TAGS_PER_RUN

    repository = memory_repository()
    whole_run(repository, {"x": 1})
    (run,) = repository.state
    with pytest.raises(ConflictError):
        repository.tag(add=[(run, f"t{number}") for number in range(TAGS_PER_RUN + 1)])
    repository.tag(add=[(run, f"t{number}") for number in range(TAGS_PER_RUN)])
    repository.tag(remove=[(run, "t0")], add=[(run, "other")])
    (run,) = repository.state
    assert len(run.tags) == TAGS_PER_RUN
    assert "other" in run.tags


def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".mfv").mkdir()
    (tmp_path / "below").mkdir()
    plain = os.stat

    def stat(path: object, *rest: object, **options: object) -> os.stat_result:
        if str(path).endswith("below/.mfv"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return plain(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(StorageError, match=r"below/\.mfv: Input/output error"):
        find_repository(tmp_path / "below")
