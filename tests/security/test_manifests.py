"""Records that are hashed, packed and sealed as they should be, and say what no writer says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from forge import CODE, FILE, MOMENT, NAME, STEP, Forge, with_fields
from sites import Row, Site, try_row

from mfv.ids import TreeId
from mfv.manifest.artifact import BYTES, PICKLE, TEXT, Artifact, Column, Frame, Summary
from mfv.manifest.encoding import LARGEST, encode
from mfv.manifest.records import (
    GivenFile,
    GraphNode,
    LeftOut,
    Read,
    RunName,
    Split,
    TaskRef,
    Tree,
    TreeFile,
)

CORRUPT = 5
HASH, PACK = bytes(range(32)), bytes(range(16))
FEW = ("log", "show", "ls", "tag", "show @/start/1/x", "fsck")
SHOW = {"show": CORRUPT, "fsck": CORRUPT}
TASK = {"show @/start/1": CORRUPT, "fsck": CORRUPT}


def second(**changes: Any) -> Callable[[Forge], None]:
    """An honest run, and another one that is changed."""

    def forge(made: Forge) -> None:
        made.run()
        made.run(**changes)

    return forge


def packed(fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


def as_map(record: msgspec.Struct) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.msgpack.decode(encode(record))
    return fields


def respelt(**fields: object) -> Callable[[Any], bytes]:
    """A record with fields of other types than they have."""
    return lambda record: packed({**as_map(record), **fields})


def doubled(record: msgspec.Struct) -> bytes:
    """A record with a key that stands twice."""
    data = encode(record)
    return bytes([data[0] + 1]) + data[1:] + packed("flow") + packed("Other")


def nested(depth: int) -> Callable[[Any], bytes]:
    return lambda record: encode(record)[:-1] + b"\x91" * depth + b"\xc0"


def unknown(record: msgspec.Struct) -> bytes:
    return packed({**as_map(record), "more": 1})


def turned(record: msgspec.Struct) -> bytes:
    return packed(dict(reversed(as_map(record).items())))


def numbered(record: msgspec.Struct) -> bytes:
    return packed({7: 1, **as_map(record)})


def extended(record: msgspec.Struct) -> bytes:
    return packed({**as_map(record), "argv": [msgspec.msgpack.Ext(5, b"x")]})


def refers_to_itself(made: Forge) -> None:
    """A task whose parent is itself, which reads from itself and is a clone of itself."""
    made.run()
    made.run(
        task=lambda task: msgspec.structs.replace(
            task,
            parents=(1, 1, 2),
            origin=(2, 1),
            reads=(Read(made.origin, "Flow", 2, STEP, 1, NAME, HASH),),
        ),
        opening=with_fields(resumed_from=2, cloned_from="Flow/2", cloned_origin=made.origin),
        manifest=with_fields(sources=(RunName(made.origin, "Flow", 2),)),
    )


def refer_to_each_other(made: Forge) -> None:
    """Runs of which each is made from the other."""
    for _, other in ((1, 2), (2, 1)):
        made.run(
            opening=with_fields(resumed_from=other),
            task=with_fields(
                origin=(other, 1), reads=(Read(made.origin, "Flow", other, STEP, 1, NAME, HASH),)
            ),
            manifest=with_fields(sources=(RunName(made.origin, "Flow", other),)),
        )


def steps_in_a_ring(made: Forge) -> None:
    graph = tuple(
        GraphNode(one, "foreach", (other,), True, -5, "")
        for one, other in (("start", "middle"), ("middle", "end"), ("end", "start"))
    )
    made.run()
    made.run(opening=with_fields(graph=graph))


def step_many_times(made: Forge) -> None:
    graph = tuple(
        GraphNode("start", "start", ("start", "start", "none"), True, 1, "") for _ in "abc"
    )
    made.run()
    made.run(opening=with_fields(graph=graph))


def graph_of(count: int) -> Callable[[Forge], None]:
    """A long chain of steps, each of which leads to the next and to the last."""
    graph = tuple(
        GraphNode(f"s{place}", "linear", (f"s{place + 1}", f"s{count}"), False, 1, "")
        for place in range(count)
    )
    return second(opening=with_fields(graph=graph))


def part_of_itself(made: Forge) -> None:
    """A tree cannot be a part of itself, for its id is its hash; but parts may have parts."""
    made.run()
    blob = made.blob(CODE)
    inner = made.record(TreeId, Tree((TreeFile(b"a", FILE, blob, 5),)))
    middle = made.record(TreeId, Tree((), (inner,)))
    made.run(tree=with_fields(files=(), parts=(middle,)))


def one_part_twice(made: Forge) -> None:
    made.run()
    blob = made.blob(CODE)
    inner = made.record(TreeId, Tree((TreeFile(b"a", FILE, blob, 5),)))
    made.run(tree=with_fields(files=(), parts=(inner, inner)))


def part_that_is_a_blob(made: Forge) -> None:
    made.run()
    made.run(tree=with_fields(files=(), parts=(made.blob(CODE),)))


def many_parts(made: Forge) -> None:
    """Half a million parts, none of which is there."""
    made.run()
    parts = tuple(place.to_bytes(32, "big") for place in range(100_000))
    made.run(tree=with_fields(files=(), parts=parts))


def task_under_another_name(made: Forge) -> None:
    made.run()
    made.run(task=with_fields(flow="Other", run=7, step="x", id=99))


def record_of_the_wrong_kind(made: Forge) -> None:
    """The opening names a task's record as its tree."""
    made.run()
    made.run(opening=lambda opening: msgspec.structs.replace(opening, tree=opening.environment))


