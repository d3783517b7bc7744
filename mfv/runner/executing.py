"""A run that a program started: its process, and the client's handle on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mfv.client import Run
from mfv.runner.command import Command

if TYPE_CHECKING:
    from mfv.runner.runner import Runner


class ExecutingRun:
    """A run that goes on, or is over. As a context manager it cleans its runner up."""

    run: Run  # the client's handle; it can be polled while the run goes on

    def __init__(self, runner: Runner, command_obj: Command, run_obj: Run) -> None:
        self.runner, self.command_obj, self.run = runner, command_obj, run_obj

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.runner.cleanup()

    @property
    def status(self) -> str:
        """`running`, `successful`, `failed`, or `timeout` where it was ended for that."""
        if self.command_obj.timeout:
            return "timeout"
        if self.returncode is None:
            return "running"
        return "successful" if self.returncode == 0 else "failed"

    @property
    def returncode(self) -> int | None:
        """The exit status of the flow's process; None while it runs."""
        return self.command_obj.returncode

    @property
    def stdout(self) -> str:
        """What the flow's process wrote to stdout until now; NotFoundError after a clean-up."""
        return self.command_obj.output("stdout")

    @property
    def stderr(self) -> str:
        """What the flow's process wrote to stderr until now; NotFoundError after a clean-up."""
        return self.command_obj.output("stderr")

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> Self:
        """Waits for the end of the run; after `timeout` seconds it is interrupted.

        `stream`: `stdout` or `stderr`, printed meanwhile. Returns this object.
        """
        await self.command_obj.wait(timeout, stream)
        return self

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """The lines of `stdout` or `stderr` as they come, each with the position behind it.

        A position that was given is where another call can go on.
        """
        async for found in self.command_obj.stream_log(stream, position):
            yield found

    def __repr__(self) -> str:
        return f"<ExecutingRun: {self.run.pathspec}, {self.status}>"
