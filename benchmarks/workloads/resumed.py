"""A foreach of which one task fails as long as the variable BROKEN is set."""

import os

from mfv import FlowSpec, Parameter, step


class ResumedFlow(FlowSpec):
    tasks = Parameter("tasks", default=100, type=int)

    @step
    def start(self) -> None:
        self.numbers = list(range(self.tasks))
        self.next(self.square, foreach="numbers")

    @step
    def square(self) -> None:
        # The last one, so that all others have ended when it fails.
        if self.input == self.tasks - 1 and os.environ.get("BROKEN"):
            raise ValueError("broken")
        self.result = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs) -> None:  # type: ignore[no-untyped-def]
        self.total = sum(task.result for task in inputs)
        self.next(self.end)

    @step
    def end(self) -> None:
        print(self.total)


if __name__ == "__main__":
    ResumedFlow()
