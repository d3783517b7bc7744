"""The code of a run, and what was around it."""

from __future__ import annotations

import io
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mfv.client.errors import MetaflowNotFound
from mfv.client.rundata import RunData
from mfv.errors import did_you_mean
from mfv.manifest.records import TreeFile

if TYPE_CHECKING:
    from tarfile import TarFile
    from tempfile import TemporaryDirectory


class MetaflowCode:
    """The code snapshot of one run. Files are read when they are asked for."""

    def __init__(self, data: RunData) -> None:
        self._data = data

    @property
    def sha(self) -> str:
        """The id of the snapshot in hex: equal for equal files."""
        return self._data.opening.tree.hex()

    @property
    def script_name(self) -> str:
        """The path of the file with the flow, one of `files`."""
        return self._data.opening.script

    @property
    def flowspec(self) -> str:
        """The source text of the file with the flow."""
        return self.read(self.script_name).decode(errors="replace")

    @property
    def files(self) -> list[str]:
        """The paths of the snapshot's files and symlinks, sorted, with '/' between their parts."""
        return list(self._files)

    def read(self, path: str) -> bytes:
        """The bytes of one of `files`, verified; of a symlink, what it points to.

        Raises MetaflowNotFound with near names, or CorruptError.
        """
        if path in self._files:
            return self._data.read_blob(self._files[path].blob)
        left_out = {one.path: one.reason for one in self._data.opening.left_out}
        if path in left_out:
            raise MetaflowNotFound(
                f"{path} is not in the code of {self._data.name}: it was left out "
                f"({left_out[path]})"
            )
        raise MetaflowNotFound(
            f"{path} is not in the code of {self._data.name}",
            hint=did_you_mean(path, self._files),
        )

    @property
    def info(self) -> dict[str, Any]:
        """What was around the run, under the names of Metaflow's INFO and some more.

        `version` is that of the user's project as its tags tell it, `packages` has the version of
        each, and what is not known is None.
        """
        return self._data.info()

    @property
    def tarball(self) -> TarFile:
        """The files as an open tar archive in memory."""
        import tarfile

        from mfv.client.extract import is_link

        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as out:
            for path, file in self._files.items():
                data = self.read(path)
                entry = tarfile.TarInfo(path)
                entry.mode = file.mode & 0o777
                if is_link(file):
                    entry.type, entry.mode = tarfile.SYMTYPE, 0o777
                    entry.linkname = data.decode("utf-8", "surrogateescape")
                    out.addfile(entry)
                else:
                    entry.size = len(data)
                    out.addfile(entry, io.BytesIO(data))
        archive.seek(0)
        return tarfile.open(fileobj=archive)

    def extract(self, *, links: bool = True) -> TemporaryDirectory[str]:
        """The files in a new temporary folder, which goes when the `with` block ends.

        Raises CorruptError, and leaves nothing behind, if a path or a symlink would lead out of
        the folder; `links=False` leaves all symlinks out.
        """
        from mfv.client.extract import extract

        return extract(
            self._data.name,
            self._data.tree,
            lambda file: self._data.read_blob(file.blob),
            links=links,
        )

    def __repr__(self) -> str:
        return f"<MetaflowCode: {self.script_name} of {self._data.name}>"

    @cached_property
    def _files(self) -> dict[str, TreeFile]:
        found = self._data.tree.files
        return {file.path.decode("utf-8", "surrogateescape"): file for file in found}


def environment_info(data: RunData) -> dict[str, Any]:
    """The machine of a run, and `packages` with the version of each."""
    from mfv.repo.info import environment_json, sources_of

    environment = data.environment
    packages = {package.name: package.version for package in environment.packages}
    found = environment_json(environment)
    return {**found, "packages": packages, "sources": sources_of(environment)}