def references(count: int) -> Callable[[Forge], None]:
    """So many tasks, of which none is there."""

    def refs(honest: Sequence[TaskRef]) -> tuple[TaskRef, ...]:
        return tuple(
            TaskRef(STEP, place, 0, "ok", MOMENT, MOMENT, place.to_bytes(32, "big"), PACK)
            for place in range(count)
        )

    return second(ref=refs)


def artifact_without_frames(serializer: str) -> Callable[[Forge], None]:
    return second(values=[Artifact(NAME, "bytes", serializer)])


def of_size(size: int, serializer: str) -> Callable[[Forge], None]:
    """An artifact whose frame is said to have another size than it has."""

    def forge(made: Forge) -> None:
        made.run()
        made.run(values=[made.artifact(b"plain", serializer, size=size)])

    return forge


def missing_frame(made: Forge) -> None:
    made.run()
    made.run(values=[Artifact(NAME, "bytes", BYTES, None, (Frame(HASH, 5),))])


def frames(count: int, serializer: str) -> Callable[[Forge], None]:
    def forge(made: Forge) -> None:
        made.run()
        blob = made.blob(b"text")
        made.run(values=[Artifact(NAME, "x", serializer, None, (Frame(blob, 4),) * count)])

    return forge


def summarised(**facts: Any) -> Callable[[Forge], None]:
    """An artifact of which its summary says this."""

    def forge(made: Forge) -> None:
        made.run()
        made.run(values=[made.artifact(b"\x80\x05]\x94.", PICKLE, summary=Summary(**facts))])

    return forge


def artifacts(count: int) -> Callable[[Forge], None]:
    return lambda made: second(
        values=[Artifact(f"a{place:07}", "int", value=place) for place in range(count)]
    )(made)


def same_name_twice(made: Forge) -> None:
    made.run()
    made.run(values=[made.scalar(1), made.scalar("two"), made.scalar(None)])


def times(*moments: int) -> Callable[[Forge], None]:
    started, ended = moments
    change = with_fields(started=started, ended=ended)
    return second(
        task=change,
        manifest=change,
        opening=with_fields(created=started),
        ref=lambda refs: (msgspec_ref(refs[0], started, ended),),
    )


def msgspec_ref(ref: TaskRef, started: int, ended: int) -> TaskRef:
    return msgspec.structs.replace(ref, started=started, ended=ended)


def tiny_texts(field: str, count: int) -> Callable[[Forge], None]:
    """A field of a great many empty texts: a byte each as they lie, far more as they are read."""
    return lambda made: second(opening=with_fields(**{field: ("",) * count}))(made)


def tiny_rows(made: Forge) -> None:
    made.run()
    made.run(opening=with_fields(left_out=(LeftOut("", "", 0),) * 3_000_000))


def columns(made: Forge) -> None:
    summarised(columns=(Column("", ""),) * 2_000_000)(made)


