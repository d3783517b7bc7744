"""A foreach of which one task fails, until the variable MENDED is set."""

import os

from metaflow import FlowSpec, step


class FailsForeach(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.each, foreach="items")

    @step
    def each(self):
        self.value = self.input * 10
        if self.input == 2 and not os.environ.get("MENDED"):
            raise ValueError("two")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.value for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    FailsForeach()
