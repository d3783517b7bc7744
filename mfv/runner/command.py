"""One process with its output in two files, waited for with or without an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from mfv.errors import NotFoundError, UsageError

_LOOK = 0.02  # seconds between two looks at a file that grows
_PATIENCE = 10.0  # seconds that a run has to end by itself after it was asked to


class Command:
    """A command that runs, or ran. Its output is kept until `cleanup`."""

    def __init__(self, words: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
        self.command = list(words)
        self.env, self.cwd = dict(env), cwd
        self.timeout = False  # whether it was ended because it took too long
        self.folder = Path(tempfile.mkdtemp(prefix="mfv-runner-"))
        self.log_files = {name: self.folder / f"{name}.log" for name in ("stdout", "stderr")}
        self.process: subprocess.Popen[bytes] | asyncio.subprocess.Process | None = None

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll()
        return None if self.process is None else self.process.returncode

    def run(self, *, show: bool) -> None:
        """Runs it to its end. `show` passes on its output as it comes.

        If this process is interrupted meanwhile, the command has 10 seconds to end as well.
        """
        with self._outputs() as (out, err):
            self.process = process = subprocess.Popen(
                self.command, cwd=self.cwd, env=self.env, stdout=out, stderr=err
            )
        try:
            with contextlib.ExitStack() as files:
                shown = [
                    (files.enter_context(path.open("rb")), getattr(sys, name))
                    for name, path in (self.log_files.items() if show else ())
                ]
                while process.poll() is None:
                    _pass_on(shown)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(_LOOK if show else None)
                _pass_on(shown)
        except BaseException:
            self._end(process)
            raise

    async def start(self) -> None:
        """Starts it, in the running event loop."""
        with self._outputs() as (out, err):
            self.process = await asyncio.create_subprocess_exec(
                *self.command, cwd=self.cwd, env=self.env, stdout=out, stderr=err
            )

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> None:
        """Waits until it has ended; after `timeout` seconds it is ended, and `timeout` is set.

        `stream`: `stdout` or `stderr`, printed meanwhile.
        """
        try:
            await asyncio.wait_for(self._ended(stream), timeout)
        except TimeoutError:
            self.timeout = True
            await self.terminate()

    async def terminate(self) -> None:
        """Ends it: a run is sealed as interrupted, unless it takes longer than 10 seconds."""
        process = self.process
        if process is None or self.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if isinstance(process, subprocess.Popen):
            self._end(process)
            return
        try:
            await asyncio.wait_for(process.wait(), _PATIENCE)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """The lines of `stdout` or `stderr` as they come, each with the position behind it.

        Begins at `position`, which is one of those, else at the beginning; ends with the process.
        """
        with self._log(stream).open("rb") as file:
            file.seek(position or 0)
            kept = b""
            while True:
                over = self.returncode is not None  # asked before the last look
                for line in file:
                    kept += line
                    if kept.endswith(b"\n") or over:
                        yield file.tell(), kept.decode(errors="replace").rstrip("\r\n")
                        kept = b""
                if over:
                    if kept:
                        yield file.tell(), kept.decode(errors="replace")
                    return
                await asyncio.sleep(_LOOK)

    def output(self, stream: str) -> str:
        """All that it wrote until now."""
        return self._log(stream).read_text(errors="replace")

    def cleanup(self) -> None:
        """Deletes its output."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _ended(self, stream: str | None) -> None:
        if stream is not None:
            async for _, line in self.stream_log(stream):
                print(line)
        if isinstance(self.process, asyncio.subprocess.Process):
            await self.process.wait()

    @contextlib.contextmanager
    def _outputs(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        with self.log_files["stdout"].open("wb") as out, self.log_files["stderr"].open("wb") as err:
            yield out, err

    def _log(self, stream: str) -> Path:
        if stream not in self.log_files:
            raise UsageError(f"a run has no stream {stream!r}", hint="say 'stdout' or 'stderr'")
        path = self.log_files[stream]
        if not path.exists():
            raise NotFoundError(
                f"the {stream} of this run is gone: its runner was cleaned up",
                hint="read it before, inside the `with` block; the tasks' own is in `run`",
            )
        return path

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        # It may have been interrupted by the same Ctrl-C, and is then sealing its run.
        for ask in (process.terminate, process.kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_PATIENCE / 2)
                return
            ask()
        process.wait()


def _pass_on(shown: Sequence[tuple[IO[bytes], IO[str]]]) -> None:
    for file, output in shown:
        data = file.read()
        if data:
            output.write(data.decode(errors="replace"))
            output.flush()
