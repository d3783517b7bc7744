"""Introduces the code of a run to the files as they are now."""

from __future__ import annotations

import os
from pathlib import Path

from mfv.capture import snapshot
from mfv.capture.modules import MODULES_FOLDER
from mfv.compare import contents_of
from mfv.diff.code import FileChange, diff_trees, needed_blobs
from mfv.errors import NotFoundError
from mfv.ids import BlobId
from mfv.manifest.records import Tree, TreeFile
from mfv.repo.view import RunView


def diff_with_files(run: RunView, start: str) -> tuple[tuple[FileChange, ...], dict[bytes, bytes]]:
    """What differs from the code of `run` to the files around `start`, and their bytes by blob.

    They are listed as a run of the same script would list them. Modules from elsewhere are left
    out. NotFoundError where the script is not there.
    """
    config = run.repository.config
    found = snapshot.take(
        _script(run.opening.script, start),
        file_limit=config.max_file_size,
        total_limit=config.max_total_size,
    )
    contents: dict[bytes, bytes] = {}
    files = []
    for file in found.files:
        data = snapshot.read(found, file)
        blob = bytes(BlobId.of(data))
        contents[blob] = data
        path = file.path.encode("utf-8", "surrogateescape")
        files.append(TreeFile(path, file.mode, blob, len(data)))
    prefix = f"{MODULES_FOLDER}/".encode()
    own = tuple(file for file in run.tree.files if not file.path.startswith(prefix))
    before, after = Tree(own), Tree(tuple(sorted(files, key=lambda file: file.path)))
    wanted = {one.blob for one in own} | needed_blobs(before, after)
    here = {one.blob for one in files}
    contents |= contents_of((blob for blob in wanted if blob not in here), run)
    return diff_trees(before, after, contents), contents


def _script(script: str, start: str) -> Path:
    """The script of a run as it is now: below `start`, or a folder above it."""
    place = os.path.abspath(start)
    while True:
        found = os.path.join(place, script)
        if os.path.isfile(found):
            return Path(found)
        above = os.path.dirname(place)
        if above == place:
            raise NotFoundError(
                f"there is no {script} here or above",
                hint="go to the folder of the code, or use -C",
            )
        place = above
