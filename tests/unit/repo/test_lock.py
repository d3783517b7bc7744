"""What installers read of an environment, read back with the library that they are built on."""

from __future__ import annotations

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import environment
from packaging.pylock import Pylock
from packaging.requirements import Requirement
from packaging.version import Version

from mfv.manifest.records import Environment, Package, Source
from mfv.repo.lock import (
    CONTENT_HASH,
    WHEELS,
    File,
    entries,
    is_same_file,
    pylock,
    requirements,
    wants_file,
)

DIGEST = "sha256=" + "ab" * 32
COMMIT = "0123456789abcdef0123456789abcdef01234567"
NUMPY = Source(
    "numpy",
    installer="pip",
    wheel="numpy-2.0.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    content=b"\x01" * 32,
)


def environment_of(*installed: tuple[str, Source]) -> Environment:
    """An environment of versions and sources, in the order given."""
    packages = tuple(Package(source.name, version) for version, source in installed)
    sources = tuple(source for _, source in installed)
    return msgspec.structs.replace(environment(), packages=packages, sources=sources)


def read(text: str) -> Pylock:
    return Pylock.from_dict(tomllib.loads(text))


def left_out(text: str) -> dict[str, str]:
    return {one["name"]: one["reason"] for one in tomllib.loads(text)["tool"]["mfv"]["left-out"]}


EVERYTHING = environment_of(
    ("1.0", Source("by-url", "archive", url="https://host/by_url-1.0.zip", hashes=(DIGEST,))),
    (
        "2.1",
        Source(
            *("by-commit", "vcs", "pip"),
            url="https://host/a.git",
            vcs="git",
            commit=COMMIT,
            revision="main",
            subdirectory="python",
        ),
    ),
    ("0.1.dev3", Source("here", "directory", url="file:///home/ana/my%20code", editable=True)),
    ("0.2", Source("there", "directory", url="file:///home/ana/there")),
    ("2.0.0", NUMPY),
)


def test_a_requirements_file_asks_for_each_package_from_where_it_came() -> None:
    assert requirements(EVERYTHING) == (
        "# python 3.11.9 (CPython)\n"
        "# platform Linux 6.1 x86_64, glibc 2.36\n"
        f"by-url @ https://host/by_url-1.0.zip#{DIGEST}\n"
        f"by-commit @ git+https://host/a.git@{COMMIT}#subdirectory=python\n"
        "-e file:///home/ana/my%20code\n"
        "there @ file:///home/ana/there\n"
        "numpy==2.0.0\n"
    )


def test_a_requirements_file_of_a_record_without_sources_has_exact_versions() -> None:
    assert requirements(environment()).splitlines()[2:] == ["numpy==2.0.0"]


def test_a_lock_says_where_each_package_came_from() -> None:
    lock = read(pylock(EVERYTHING))
    url, commit, here, there, numpy = lock.packages
    assert url.archive is not None and url.archive.url == "https://host/by_url-1.0.zip"
    assert url.archive.hashes == {"sha256": "ab" * 32} and str(url.version) == "1.0"
    assert commit.vcs is not None and commit.vcs.commit_id == COMMIT
    assert (commit.vcs.type, commit.vcs.requested_revision) == ("git", "main")
    assert commit.vcs.subdirectory == "python" and commit.version is None
    assert here.directory is not None and here.directory.path == "/home/ana/my code"
    assert here.directory.editable and here.version is None
    assert there.directory is not None and not there.directory.editable
    assert numpy.version == Version("2.0.0") and numpy.wheels is not None
    assert numpy.wheels[0].path == f"{WHEELS}/{NUMPY.wheel}"
    assert numpy.wheels[0].hashes == {CONTENT_HASH: "01" * 32}


def test_a_lock_says_for_which_python_and_machine_it_is() -> None:
    lock = read(pylock(EVERYTHING))
    assert str(lock.requires_python) == "==3.11.*"
    assert [str(marker) for marker in lock.environments or ()] == [
        'implementation_name == "cpython" and platform_machine == "x86_64"'
        ' and sys_platform == "linux"'
    ]
    assert lock.created_by == "mfv" and str(lock.lock_version) == "1.0"


def test_a_lock_has_the_file_of_an_index_where_it_is_known() -> None:
    url = f"https://index/files/{NUMPY.wheel}"
    (numpy,) = read(
        pylock(environment_of(("2.0.0", NUMPY)), {"numpy": File(url, "cd" * 32)})
    ).packages
    assert numpy.wheels is not None
    assert (numpy.wheels[0].url, numpy.wheels[0].hashes) == (url, {"sha256": "cd" * 32})
    source = Source("numpy", url="https://index/numpy-2.0.0.tar.gz", hashes=(DIGEST,))
    (numpy,) = read(pylock(environment_of(("2.0.0", source)))).packages
    assert numpy.sdist is not None and numpy.sdist.url == source.url


