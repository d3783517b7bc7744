"""A step that runs other flows, by Runner and as a program of their own."""

import subprocess
import sys

from metaflow import FlowSpec, Run, Runner, step


class Calls(FlowSpec):
    @step
    def start(self):
        with Runner("inherit.py", show_output=False).run(alpha=5, tags=["called"]) as running:
            self.by_runner = (running.status, running.returncode, running.run.successful)
            self.sum = running.run.data.sum
            self.tags = sorted(running.run.user_tags)
        words = [sys.executable, "inherit.py", "run", "--run-id-file", "number", "--beta", "7"]
        self.status = subprocess.run(words, capture_output=True, check=False).returncode
        with open("number") as file:
            self.read = Run(f"Inherit/{file.read().strip()}").data.sum
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Calls()
