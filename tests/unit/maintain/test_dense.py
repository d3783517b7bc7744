"""A repack makes dense: bundles of what is small and alike, groups after whatever is similar."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from keeping import (
    NOW,
    add_pack,
    assert_well,
    assert_whole,
    commit,
    count_packs,
    filled,
    maintain,
    open_run_of,
)
from making import FLOW, damage, memory_repository, opening_of

from mfv.errors import CorruptError
from mfv.ids import BlobId, ChunkId, PackId
from mfv.maintain import gc, repack, rewriting, survey
from mfv.maintain.marks import Marks
from mfv.manifest.records import Opening
from mfv.odb import delta, likeness
from mfv.odb.codec import Codec
from mfv.odb.denser import BUNDLE
from mfv.odb.packindex import Location, is_dense, key_of, list_packs, read_index
from mfv.odb.writer import Writer
from mfv.repo.artifacts import load
from mfv.repo.entries import SweepRuns, TrashRuns
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.storage.base import Backend


def records(backend: Backend) -> list[Location]:
    return [
        Location(pack, one) for pack in list_packs(backend) for one in read_index(backend, pack)
    ]


def stored(backend: Backend) -> int:
    return sum(backend.stat(key_of(pack)).size for pack in list_packs(backend))


def settings_of(number: int) -> dict[str, object]:
    """Small values as runs have them: the same names, other numbers."""
    draw = random.Random(number)
    names = ("loss", "accuracy", "precision", "recall", "learning rate", "batch size")
    return {
        "metrics": {f"{part} {name}": draw.random() for part in "ab" for name in names},
        "notes": " ".join(f"epoch {n}: {draw.choice(names)}" for n in range(60)),
    }


def with_small_values(count: int) -> tuple[Backend, list[str]]:
    repository = memory_repository()
    names = []
    for number in range(count):
        run = open_run_of(repository, b"print('the same code')")
        commit(repository, run, {1: settings_of(number)})
        run.seal("ok", ended=1)
        names.append(run.name)
    return repository.backend, names


def lines(number: int, count: int = 9000) -> list[bytes]:
    draw = random.Random(number)
    return [b"%d,%d,%.6f\n" % (n, draw.randrange(10**6), draw.random()) for n in range(count)]


def changed(text: list[bytes], number: int) -> list[bytes]:
    """`text` with a few lines changed, here and there."""
    draw, made = random.Random(number), list(text)
    for place in draw.sample(range(len(text)), 40):
        made[place] = b"changed,%d\n" % draw.randrange(10**9)
    return made


def with_alike(count: int) -> tuple[Backend, list[bytes]]:
    """Runs of which each one's code is like that of the one before, and nobody said so."""
    repository = memory_repository()
    text, texts = lines(1), []
    for number in range(count):
        text = changed(text, number)
        texts.append(b"".join(text))
        open_run_of(repository, texts[-1]).seal("ok", ended=1)
    return repository.backend, texts


def assert_reads(backend: Backend, texts: list[bytes]) -> None:
    database = memory_repository(backend).database
    for text in texts:
        assert database.read_blob(BlobId.of(text)) == text
    assert_well(backend)


def sweep(repository: Repository, numbers: list[int]) -> None:
    runs = tuple((FLOW, number) for number in numbers)
    repository.log.append(lambda _: TrashRuns(runs))
    repository.log.append(lambda _: SweepRuns(runs))


def groups(backend: Backend) -> list[Location]:
    return [one for one in records(backend) if one.record.codec == Codec.GROUP]


def test_small_things_that_are_alike_take_a_fraction() -> None:
    backend, names = with_small_values(60)
    before = stored(backend)
    maintain(backend)
    assert stored(backend) < before / 2
    bundled = [one.record for one in records(backend) if one.record.codec == Codec.BUNDLE]
    assert {one.kind for one in bundled} >= {ChunkId.kind, 19, 20}, "records and values"
    assert all(one.depth == 0 for one in bundled)
    assert all(one.within + one.size <= BUNDLE for one in bundled)
    assert {run.name for run in memory_repository(backend).state} == set(names)
    assert_well(backend)


def test_what_does_not_shrink_is_not_bundled() -> None:
    backend, expected = filled(4)
    maintain(backend)
    noise = [one.record for one in records(backend) if one.record.size == 2000]
    assert noise
    assert all(one.codec == Codec.RAW for one in noise)
    assert_whole(backend, expected)


