"""A step that runs other flows, by Runner and as a program of their own."""

import os
import subprocess
import sys

from metaflow import FlowSpec, Run, Runner, step


class Calls(FlowSpec):
    @step
    def start(self):
        mended = {**os.environ, "MENDED": "1"}
        with Runner("fails.py", show_output=False, env=mended) as runner:
            running = runner.run(alpha=5, tags=["called"])
            self.by_runner = (running.status, running.returncode, running.run.successful)
            self.alpha = running.run.data.before
            self.tags = sorted(running.run.user_tags)
            self.said = "middle ran" in running.stdout
        with Runner("fails.py", show_output=False).run() as running:
            self.failed = (running.status, running.returncode, running.run.successful)
        words = [sys.executable, "fails.py", "run", "--run-id-file", "number", "--alpha", "7"]
        self.status = subprocess.run(words, env=mended, capture_output=True).returncode
        with open("number") as file:
            self.read = Run(f"Fails/{file.read().strip()}").data.before
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Calls()
