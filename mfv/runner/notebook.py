"""`NBRunner`: runs the flow that a notebook's cell defines."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Mapping
from typing import Any

from mfv.client import Run
from mfv.errors import UsageError
from mfv.runner.executing import ExecutingRun
from mfv.runner.runner import Runner


class NBRunner:
    """Runs the flow of the cell that it stands in: `run = NBRunner(TrainFlow).nbrun()`.

    What comes before the class in the cell, imports for instance, belongs to the flow; it cannot
    see other cells. `cleanup` is to be called, but for `nbrun` and `nbresume`, which do it.
    """

    def __init__(
        self,
        flow: type,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        base_dir: str | os.PathLike[str] | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        """`base_dir`: where the flow runs and its script lies meanwhile; else here.

        Everything else as with Runner. UsageError where there is no notebook, or no flow in the
        cell.
        """
        script = _script(_cell(), flow.__name__)
        folder = os.path.abspath(base_dir or os.getcwd())
        with tempfile.NamedTemporaryFile(
            "w", prefix=flow.__name__, suffix=".py", dir=folder, delete=False
        ) as file:
            file.write(script)
        self._file = file.name
        self.runner = Runner(
            self._file,
            show_output,
            profile,
            {"JPY_PARENT_PID": "", **(env or {})},
            folder,
            file_read_timeout,
            **top_level,
        )

    def nbrun(self, **options: Any) -> Run:
        """Runs the flow to its end and returns the client's Run; nothing is left to clean up."""
        try:
            return self.runner.run(**options).run
        finally:
            self.cleanup()

    def nbresume(self, **options: Any) -> Run:
        """Resumes a run to its end and returns the client's Run; nothing is left to clean up."""
        try:
            return self.runner.resume(**options).run
        finally:
            self.cleanup()

    def run(self, **options: Any) -> ExecutingRun:
        """Runner.run"""
        return self.runner.run(**options)

    def resume(self, **options: Any) -> ExecutingRun:
        """Runner.resume"""
        return self.runner.resume(**options)

    async def async_run(self, **options: Any) -> ExecutingRun:
        """Runner.async_run"""
        return await self.runner.async_run(**options)

    async def async_resume(self, **options: Any) -> ExecutingRun:
        """Runner.async_resume"""
        return await self.runner.async_resume(**options)

    def cleanup(self) -> None:
        """Deletes the script and the output."""
        self.runner.cleanup()
        if os.path.exists(self._file):
            os.remove(self._file)


def _cell() -> str:
    """The source of the cell that runs."""
    try:
        from IPython import get_ipython  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is None:
        raise UsageError(
            "NBRunner works in a notebook alone", hint="Runner(FILE) runs a flow's script"
        )
    source: str = shell.history_manager.input_hist_raw[-1]
    return source


def _script(cell: str, name: str) -> str:
    """A script of the cell up to the end of the class `name`, which it then runs."""
    for node in ast.parse(cell).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            lines = cell.splitlines()[: node.end_lineno]
            return "\n".join([*lines, "", "", 'if __name__ == "__main__":', f"    {name}()", ""])
    raise UsageError(
        f"the cell does not define {name}", hint="put NBRunner into the cell of the flow's class"
    )