def test_new_packs_say_that_they_are_dense_and_are_not_rewritten_for_that() -> None:
    backend, _ = with_small_values(8)
    assert not any(is_dense(backend, pack) for pack in list_packs(backend))
    maintain(backend)
    (made,) = list_packs(backend)
    assert is_dense(backend, made)
    assert repack.plan(memory_repository(backend), grace=NOW).sources == ()


def test_bundles_that_are_full_are_copied_as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mfv.odb.denser.BUNDLE", 4096)
    backend, _ = with_small_values(40)
    maintain(backend)
    (first,) = list_packs(backend)
    whole = backend.get(key_of(first))
    before = {
        whole[one.offset :][: one.stored]
        for one in read_index(backend, first)
        if one.codec == Codec.BUNDLE
    }
    filled_here = memory_repository(backend)
    open_run_of(filled_here, b"one more").seal("ok", ended=1)
    maintain(backend)
    (second,) = list_packs(backend)
    after = backend.get(key_of(second))
    kept = [one for one in before if one in after]
    assert len(kept) > len(before) / 2
    assert_well(backend)


def test_small_bundles_are_put_together_again() -> None:
    backend, _ = with_small_values(5)
    for number in range(3):
        repository = memory_repository(backend)
        run = open_run_of(repository, b"print('the same code')")
        commit(repository, run, {1: settings_of(100 + number)})
        run.seal("ok", ended=1)
        maintain(backend)
    of_values = {
        (one.pack, one.record.offset)
        for one in records(backend)
        if one.record.codec == Codec.BUNDLE and one.record.kind == 19
    }
    assert len(of_values) == 1
    assert_well(backend)


def test_a_bundle_of_which_most_is_dead_leaves_that_behind() -> None:
    backend, _ = with_small_values(30)
    maintain(backend)
    before = stored(backend)
    repository = memory_repository(backend)
    gone = [run.number for run in repository.state][:25]
    sweep(repository, gone)
    open_run_of(repository, b"one more").seal("ok", ended=1)
    maintain(backend)
    left = {one.record.id for one in records(backend) if one.record.kind == ChunkId.kind}
    assert len(left) < 20
    assert stored(backend) < before
    assert_well(backend)


def test_chunks_are_written_after_older_ones_that_they_resemble() -> None:
    backend, texts = with_alike(8)
    assert not groups(backend)
    before = stored(backend)
    maintain(backend)
    assert stored(backend) < before / 3
    depths = {one.record.depth for one in groups(backend)}
    assert depths
    assert max(depths) <= delta.MAX_DEPTH
    database = memory_repository(backend).database
    least: dict[bytes, int] = {}
    for one in records(backend):
        record = one.record
        least[record.id] = min(record.depth, least.get(record.id, record.depth))
    for one in groups(backend):
        assert all(least[base] < one.record.depth for base in database.base_of(one))
    assert_reads(backend, texts)


def test_what_others_build_on_stays_as_deep_as_it_is() -> None:
    backend, texts = with_alike(1)
    repository = memory_repository(backend)
    text = b"".join(changed(lines(1), 50))
    open_run_of(repository, text).seal("ok", ended=1)  # like the first, which it does not know
    later = b"".join(changed(changed(lines(1), 50), 51))
    open_run_of(repository, later, text).seal("ok", ended=1)
    bases = {base for one in groups(backend) for base in repository.database.base_of(one)}
    assert bases, "otherwise this tests nothing"
    maintain(backend)
    least = {one.record.id: one.record.depth for one in records(backend)}
    assert all(least[base] == 0 for base in bases)
    assert_reads(backend, [*texts, text, later])


def before_the_entry(repository: Repository, act: Callable[[], object]) -> None:
    """Has `act` done after everything was copied, when the entry is about to be appended."""
    real, done = repository.log.append, []

    def append(build: Callable[..., object], **rest: object) -> object:
        if not done:
            done.append(act())
        return real(build, **rest)  # type: ignore[arg-type]

    repository.log.append = append  # type: ignore[method-assign, assignment]


