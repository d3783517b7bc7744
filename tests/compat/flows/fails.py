"""A step that fails, until the variable MENDED is set; what it left is kept."""

import os

from metaflow import FlowSpec, Parameter, step


class BrokenError(Exception):
    pass


class Fails(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.before = self.alpha
        print("start ran")
        self.next(self.middle)

    @step
    def middle(self):
        self.left = "by the attempt"
        print("middle ran")
        if not os.environ.get("MENDED"):
            raise BrokenError("not mended")
        self.next(self.end)

    @step
    def end(self):
        self.last = (self.before, self.left)


if __name__ == "__main__":
    Fails()