def test_what_can_be_in_no_lock_is_named_with_the_reason() -> None:
    found = environment_of(
        ("1.0", Source("bare")),
        ("not a version", Source("odd")),
        ("1.0", Source("lost", "vcs", url="https://host/a", vcs="git")),
        ("1.0", Source("unhashed", "archive", url="https://host/unhashed-1.0.zip")),
    )
    text = pylock(found)
    assert list(read(text).packages) == []
    assert left_out(text) == {
        "bare": "no list of its files was found",
        "odd": "its version is none that packages have",
        "lost": "its commit is not known",
        "unhashed": "no list of its files was found",
    }
    assert requirements(found).splitlines()[2:] == [
        "bare==1.0",
        "unhashed @ https://host/unhashed-1.0.zip",
        "# left out: odd not a version: its version is none that packages have",
        "# left out: lost 1.0: its commit is not known",
    ]


HOSTILE = [
    ("1.0\n--index-url https://evil", Source("a")),
    ("1.0", Source("a\n-r /etc/passwd")),
    ("1.0 --hash=x", Source("a")),
    ("1.0", Source("a", "archive", url="https://host/x\n-e .", hashes=(DIGEST,))),
    ("1.0", Source("a", "archive", url="-r x", hashes=(DIGEST,))),
    ("1.0", Source("a", "directory", url="https://host/x")),
    ("1.0", Source("a", "vcs", url="https://host/x", vcs="git", commit="x y")),
    ("1.0", Source("a", "vcs", url="https://host/x", vcs="sh", commit=COMMIT)),
    ("1.0", Source("a", "archive", url="https://host/x", subdirectory="../..")),
]


@pytest.mark.parametrize("version, source", HOSTILE)
def test_a_record_cannot_put_options_into_a_requirements_file(version: str, source: Source) -> None:
    lines = requirements(environment_of((version, source))).splitlines()
    assert all(line.startswith("#") for line in lines)


def test_no_variable_of_the_reader_is_put_into_an_address() -> None:
    source = Source("a", "archive", url="https://host/${TOKEN}/a-1.zip")
    assert "${" not in requirements(environment_of(("1.0", source)))


TEXT = st.text(max_size=12) | st.sampled_from(
    ["a-b", "1.0", "file:///x", "https://host/a_b-1.0.zip", "git", COMMIT, 'a"b\\c', "a\x7f\u2028"]
)
NAMES = TEXT | st.just("a-b")
URLS = TEXT | st.sampled_from(
    [
        "https://h/a_b-1.0.zip",
        "https://h/a_b-1.0-py3-none-any.whl",
        "https://h/b-1.0.tar.gz?x#y",
        "https://h/a_b-1.1-py3-none-any.whl",
        "https://h/a__b-1.0-py3-none-any.whl",
    ]
)
SOURCES = st.builds(
    Source,
    NAMES,
    kind=st.sampled_from(["index", "archive", "directory", "vcs"]),
    wheel=TEXT | st.sampled_from(["a_b-1.0-py3-none-any.whl", "a_b-1.0-1x-py3-none-any.whl"]),
    content=st.sampled_from([b"", b"\x01" * 32]),
    url=URLS,
    hashes=st.lists(TEXT | st.just(DIGEST), max_size=2).map(tuple),
    vcs=TEXT,
    commit=TEXT,
    revision=TEXT,
    subdirectory=TEXT,
    editable=st.booleans(),
)


@given(
    st.lists(
        st.tuples(TEXT | st.just("1.0"), SOURCES), max_size=4, unique_by=lambda one: one[1].name
    ),
    TEXT,
)
def test_whatever_the_record_says_both_files_are_valid_and_name_every_package(
    installed: list[tuple[str, Source]], word: str
) -> None:
    found = msgspec.structs.replace(environment_of(*installed), python=word, machine=word)
    text = pylock(found)
    lock = read(text)
    out = tomllib.loads(text)["tool"]["mfv"].get("left-out", [])
    names = [package.name for package in lock.packages] + [one["name"] for one in out]
    assert sorted(names) == sorted(source.name for _, source in installed)
    for line in requirements(found).splitlines():
        if not line.startswith(("#", "-e file:///")):
            Requirement(line)


def test_a_file_is_the_one_that_was_installed_only_with_the_same_tags() -> None:
    (entry,) = entries(environment_of(("2.0.0", NUMPY)))
    turned = "numpy-2.0.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"
    assert wants_file(entry)
    assert is_same_file(entry, f"https://index/{turned}#sha256=ab")
    for other in (
        "numpy-2.0.0.tar.gz",
        "numpy-2.0.0-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        "numpy-2.0.1.tar.gz",
        "nump-2.0.0.tar.gz",
        "numpy-2.0.0-py3-none-any.whl",
    ):
        assert not is_same_file(entry, f"https://index/{other}")
    noted = msgspec.structs.replace(NUMPY, url="https://index/x.whl", hashes=(DIGEST,))
    assert [wants_file(one) for one in entries(environment_of(("2.0.0", noted)))] == [False]