def test_who_builds_meanwhile_on_what_became_deeper_finds_it_as_it_was() -> None:
    backend, texts = with_alike(4)
    text = b"".join(changed([one + b"\n" for one in texts[-1].split(b"\n")[:-1]], 77))
    repository = memory_repository(backend)

    def commit_another() -> None:
        other = memory_repository(backend)
        open_run_of(other, text, texts[-1]).seal("ok", ended=1)
        built = {base for one in groups(backend) for base in other.database.base_of(one)}
        assert built & set(map(bytes, other.database.chunk_ids(BlobId.of(texts[-1]))))

    before_the_entry(repository, commit_another)
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)
    assert_reads(backend, [*texts, text])


def with_alike_values(count: int) -> tuple[Backend, list[bytes]]:
    """Runs of which each one's value is like that of the one before, and nobody said so."""
    repository = memory_repository()
    text, texts = lines(2), []
    for number in range(count):
        text = changed(text, number)
        texts.append(b"".join(text))
        run = open_run_of(repository, b"print('the same code')")
        commit(repository, run, {1: {"data": texts[-1]}})
        run.seal("ok", ended=1)
    return repository.backend, texts


def values_of(backend: Backend, number: int) -> object:
    repository = memory_repository(backend)
    run = repository.state.find(FLOW, number)
    assert run is not None
    (ref,) = repository.tasks(run)
    return load(repository.database, repository.task(ref).artifacts[0])


def test_marks_that_are_carried_on_know_what_new_groups_build_on() -> None:
    backend, _ = with_alike_values(3)
    repository = memory_repository(backend)
    watching = Marks(memory_repository(backend), [(FLOW, 1)])
    watching.catch_up()
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)
    watching.catch_up()
    fresh = memory_repository(backend).database
    needed = {bytes(base) for one in groups(backend) for base in fresh.base_of(one)}
    assert needed
    assert needed <= watching.objects


def test_what_groups_build_on_outlives_its_run() -> None:
    backend, texts = with_alike_values(5)
    maintain(backend)
    repository = memory_repository(backend)
    sweep(repository, [1, 2])
    gc.run(repository, gc.plan(repository, grace=NOW), grace=NOW)
    maintain(backend)
    assert [values_of(backend, number) for number in (3, 4, 5)] == texts[2:]
    assert_well(backend)


def test_chunks_as_large_as_their_items_are_left_as_they_lie() -> None:
    backend = memory_repository().backend
    data = b"".join(lines(5, 650_000))
    width = 6 << 20
    assert len(data) > 2 * width

    def make(writer: Writer) -> Opening:
        writer.add_blob(data, ("u", width))
        return opening_of(script=data)(writer)

    RunRecorder(memory_repository(backend), make).seal("ok", ended=1)
    large = {one.record.id for one in records(backend) if one.record.size == width}
    assert large
    maintain(backend)
    assert {one.record.codec for one in records(backend) if one.record.id in large} == {Codec.ZSTD}
    assert_reads(backend, [data])


def test_where_loading_is_to_be_fast_all_is_kept_as_it_lies() -> None:
    backend, texts = with_alike(3)
    repository = memory_repository(backend)
    repository.database.fast = True
    before = {one.record.id: one.record.stored for one in records(backend)}
    repack.run(repository, repack.plan(repository, grace=NOW), grace=NOW)
    assert {one.record.id: one.record.stored for one in records(backend)} == before
    assert_reads(backend, texts)


def test_large_packs_that_are_loose_are_rewritten_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SMALL", 1)
    monkeypatch.setattr(repack, "SMALL", 1)
    backend, texts = with_alike(2)
    repository = memory_repository(backend)
    noise = os.urandom(300_000)
    run = RunRecorder(repository, opening_of(script=noise))
    (raw,) = {one.pack for one in records(backend) if one.record.id in _chunks(backend, noise)}
    run.seal("ok", ended=1)
    sources = {PackId(one.pack) for one in repack.plan(repository, grace=NOW).sources}
    assert raw not in sources
    assert {
        one.pack for one in records(backend) if one.record.id in _chunks(backend, texts[0])
    } <= (sources)
    maintain(backend)
    assert repack.plan(memory_repository(backend), grace=NOW).sources == ()
    assert_reads(backend, [*texts, noise])


def _chunks(backend: Backend, blob: bytes) -> set[bytes]:
    return set(map(bytes, memory_repository(backend).database.chunk_ids(BlobId.of(blob))))