BIG = 2**63 - 1
ROWS = [
    Row("opening-not-a-map", second(opening=packed([1, 2])), SHOW),
    Row("opening-empty", second(opening=b""), SHOW),
    Row("opening-truncated", second(opening=lambda o: encode(o)[:-20]), SHOW),
    Row("opening-trailing", second(opening=lambda o: encode(o) + b"\xc0"), SHOW),
    Row("opening-key-twice", second(opening=doubled), SHOW),
    Row("opening-unknown-key", second(opening=unknown), SHOW),
    Row("opening-keys-in-another-order", second(opening=turned), SHOW, "canonical"),
    Row("opening-key-no-text", second(opening=numbered), SHOW),
    Row("opening-extension-type", second(opening=extended), SHOW),
    Row("opening-deep", second(opening=nested(100_000)), SHOW),
    Row("opening-array-of-4e9", second(opening=b"\xdd\xff\xff\xff\xff"), SHOW),
    Row("opening-map-of-4e9", second(opening=b"\xdf\xff\xff\xff\xff"), SHOW),
    Row("opening-text-of-4e9", second(opening=b"\xdb\xff\xff\xff\xff"), SHOW),
    Row("opening-bytes-of-4e9", second(opening=b"\xc6\xff\xff\xff\xff"), SHOW),
    Row("opening-flow-a-number", second(opening=respelt(flow=7)), SHOW),
    Row("opening-argv-a-text", second(opening=respelt(argv="flow.py")), SHOW),
    Row("opening-tree-31-bytes", second(opening=respelt(tree=bytes(31))), SHOW),
    Row("opening-tree-in-hex", second(opening=respelt(tree=HASH.hex())), SHOW),
    Row("opening-text-no-utf8", second(opening=respelt(cwd=b"\xff\xfe")), SHOW),
    Row("opening-created-a-float", second(opening=respelt(created=1e300)), SHOW),
    Row("opening-created-2^64", second(opening=respelt(created=2**64 - 1)), {"fsck": 0}),
    Row("opening-tree-of-another-kind", record_of_the_wrong_kind, {"show --code": CORRUPT}),
    Row("opening-of-a-gigabyte-of-empty-texts", tiny_texts("argv", 40_000_000), SHOW, commands=FEW),
    Row("opening-of-3e6-rows", tiny_rows, SHOW, commands=FEW),
    Row("record-larger-than-any", lambda made: second(opening=bytes(LARGEST + 1))(made), SHOW),
    Row("task-truncated", second(task=lambda t: encode(t)[:-3]), TASK),
    Row("task-status-unknown", second(task=respelt(status="perhaps")), TASK),
    Row("task-of-another-run", task_under_another_name, {"fsck": CORRUPT}),
    Row("task-id-negative", second(task=with_fields(id=-1)), {"fsck": CORRUPT}),
    Row("task-2^63-items", second(task=with_fields(items=BIG, more_reads=BIG)), {"show": 0}),
    Row("task-cpu-nan", second(task=with_fields(cpu=float("nan"))), {"show --json": 0}),
    Row("task-cpu-infinite", second(task=with_fields(cpu=float("inf"))), {"show --json": 0}),
    Row("task-memory-negative", second(task=with_fields(peak_memory=-(2**63))), {"show": 0}),
    Row(
        "task-artifact-value-a-map",
        second(task=respelt(artifacts=[{"name": "x", "type": "y", "value": {}}])),
        TASK,
    ),
    Row(
        "task-splits-lie",
        second(task=with_fields(splits=(Split("none", "v", BIG, -1, ""),))),
        {"graph": 0},
    ),
    Row("task-refers-to-itself", refers_to_itself, {"show": 0, "graph": 0}),
    Row("runs-refer-to-each-other", refer_to_each_other, {"log --lineage @ --descendants": 0}),
    Row("manifest-of-another-run", second(manifest=with_fields(number=7)), SHOW),
    Row("manifest-of-another-flow", second(manifest=with_fields(flow="Other")), SHOW),
    Row("manifest-status-unknown", second(manifest=respelt(status="fine")), SHOW),
    Row(
        "manifest-of-100000-tasks-not-there",
        references(100_000),
        {"fsck": CORRUPT},
        commands=("log", "show", "show --json", "fsck"),
        apart=True,
        heavy=True,
    ),
    Row("steps-in-a-ring", steps_in_a_ring, {"graph": 0}),
    Row("one-step-many-times", step_many_times, {"graph": 0}),
    Row("1000-steps", graph_of(1000), {"graph": 0}),
    Row("tree-part-of-a-part", part_of_itself, {"show --code": CORRUPT, "fsck": CORRUPT}),
    Row("tree-part-twice", one_part_twice, {"show --code": CORRUPT, "fsck": CORRUPT}),
    Row("tree-part-a-blob", part_that_is_a_blob, {"show --code": CORRUPT, "fsck": CORRUPT}),
    Row("tree-of-100000-parts-not-there", many_parts, {"show --code": CORRUPT}),
    Row(
        "artifact-serializer-unknown",
        second(values=[Artifact(NAME, "x", "sh")]),
        {"clone @ ../out/data --data": 0},
    ),
    Row("artifact-bytes-without-frames", artifact_without_frames(BYTES)),
    Row("artifact-text-without-frames", artifact_without_frames(TEXT)),
    Row("artifact-pickle-without-frames", artifact_without_frames(PICKLE)),
    Row("artifact-frame-missing", missing_frame, {"cat @/start/1/x": CORRUPT, "fsck": CORRUPT}),
    Row("artifact-frame-of-2^63", of_size(BIG, BYTES), {"fsck": CORRUPT}),
    Row("artifact-frame-of-less-than-nothing", of_size(-1, TEXT), {"fsck": CORRUPT}),
    Row("artifact-pickle-of-2^63", of_size(BIG, PICKLE), {"fsck": CORRUPT}),
    Row(
        "artifact-of-30000-frames",
        frames(30_000, PICKLE),
        commands=(*FEW, "whence @/start/1/x", "clone @ ../out/data --data"),
    ),
    Row("artifact-text-of-two-frames", frames(2, TEXT)),
    Row("artifact-names-twice", same_name_twice),
    Row("200000-artifacts", artifacts(200_000), TASK, commands=(*FEW, "show @/start/1")),
    Row(
        "70000-artifacts",
        artifacts(70_000),
        commands=("log", "log --group-by status", "diff @{-1} @ --json", "show --json", "fsck"),
        apart=True,
        heavy=True,
    ),
    Row("summary-shape-lies", summarised(shape=(BIG, BIG, -1), dtype="f8", length=-BIG)),
    Row("summary-numbers-nan", summarised(low=float("nan"), high=float("inf"), nulls=-1)),
    Row("summary-of-2e6-columns", columns, TASK, commands=(*FEW, "show @/start/1")),
    Row("summary-media-script", summarised(media="text/html;<script>", text="x" * 1_000_000)),
    Row("times-negative", times(-(2**63), -1), {"log": 0, "show": 0}),
    Row("times-far", times(BIG, BIG), {"log": 0, "show": 0}),
    Row("times-backwards", times(MOMENT, 0), {"log": 0, "show": 0}),
    Row(
        "given-file-missing",
        second(opening=with_fields(given=(GivenFile(("table",), "../x", HASH, 5),))),
        {"clone @ ../out/plain": CORRUPT},
    ),
    Row(
        "lr-of-1-MB",
        second(opening=with_fields(parameters=(Artifact("lr", "str", value="y" * 1_000_000),))),
        {"log": 0, "show": 0},
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_record_that_lies_is_refused_or_harmless(site: Site, row: Row, long: bool) -> None:
    done = try_row(site, row, long)
    for line in {"log", "ls", "tag"} & set(done):
        assert done[line].status in (0, CORRUPT), done[line]
    for line in {"log", "show @/start/1/x"} & set(done):
        assert len(done[line].out) < 100_000


def test_a_listing_of_many_runs_that_are_each_as_large_as_any_keeps_few_of_them(
    site: Site,
) -> None:
    made = site.forge()
    rows = tuple(LeftOut(f"{place:05}", "x", place) for place in range(120_000))
    for _ in range(9):
        made.run(opening=with_fields(left_out=rows))
    made.tip()
    for line in ("log -n 0", "log --json -n 0", "grep hello -n 0", "du"):
        assert site.visit([line.split()])[line].status == 0


def test_a_snapshot_of_more_files_than_any_may_have_is_refused(site: Site) -> None:
    made = site.forge()
    blob = made.blob(CODE)
    parts = tuple(
        made.record(
            TreeId,
            Tree(tuple(TreeFile(b"%d/%05d" % (part, one), FILE, blob, 5) for one in range(80_000))),
        )
        for part in range(4)
    )
    made.run(tree=with_fields(files=(), parts=parts))
    done = site.visit([["show", "--code"], ["ls", "@:"], ["log"], ["fsck"]])
    assert done["show --code"].status == CORRUPT
    assert done["log"].status == 0
