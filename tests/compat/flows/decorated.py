"""Decorators that change little here: environment, resources, and those for a cloud."""

import os

from metaflow import FlowSpec, environment, resources, schedule, step


@schedule(daily=True)
class Decorated(FlowSpec):
    @environment(vars={"COMPAT_WORD": "given"})
    @resources(cpu=1, memory=100)
    @step
    def start(self):
        self.word = os.environ["COMPAT_WORD"]
        self.next(self.end)

    @step
    def end(self):
        self.not_here = os.environ.get("COMPAT_WORD")


if __name__ == "__main__":
    Decorated()