def test_a_group_found_damaged_stays_where_it_is_and_all_else_goes_on() -> None:
    repository = memory_repository()
    backend = repository.backend
    older, newer = lines(1), changed(lines(1), 2)
    first, second = b"".join(older), b"".join(newer)
    open_run_of(repository, first).seal("ok", ended=1)
    open_run_of(repository, second, first).seal("ok", ended=1)
    group = groups(backend)[0]
    damage(backend, key_of(group.pack), group.record.offset + group.record.stored - 9)
    done = maintain(backend)
    assert {pack for one in done.damaged for pack in one.packs} == {bytes(group.pack)}
    assert group.pack in set(list_packs(backend))
    assert memory_repository(backend).database.read_blob(BlobId.of(first)) == first


@pytest.fixture
def one_group(monkeypatch: pytest.MonkeyPatch) -> tuple[Backend, Location, bytes]:
    """A group of one chunk, which is a whole blob and the code of a run, and is damaged."""
    monkeypatch.setattr("mfv.odb.writer._OLDER_FROM", 1000)
    backend = memory_repository().backend
    older, text = b"".join(lines(1, 600)), b"".join(changed(lines(1, 600), 2))
    open_run_of(memory_repository(backend), older).seal("ok", ended=1)
    open_run_of(memory_repository(backend), text, older).seal("ok", ended=1)
    (group,) = groups(backend)
    damage(backend, key_of(group.pack), group.record.offset + group.record.stored - 9)
    return backend, group, text


