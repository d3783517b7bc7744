"""`Runner`: runs a flow's script, and finds its run by what the run says of itself."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, NoReturn, Self

from mfv.client.place import local_folder
from mfv.client.run import run_at
from mfv.errors import MfvError, NotFoundError, UsageError
from mfv.runner.command import Command
from mfv.runner.executing import ExecutingRun
from mfv.runner.words import words_after, words_before


class RunnerError(MfvError):
    """The flow's command line refused what it was given, or ended before its run began."""

    code = "runner"

    def __init__(self, message: str, returncode: int, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.returncode = returncode  # of the flow's process


class Runner:
    """Runs a flow as its command line does. As a context manager it deletes the output at the end.

        with Runner("train.py") as runner:
            result = runner.run(alpha=0.5, tags=["trial"])
            print(result.status, result.run.data.accuracy)

    Several runs of one runner may go on at a time.
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        """`flow_file`: the script. `show_output`: whether `run` and `resume` pass its output on.

        `env`: variables beside those of this process. `cwd`: where it runs, else here.
        `profile`: what METAFLOW_PROFILE is to be, for flows that look at it. `file_read_timeout`:
        seconds that a run has to begin. `top_level`: options before the command, such as
        `quiet=True`. Raises NotFoundError if there is no such script.
        """
        self.flow_file = os.path.abspath(flow_file)
        if not os.path.isfile(self.flow_file):
            raise NotFoundError(
                f"there is no file {os.fspath(flow_file)}", hint="give the path of a flow's script"
            )
        self.show_output = show_output
        self.cwd = os.path.abspath(cwd or os.getcwd())
        self.env_vars = {**os.environ, **(env or {})}
        if profile is not None:
            self.env_vars["METAFLOW_PROFILE"] = profile
        self.file_read_timeout = file_read_timeout
        self.top_level_kwargs = top_level
        self._commands: list[Command] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cleanup()

    def run(self, **options: Any) -> ExecutingRun:
        """Runs the flow and waits for its end.

        `options`: the flow's parameters, and what `python FLOW.py run` takes, `max_workers=4` for
        instance. A run that fails is returned as any other. Raises RunnerError, with what the
        flow's command line said, if no run began.
        """
        return self._run("run", options)

    def resume(self, **options: Any) -> ExecutingRun:
        """Goes on from a run that failed, and waits for the end; else as `run`.

        `options`: what `python FLOW.py resume` takes, `origin_run_id` and `step_to_rerun` say.
        """
        return self._run("resume", options)

    async def async_run(self, **options: Any) -> ExecutingRun:
        """As `run`, and returns as soon as the run has begun."""
        return await self._start("run", options)

    async def async_resume(self, **options: Any) -> ExecutingRun:
        """As `resume`, and returns as soon as the run has begun."""
        return await self._start("resume", options)

    def cleanup(self) -> None:
        """Deletes the output of all its runs, which themselves stay."""
        for command in self._commands:
            command.cleanup()

    def _run(self, name: str, options: Mapping[str, Any]) -> ExecutingRun:
        with _pipe() as (path, fd):
            command = self._command(name, options, path)
            command.run(show=self.show_output)
            return self._executing(command, name, _said(fd))

    async def _start(self, name: str, options: Mapping[str, Any]) -> ExecutingRun:
        with _pipe() as (path, fd):
            command = self._command(name, options, path)
            await command.start()
            begun, ended = asyncio.ensure_future(_line(fd)), asyncio.ensure_future(command.wait())
            try:
                done, _ = await asyncio.wait(
                    {begun, ended},
                    timeout=self.file_read_timeout,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            except BaseException:
                await command.terminate()
                raise
            finally:
                begun.cancel()
                ended.cancel()
            if not done:
                await command.terminate()
                raise RunnerError(
                    f"{name} of {self.flow_file} took longer than {self.file_read_timeout} s to "
                    "begin, and was ended",
                    command.returncode or 1,
                    hint="file_read_timeout says how long it may take",
                )
            said = begun.result() if begun in done else _said(fd)
            return self._executing(command, name, said)

    def _command(self, name: str, options: Mapping[str, Any], path: str) -> Command:
        words = [
            *(sys.executable, self.flow_file, *words_before(self.top_level_kwargs), name),
            f"--runner-attribute-file={path}",
            *words_after(options),
        ]
        if not os.path.isdir(self.cwd):
            raise NotFoundError(f"there is no folder {self.cwd}", hint="cwd is where the flow runs")
        command = Command(words, self.env_vars, self.cwd)
        self._commands.append(command)
        return command

    def _executing(self, command: Command, name: str, said: bytes) -> ExecutingRun:
        if not said:
            self._refuse(command, name)
        facts = json.loads(said)
        folder = local_folder(facts["metadata"])
        return ExecutingRun(self, command, run_at(folder, facts["flow_name"], facts["run_id"]))

    def _refuse(self, command: Command, name: str) -> NoReturn:
        """Raises what the flow's command line said when it began no run."""
        code = command.returncode
        lines = command.output("stderr").strip().splitlines()
        hint = next((line[6:] for line in lines if line.startswith("hint: ")), None)
        told = [line for line in lines if line.startswith("error: ")]
        said = told[-1][7:] if told else "\n".join(lines[-20:]) or f"it ended with {code}"
        raise RunnerError(
            f"{name} of {Path(self.flow_file).name} did not begin: {said}", code or 1, hint=hint
        )


class Deployer:
    """Metaflow's way to give a flow to a scheduler in a cloud, which mfv does not do."""

    def __init__(self, flow_file: str = "", *args: Any, **kwargs: Any) -> None:
        raise UsageError(
            f"mfv deploys no flows{f', and not {flow_file}' * bool(flow_file)}",
            hint="Runner runs it here; cron or any scheduler can call `python FLOW.py run`",
        )


@contextmanager
def _pipe() -> Iterator[tuple[str, int]]:
    """A named pipe by which a run says its name: its path, and the end to be read."""
    with TemporaryDirectory(prefix="mfv-runner-") as folder:
        path = os.path.join(folder, "attributes")
        os.mkfifo(path, 0o600)
        # Also open for writing: else it would be at its end whenever nobody else writes.
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            yield path, fd
        finally:
            os.close(fd)


def _said(fd: int) -> bytes:
    """What there is to be read."""
    try:
        return os.read(fd, 1 << 16)
    except BlockingIOError:
        return b""


async def _line(fd: int) -> bytes:
    """The line that will come."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    said = bytearray()
    loop.add_reader(fd, arrived.set)
    try:
        while not said.endswith(b"\n"):
            await arrived.wait()
            arrived.clear()
            said += _said(fd)
    finally:
        loop.remove_reader(fd)
    return bytes(said)
