"""Running flows from a program: `Runner("train.py").run(alpha=0.5).run.data.accuracy`.

A flow runs as it does from a shell, in a process of its own, by its own command line; what comes
back is the client's Run. Knows how to say things on a command line, and nothing of what they mean.
"""

from __future__ import annotations

from mfv.runner.executing import ExecutingRun
from mfv.runner.notebook import NBRunner
from mfv.runner.runner import Deployer, Runner, RunnerError

__all__ = ["Deployer", "ExecutingRun", "NBRunner", "Runner", "RunnerError"]