def test_of_a_damaged_group_a_whole_copy_elsewhere_is_kept(
    one_group: tuple[Backend, Location, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, group, text = one_group
    add_pack(backend, text)
    # As if that were the deeper one, so that the damaged copy is the first to be tried.
    monkeypatch.setattr(
        rewriting, "preference", lambda *_: lambda copy: (-copy.record.depth, False, 0.0, copy.pack)
    )
    assert maintain(backend).damaged == ()
    assert group.pack not in set(list_packs(backend))
    assert_reads(backend, [text])


def test_a_group_of_which_no_copy_is_whole_is_told(
    one_group: tuple[Backend, Location, bytes],
) -> None:
    backend, group, _ = one_group
    done = maintain(backend)
    assert [one.object for one in done.damaged] == [group.record.id]
    assert group.pack in set(list_packs(backend))


def test_of_several_copies_one_is_bundled() -> None:
    backend, _ = with_small_values(6)
    small = next(one for one in records(backend) if one.record.kind == ChunkId.kind)
    data = memory_repository(backend).database.read_at(small)
    add_pack(backend, bytes(data))
    maintain(backend)
    there = [(one.record.id, one.record.kind) for one in records(backend)]
    assert len(there) == len(set(there))
    assert count_packs(backend) == 1


def test_likeness_forgets_the_oldest_and_keeps_within_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(likeness, "_REMEMBERED", 60)
    seen = likeness.Likeness()
    texts = [random.Random(number).randbytes(40_000) for number in range(40)]
    for text in texts:
        features = likeness.features_of(memoryview(text))
        seen.learn(likeness.Seen(ChunkId.of(text), len(text), 0), features)
    newest = likeness.features_of(memoryview(texts[-1][:30_000] + b"end"))
    assert ChunkId.of(texts[-1]) in [one.id for one in seen.like(newest)]
    assert seen.like(likeness.features_of(memoryview(texts[0]))) == []
    assert sum(map(len, seen._places)) <= 2 * 60 + 6


def test_what_was_whole_when_it_was_read_is_stored_anew_once_it_is_damaged() -> None:
    backend, _ = with_small_values(6)
    maintain(backend)
    repository = memory_repository(backend)
    bundled = next(
        one
        for one in records(backend)
        if one.record.codec == Codec.BUNDLE and one.record.kind == ChunkId.kind
    )
    data = bytes(repository.database.read_at(bundled))
    for at in range(8, bundled.record.stored):
        damage(backend, key_of(bundled.pack), bundled.record.offset + at)
    run = open_run_of(repository, data)
    run.seal("ok", ended=1)
    assert memory_repository(backend).database.read_blob(BlobId.of(data)) == data


def test_of_a_bundle_of_which_one_object_is_damaged_the_others_move_on() -> None:
    backend = memory_repository().backend
    noise = {name: random.Random(name).randbytes(500) for name in "abcd"}
    text = b"the same words again and again, " * 40
    repository = memory_repository(backend)
    run = open_run_of(repository, b"print('code')")
    commit(repository, run, {n: {"data": text + one} for n, one in enumerate(noise.values(), 1)})
    run.seal("ok", ended=1)
    maintain(backend)
    bundle = next(
        one.record for one in records(backend) if one.record.codec == 5 and one.record.size > 1500
    )
    (pack,) = list_packs(backend)
    members = [one for one in read_index(backend, pack) if one.offset == bundle.offset]
    # Somewhere in its raw literals a byte changes, and nothing but one object with it.
    whole = backend.get(key_of(pack))
    for at in range(bundle.stored - 400, bundle.stored - 20):
        backend.put(key_of(pack), [whole])
        damage(backend, key_of(pack), bundle.offset + at)
        bad = [one for one in members if not reads(backend, Location(pack, one))]
        if len(bad) == 1:
            break
    else:
        pytest.fail("no byte of the bundle is of one object alone")
    open_run_of(memory_repository(backend), b"one more").seal("ok", ended=1)
    done = maintain(backend)
    assert {one.object for one in done.damaged} <= {one.id for one in bad}
    moved = {one.record.id for one in records(backend) if one.pack != pack}
    assert moved >= {one.id for one in members} - {one.id for one in bad}


def reads(backend: Backend, location: Location) -> bool:
    try:
        memory_repository(backend).database.read_at(location)
    except CorruptError:
        return False
    return True


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if some kilobytes filled a pack, and a part of a repack with it."""
    monkeypatch.setattr(repack, "FULL", 60_000)
    monkeypatch.setattr("mfv.odb.transfer.FULL", 60_000)


@pytest.mark.usefixtures("small_parts")
def test_a_repack_in_parts_knows_what_earlier_parts_have_seen() -> None:
    backend, texts = with_alike(6)
    repository = memory_repository(backend)
    far = list[int]()
    planned = repack.plan(repository, grace=NOW)
    done = repack.run_until(repository, planned, grace=NOW, progress=far.append)
    assert len(done.written) > 2
    assert far == sorted(far)
    assert far[-1] <= planned.size
    across = {
        (one.pack, place.pack)
        for one in groups(backend)
        for base in repository.database.base_of(one)
        for place in memory_repository(backend).database.index.find(base)
    }
    assert any(of != on for of, on in across), "otherwise this tests nothing"
    assert_reads(backend, texts)


@pytest.mark.usefixtures("small_parts")
def test_what_a_later_part_builds_on_cannot_be_condemned_below_it() -> None:
    backend, texts = with_alike_values(4)
    repository = memory_repository(backend)

    def sweep_all_but_the_last() -> None:
        # What the earlier parts wrote is of nobody then, but for what the last part builds on.
        other = memory_repository(backend)
        sweep(other, [1, 2, 3])
        gc.run(other, gc.plan(other, grace=NOW), grace=NOW)

    planned = repack.plan(repository, grace=NOW)
    entries, real = list[int](), repository.log.append

    def append(build: Callable[..., object], **rest: object) -> object:
        entries.append(1)
        if len(entries) == len(repack._parts(planned.sources)):
            sweep_all_but_the_last()
        return real(build, **rest)  # type: ignore[arg-type]

    repository.log.append = append  # type: ignore[method-assign, assignment]
    repack.run_until(repository, planned, grace=NOW)
    assert len(entries) >= len(repack._parts(planned.sources)) > 1
    assert values_of(backend, 4) == texts[-1]
    assert_well(backend)


def test_a_pack_that_goes_while_groups_are_looked_at_stops_nobody() -> None:
    backend, texts = with_alike(1)
    repository = memory_repository(backend)
    later = b"".join(changed(lines(1), 60))
    open_run_of(repository, later, texts[0]).seal("ok", ended=1)
    assert groups(backend)
    marks = Marks(repository)
    planned = repack.plan(repository, grace=NOW, marks=marks)
    real, gone = repository.database.base_of, []

    def base_of(location: Location) -> list[ChunkId]:
        if not gone:
            gone.append(location)
            raise CorruptError(f"pack {location.pack} is gone")
        return real(location)

    repository.database.base_of = base_of  # type: ignore[method-assign]
    repack.run(repository, planned, grace=NOW, marks=marks)
    assert gone
    assert_reads(backend, [*texts, later])
