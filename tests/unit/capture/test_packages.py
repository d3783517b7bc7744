"""Where packages came from, out of the files that installers leave."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from blake3 import blake3

from mfv.capture import packages as module
from mfv.capture.packages import Installed, Source, content_hash, find_installed

LONG_AGO = (1_600_000_000, 1_600_000_000)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def install(folder: Path, name: str = "foo", version: str = "1.0", **files: str) -> Path:
    """A `.dist-info` folder with METADATA and `files`, `_` in their names for `.`."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    for file, text in files.items():
        (info / file.replace("__", ".")).write_text(text)
    return info


def only(folder: Path, cache: Path | None = None) -> Installed:
    (one,) = find_installed([str(folder)], None if cache is None else str(cache))
    return one


def direct(folder: Path, **facts: object) -> Source:
    install(folder, direct_url__json=json.dumps(facts))
    return only(folder).source


def test_a_package_without_a_note_of_its_address_is_from_an_index(tmp_path: Path) -> None:
    install(tmp_path, INSTALLER="pip\n")
    assert only(tmp_path).source == Source("foo", installer="pip")


def test_a_commit_is_told_with_what_was_asked_for_and_without_credentials(tmp_path: Path) -> None:
    vcs = {"vcs": "git", "requested_revision": "main", "commit_id": COMMIT}
    source = direct(tmp_path, url="https://ana:pw@host/a.git", vcs_info=vcs, subdirectory="python")
    assert source == Source(
        *("foo", "vcs"),
        url="https://host/a.git",
        vcs="git",
        commit=COMMIT,
        revision="main",
        subdirectory="python",
    )


def test_an_archive_is_told_with_its_hashes(tmp_path: Path) -> None:
    hashes = {"hashes": {"sha256": "ab"}, "hash": "sha256=ab"}
    source = direct(tmp_path, url="https://host/foo.whl?token=x1", archive_info=hashes)
    assert source == Source("foo", "archive", url="https://host/foo.whl", hashes=("sha256=ab",))
    source = direct(tmp_path, url="https://host/foo.whl", archive_info={"hash": "sha256=cd"})
    assert source.hashes == ("sha256=cd",)


def test_a_folder_is_told_and_whether_it_is_editable(tmp_path: Path) -> None:
    assert direct(tmp_path, url="file:///a%20b", dir_info={"editable": True}) == Source(
        "foo", "directory", url="file:///a%20b", editable=True
    )
    assert not direct(tmp_path, url="file:///a", dir_info={}).editable
    assert direct(tmp_path, url="file:///ä b", dir_info={}).url == "file:///%C3%A4%20b"


def test_the_file_of_an_index_is_told_where_it_was_noted(tmp_path: Path) -> None:
    facts = {"url": "https://u:p@host/foo.whl", "archive_info": {"hashes": {"sha256": "ab"}}}
    install(tmp_path, provenance_url__json=json.dumps(facts))
    source = only(tmp_path).source
    assert (source.kind, source.url, source.hashes) == (
        "index",
        "https://host/foo.whl",
        ("sha256=ab",),
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"url": 1}', '{"url": "x", "vcs_info": 3}', "[" * 9999]
)
def test_a_note_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    install(tmp_path, direct_url__json=text, provenance_url__json=text)
    assert only(tmp_path).source.vcs == ""


def test_a_development_install_of_older_tools_is_editable(tmp_path: Path) -> None:
    (tmp_path / "dev.egg-info").mkdir()
    (tmp_path / "dev.egg-info" / "PKG-INFO").write_text("Name: dev\nVersion: 0.3\n")
    assert only(tmp_path).source == Source("dev", "directory", url=tmp_path.as_uri(), editable=True)


