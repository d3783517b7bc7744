"""The settings of a repository: what they change, and what is said of wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy
import pytest
from commands import mfv_command

from mfv.odb.packindex import list_packs, read_index
from mfv.odb.writer import Writer
from mfv.repo import config
from mfv.repo.artifacts import load, store
from mfv.repo.config import Config, ConfigError
from mfv.repo.entries import Condemn
from mfv.repo.repository import Repository
from mfv.storage.memory import MemoryBackend


def with_settings(folder: Path, text: str) -> Repository:
    Repository.create(folder)
    (folder / config.KEY).write_text(text)
    return Repository.open(folder)


def test_without_settings_all_is_as_by_default() -> None:
    assert config.read(MemoryBackend()) == Config("full", "dense")
    assert config.parse(b"") == Config()


def test_a_new_repository_shows_its_settings_and_their_defaults(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    assert repository.config == Config()
    shown = (tmp_path / ".mfv" / config.KEY).read_bytes()
    assert config.parse(shown) == Config()
    said = config.parse(shown.replace(b"# durab", b"durab").replace(b"# compr", b"compr"))
    assert said == Config()


def test_settings_that_say_nothing_are_read_without_the_parser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(data: bytes) -> Config:
        backend = MemoryBackend()
        backend.create(config.KEY, [data])
        return config.read(backend)

    said = Config("fast", "dense")
    for text in (
        b'durability = "fast"',
        b'#\n durability = "fast"',
        b'# one\r\ndurability="fast"\n',
    ):
        assert read(text) == said
    assert read("# für\n".encode()) == read(b" # indented\r\n") == Config()
    for wrong in (b"# a bell \a\n", b"# \xff\n"):
        with pytest.raises(ConfigError, match="is not TOML"):
            read(wrong)
    monkeypatch.setattr(config, "parse", lambda data: pytest.fail("parsed"))
    older = config.DEFAULT.partition(b"# process")[0]
    for text in (config.DEFAULT, older, b"", b"\n\n#\n# durability"):
        assert read(text) == Config()


def test_settings_that_are_there_are_not_touched(tmp_path: Path) -> None:
    with_settings(tmp_path / ".mfv", 'durability = "fast"')
    assert Repository.create(tmp_path / ".mfv").config == Config("fast", "dense")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("code.max_file_size = 4096", 4096),
        ("[code]\nmax_file_size = '4096'", 4096),
        ("code.max_file_size = '50 MiB'", 50 << 20),
        ("code.max_file_size = '1.5GB'", 1_500_000_000),
        ("code.max_file_size = 0", 0),
        ("", 10 << 20),
    ],
)
def test_a_size_is_bytes_or_text_with_a_unit(text: str, size: int) -> None:
    assert config.parse(text.encode()) == Config(max_file_size=size)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("durabilty = 'fast'", "sets 'durabilty', which is unknown", "did you mean 'durability'"),
        ("pager = 'less'", "sets 'pager', which is unknown", "durability, compression"),
        ("compression = 'max'", "sets compression to 'max'", '"dense" or "fast"'),
        ("durability = true", "sets durability to True", '"full" or "fast"'),
        ("durability = ['full']", "sets durability to", '"full" or "fast"'),
        ("code.max_file_size = 'huge'", "sets code.max_file_size to 'huge'", '"50 MiB"'),
        ("code.max_file_size = '5 mb'", "which is no size", '"50 MiB"'),
        ("code.max_file_size = -1", "which is no size", "how many bytes"),
        ("code.max_file_size = true", "which is no size", "how many bytes"),
        (
            "[code]\nmax_file = 1",
            "sets 'code.max_file', which",
            "did you mean 'code.max_file_size'",
        ),
        ("code = 3", "sets 'code', which is unknown", "durability"),
        ("durability", "is not TOML", "mend the line"),
        ("a = " + "[\n" * 10_000, "is not TOML", "mend the line"),
        ("a = " + "[" * 10_000, "a line of more than 1024 bytes", "several lines"),
        ('durability = "\udcff"', "is not TOML", "mend the line"),
    ],
)
def test_wrong_settings_are_one_error_that_says_what_to_write(
    text: str, what: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text.encode("utf-8", "surrogateescape"))
    assert what in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_command_tells_of_wrong_settings_and_exits_with_usage(tmp_path: Path) -> None:
    with_settings(tmp_path / ".mfv", "")
    (tmp_path / ".mfv" / config.KEY).write_text("compresion = 'fast'")
    done = mfv_command(tmp_path, "log")
    assert done.status == 2
    assert "did you mean 'compression'" in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(("durability", "synced"), [("full", True), ("fast", False)])
def test_only_full_durability_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: str, synced: bool
) -> None:
    repository = with_settings(tmp_path / ".mfv", f'durability = "{durability}"')
    calls = []
    monkeypatch.setattr(os, "fsync", calls.append)
    writer = Writer(repository.database)
    artifact = store(writer, "x", list(range(1000)))
    writer.flush()
    repository.log.append(lambda _: Condemn(()))
    assert bool(calls) == synced
    assert load(Repository.open(tmp_path / ".mfv").database, artifact) == list(range(1000))


def test_fast_compression_keeps_numbers_raw_and_text_small(tmp_path: Path) -> None:
    weights = numpy.random.default_rng(1).standard_normal(1_000_000).astype("f4")
    words = ["word"] * 100_000
    sizes = {}
    for compression in ("dense", "fast"):
        folder = tmp_path / compression
        repository = with_settings(folder, f'compression = "{compression}"')
        writer = Writer(repository.database)
        artifacts = [store(writer, "w", weights), store(writer, "t", words)]
        writer.flush()
        back, text = (load(repository.database, artifact) for artifact in artifacts)
        assert numpy.array_equal(back, weights)
        assert text == words
        sizes[compression] = {
            record.size: record.stored
            for pack in list_packs(repository.backend)
            for record in read_index(repository.backend, pack)
        }
    raw = [size for size, stored in sizes["fast"].items() if size == stored]
    assert weights.nbytes <= sum(raw) < weights.nbytes + 10_000
    assert sum(sizes["dense"].values()) < 0.9 * sum(sizes["fast"].values())
    assert sum(sizes["fast"].values()) < weights.nbytes + 10_000


def test_what_one_setting_wrote_the_other_reads_and_does_not_store_again(tmp_path: Path) -> None:
    weights = numpy.random.default_rng(1).standard_normal(500_000).astype("f4")
    for compression in ("dense", "fast", "dense"):
        repository = with_settings(tmp_path / ".mfv", f'compression = "{compression}"')
        writer = Writer(repository.database)
        artifact = store(writer, "w", weights)
        writer.flush()
        assert numpy.array_equal(load(repository.database, artifact), weights)
    assert len(list(list_packs(repository.backend))) == 1
