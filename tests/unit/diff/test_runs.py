"""The comparison of two runs as data: empty of equals, invertible, and complete."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import environment

from mfv.diff.runs import RunDiff, Side, StepFacts, diff_runs
from mfv.ids import BlobId
from mfv.manifest.artifact import PICKLE, Artifact, Frame, Summary
from mfv.manifest.records import Git, Package, Source, Tree, TreeFile

NAMES = st.sampled_from(["a", "b", "c", "lr", "train[0]/score"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(-2, 2), st.text("xy", max_size=2)
)


def scalar(name: str, value: object) -> Artifact:
    return Artifact(name, type(value).__name__, value=value)  # type: ignore[arg-type]


def framed(name: str, data: bytes) -> Artifact:
    frame = Frame(bytes(BlobId.of(data)), len(data))
    return Artifact(name, "dict", PICKLE, frames=(frame,), summary=Summary(text=repr(data)))


ARTIFACTS = st.dictionaries(
    NAMES,
    st.one_of(SCALARS, st.binary(max_size=2).map(lambda data: ("frames", data))),
    max_size=4,
).map(
    lambda found: {
        name: framed(name, value[1]) if isinstance(value, tuple) else scalar(name, value)
        for name, value in found.items()
    }
)
CONTENTS = {bytes(BlobId.of(data)): data for data in (b"", b"a\n", b"a\nb\n", b"\0", b"c")}
TREES = st.dictionaries(
    st.sampled_from([b"f.py", b"g.py", b"h"]),
    st.tuples(st.sampled_from([0o100644, 0o100755]), st.sampled_from(sorted(CONTENTS))),
    max_size=3,
).map(
    lambda files: Tree(
        tuple(
            TreeFile(path, mode, blob, len(CONTENTS[blob]))
            for path, (mode, blob) in sorted(files.items())
        )
    )
)
ENVIRONMENTS = st.builds(
    lambda python, packages: msgspec.structs.replace(
        environment(),
        python=python,
        packages=tuple(Package(name, version) for name, version in sorted(packages.items())),
    ),
    st.sampled_from(["3.11.9", "3.12.1"]),
    st.dictionaries(st.sampled_from(["numpy", "scipy"]), st.sampled_from(["1", "2"])),
)
GITS = st.one_of(
    st.none(),
    st.builds(
        Git,
        commit=st.sampled_from([None, "0" * 40, "1" * 40]),
        branch=st.sampled_from([None, "main", "other"]),
        remote=st.none(),
        dirty=st.booleans(),
        changed=st.just(()),
        describe=st.none(),
    ),
)
STEPS = st.dictionaries(
    st.sampled_from(["start", "end"]),
    st.builds(StepFacts, st.integers(1, 3), st.integers(0, 1), st.floats(0, 9)),
)
SIDES = st.builds(
    Side,
    name=st.sampled_from(["Flow/1", "Flow/2"]),
    status=st.sampled_from(["ok", "failed"]),
    parameters=ARTIFACTS,
    constants=ARTIFACTS,
    metrics=ARTIFACTS,
    artifacts=ARTIFACTS,
    tree=TREES,
    environment=ENVIRONMENTS,
    git=GITS,
    steps=STEPS,
    tags=st.sets(st.sampled_from(["prod", "best"])).map(lambda tags: tuple(sorted(tags))),
)


def diffed(before: Side, after: Side) -> RunDiff:
    return diff_runs(before, after, CONTENTS)


def changes(diff: RunDiff) -> int:
    lists = (
        *(diff.parameters, diff.constants, diff.metrics, diff.artifacts, diff.files),
        *(diff.environment, diff.packages, diff.git, diff.steps),
    )
    return sum(map(len, lists)) + (diff.status is not None)


@given(SIDES)
def test_a_run_does_not_differ_from_itself(side: Side) -> None:
    diff = diffed(side, side)
    assert not diff
    assert (changes(diff), diff.tags) == (0, ())
    assert diff.same.parameters == len(side.parameters)
    assert diff.same.artifacts == len(side.artifacts)
    assert diff.same.files == len(side.tree.files)
    assert diff.same.packages == len(side.environment.packages)


@given(SIDES, SIDES)
@settings(max_examples=200)
def test_the_other_way_round_is_the_inverse(before: Side, after: Side) -> None:
    diff = diffed(before, after)
    assert diff.inverse() == diffed(after, before)
    assert diff.inverse().inverse() == diff


@given(SIDES, SIDES)
@settings(max_examples=200)
def test_it_is_true_if_and_only_if_something_changed(before: Side, after: Side) -> None:
    diff = diffed(before, after)
    assert bool(diff) == (changes(diff) > 0)


@given(SIDES, SIDES)
@settings(max_examples=200)
def test_the_values_of_the_other_side_follow_from_the_changes(before: Side, after: Side) -> None:
    diff = diffed(before, after)
    for kind in ("parameters", "constants", "metrics", "artifacts"):
        values = dict(getattr(before, kind))
        for change in getattr(diff, kind):
            assert values.pop(change.name, None) == change.before
            if change.after is not None:
                values[change.name] = change.after
        expected = getattr(after, kind)
        # NaN aside, equal ids are equal values.
        assert {n: a.id for n, a in values.items()} == {n: a.id for n, a in expected.items()}
    versions = {package.name: package.version for package in before.environment.packages}
    for text in diff.packages:
        assert versions.pop(text.name, None) == text.before
        if text.after is not None:
            versions[text.name] = text.after
    assert versions == {package.name: package.version for package in after.environment.packages}


@given(SIDES)
def test_names_durations_and_tags_alone_make_no_difference(side: Side) -> None:
    slower = {
        name: msgspec.structs.replace(facts, seconds=facts.seconds + 1)
        for name, facts in side.steps.items()
    }
    other = msgspec.structs.replace(side, name="Other/9", steps=slower, tags=("new",))
    diff = diffed(side, other)
    assert not diff
    assert [change.name for change in diff.tags if change.before is None] == ["new"]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [(1, 3, 2), (0.5, 0.25, -0.25), (1, 1.5, 0.5), (True, False, None), (1, "1", None)],
)
def test_the_difference_is_told_of_numbers_only(
    before: object, after: object, difference: float | None
) -> None:
    one, other = (
        msgspec.structs.replace(EMPTY, metrics={"m": scalar("m", value)})
        for value in (before, after)
    )
    (change,) = diffed(one, other).metrics
    assert change.difference == difference
    assert change.inverse().difference == (None if difference is None else -difference)


EMPTY = Side(
    name="Flow/1",
    status="ok",
    parameters={},
    constants={},
    metrics={},
    artifacts={},
    tree=Tree(()),
    environment=environment(),
    git=None,
    steps={},
    tags=(),
)


def with_source(side: Side, version: str = "2.0.0", **facts: Any) -> Side:
    """`side` with one package, numpy, from the source that `facts` tell."""
    machine = msgspec.structs.replace(
        side.environment,
        packages=(Package("numpy", version),),
        sources=(Source("numpy", **facts),),
    )
    return msgspec.structs.replace(side, environment=machine)


INDEX = with_source(EMPTY, content=b"\x01" * 32, wheel="numpy-2.0.0-a.whl", installer="pip")


@pytest.mark.parametrize(
    ("other", "after"),
    [
        (
            with_source(EMPTY, content=b"\x02" * 32, wheel="numpy-2.0.0-b.whl"),
            "build 02020202 numpy-2.0.0-b.whl",
        ),
        (
            with_source(EMPTY, kind="vcs", vcs="git", url="https://h/n", commit="ab" * 20),
            "git+https://h/n@abababababab",
        ),
        (
            with_source(EMPTY, kind="directory", url="file:///n", editable=True),
            "editable file:///n",
        ),
    ],
)
def test_another_build_or_place_of_the_same_version_is_told(other: Side, after: str) -> None:
    diff = diffed(INDEX, other)
    (change,) = diff.sources
    assert diff and not diff.packages
    assert (change.name, change.after) == ("numpy", after)
    assert diff.inverse() == diffed(other, INDEX)


def test_the_same_files_are_the_same_package_wherever_they_came_from() -> None:
    archive = {"kind": "archive", "url": "https://h/numpy.whl", "installer": "uv"}
    assert not diffed(INDEX, with_source(EMPTY, content=b"\x01" * 32, **archive))


def test_another_version_is_told_once() -> None:
    diff = diffed(INDEX, with_source(EMPTY, "2.1.0", content=b"\x02" * 32))
    assert len(diff.packages) == 1 and diff.sources == ()


def test_what_an_older_record_lacks_is_no_difference() -> None:
    old = msgspec.structs.replace(EMPTY.environment, python_build="", timezone="")
    new = msgspec.structs.replace(EMPTY.environment, python_build="main", timezone="UTC")
    sides = [msgspec.structs.replace(EMPTY, environment=one) for one in (old, new)]
    assert not diffed(*sides)
    newer = msgspec.structs.replace(new, timezone="Europe/Berlin")
    diff = diffed(sides[1], msgspec.structs.replace(EMPTY, environment=newer))
    assert [change.name for change in diff.environment] == ["timezone"]


def test_seeds_of_hashes_and_settings_of_libraries_are_told() -> None:
    fixed = msgspec.structs.replace(EMPTY, hash_seed="1", variables={"OMP_NUM_THREADS": "4"})
    other = msgspec.structs.replace(EMPTY, hash_seed="random")
    changes = {change.name: change.before for change in diffed(fixed, other).environment}
    assert changes == {"hash_seed": "1", "OMP_NUM_THREADS": "4"}