def test_the_name_of_the_wheel_is_put_together_from_its_tags(tmp_path: Path) -> None:
    tags = (
        "Build: 2\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    )
    install(tmp_path, "Foo_Bar", WHEEL=f"Wheel-Version: 1.0\n{tags}")
    assert only(tmp_path).source.wheel == (
        "Foo_Bar-1.0-2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    )


def row(path: str, data: bytes = b"x") -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{path},sha256={digest},{len(data)}\n"


IN_THE_WHEEL = [row("foo/b.py"), row("foo/a.py"), row("foo-1.0.dist-info/METADATA")]


def test_the_content_is_that_of_the_wheel_whatever_an_installer_added() -> None:
    added = [
        row("../../../bin/foo"),
        row("foo-1.0.dist-info/INSTALLER"),
        row("foo-1.0.dist-info/direct_url.json"),
        row("foo-1.0.dist-info/uv_cache.json"),
        "foo/__pycache__/a.cpython-311.pyc,,\n",
        "foo-1.0.dist-info/RECORD,,\n",
    ]
    wheel = "".join([*IN_THE_WHEEL, "foo-1.0.dist-info/RECORD,,\n"])
    installed = "".join([*added, *reversed(IN_THE_WHEEL)]).replace("\n", "\r\n")
    expected = blake3("".join(sorted(IN_THE_WHEEL)).encode()).digest()
    assert content_hash(wheel.encode()) == content_hash(installed.encode()) == expected
    other = wheel.replace(row("foo/a.py"), row("foo/a.py", b"another build"))
    assert content_hash(other.encode()) != expected
    assert content_hash(b"") == content_hash(b"foo-1.0.dist-info/RECORD,,\n") == b""


def test_extensions_are_the_entry_points_of_their_group(tmp_path: Path) -> None:
    text = (
        "[console_scripts]\nx = a:b\n\n[mfv.extensions]\n# note\ncloud = a:b\nbox=a\n[z]\nq = r\n"
    )
    install(tmp_path, entry_points__txt=text)
    assert only(tmp_path).extensions == ("box", "cloud")


def test_numpy_tells_its_blas_without_being_imported(tmp_path: Path) -> None:
    install(tmp_path, "numpy", "2.0")
    (tmp_path / "numpy").mkdir()
    assert only(tmp_path).blas == ""
    config = (
        'X = {"lapack": {"name": "no"},\n "blas": {\n "name": "fast-blas",\n'
        ' "found": bool("True"),\n "version": "0.3.27",\n }}'
    )
    (tmp_path / "numpy" / "__config__.py").write_text(config)
    assert only(tmp_path).blas == "fast-blas 0.3.27"
    (tmp_path / "numpy" / "__config__.py").unlink()
    (tmp_path / "numpy.libs").mkdir()
    (tmp_path / "numpy.libs" / "libopenblas64_p-r0-15028c96.3.21.so").write_text("")
    assert only(tmp_path).blas == "openblas64_p"


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read, from now on."""
    seen: list[str] = []
    real = module._read

    def read(path: str) -> bytes:
        seen.append(os.path.basename(path))
        return real(path)

    monkeypatch.setattr(module, "_read", read)
    return seen


def test_what_was_read_is_noted_until_the_folder_changes(
    tmp_path: Path, read_files: list[str]
) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    install(site, INSTALLER="pip")
    os.utime(site, LONG_AGO)
    first = only(site, cache)
    assert read_files == ["INSTALLER"]
    assert only(site, cache) == first
    assert read_files == ["INSTALLER"]
    install(site, "bar", INSTALLER="uv")
    names = [one.package.name for one in find_installed([str(site)], str(cache))]
    assert names == ["bar", "foo"]


def test_a_folder_that_changed_just_now_is_read_again(
    tmp_path: Path, read_files: list[str]
) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    install(site, INSTALLER="pip")
    only(site, cache), only(site, cache)
    assert read_files == ["INSTALLER"] * 2


def test_a_development_install_is_read_each_time_since_its_folder_tells_nothing(
    tmp_path: Path,
) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    (site / "dev.egg-info").mkdir(parents=True)
    for version in ("0.3", "0.4"):
        (site / "dev.egg-info" / "PKG-INFO").write_text(f"Name: dev\nVersion: {version}\n")
        os.utime(site, LONG_AGO)
        assert only(site, cache).package.version == version


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xc1", b"\x81\xa1x\x01", b"\x91" * 99_999])
def test_notes_that_are_damaged_or_gone_change_no_answer(tmp_path: Path, damage: bytes) -> None:
    site, cache = tmp_path / "site", tmp_path / "cache"
    install(site, INSTALLER="pip")
    os.utime(site, LONG_AGO)
    first = only(site, cache)
    (note,) = (path for path in cache.rglob("*") if path.is_file())
    note.write_bytes(damage)
    assert only(site, cache) == first
    shutil.rmtree(cache)
    assert only(site, cache) == first
    shutil.rmtree(cache)
    cache.write_text("in the way")
    assert only(site, cache) == first
