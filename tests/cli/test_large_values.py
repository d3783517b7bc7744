"""Values too long for a screen: cut where people read, whole where programs do."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from commands import mfv_command
from making import finished, opening_of

from mfv.manifest.records import Opening
from mfv.odb.writer import Writer
from mfv.repo.artifacts import store
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository

LONG = "word " * 200_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    repo = Repository.create(folder / ".mfv")
    for number in (1, 2):

        def make(writer: Writer, text: str = f"{number}{LONG}") -> Opening:
            script = f"{text}\n".encode()
            opening = opening_of(script=script)(writer)
            return msgspec.structs.replace(opening, parameters=(store(writer, "text", text),))

        run = RunRecorder(repo, make)
        run.commit([finished(repo.database, run, 1, {"long": f"{number}{LONG}", "n": number})])
        run.seal("ok", ended=1)
    return folder


@pytest.mark.parametrize("words", [["log"], ["show", "@"], ["show", "@/start/1"], ["diff", "@"]])
def test_a_megabyte_is_cut_to_a_screen(large: Path, words: list[str]) -> None:
    ended = mfv_command(large, *words)
    assert ended.status == 0
    assert len(ended.out) < 4000
    assert "…" in ended.out


def test_the_value_itself_is_whole(large: Path) -> None:
    assert mfv_command(large, "cat", "@/start/1/long").out == f"2{LONG}"
