"""fsck where a codec's package is missing: it says so, and calls nothing damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy
from making import whole_run

from mfv.maintain.fsck import fsck
from mfv.repo.repository import Repository

WITHOUT = """
import sys
sys.modules["pcodec"] = None
from mfv.maintain.fsck import fsck
from mfv.odb.numbers import MissingCodecError
from mfv.repo.repository import Repository

try:
    fsck(Repository.open(sys.argv[1]), data=True)
except MissingCodecError as error:
    print(error)
"""


def test_fsck_asks_for_the_package_that_it_needs_to_read_everything(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / ".mfv")
    whole_run(repository, {"ids": numpy.arange(200_000)})
    assert fsck(repository, data=True).findings == ()
    command = [sys.executable, "-c", WITHOUT, str(tmp_path / ".mfv")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the package pcodec is missing here" in done.stdout
    assert "pip install pcodec" in done.stdout
