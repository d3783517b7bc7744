"""Three steps in a line: the smallest flow that shows how values travel.

    python examples/hello/flow.py run --who Ada

Run it twice with two names, then ask what changed: `mfv diff 1 2`.
"""

from __future__ import annotations

from mfv import FlowSpec, Parameter, step


class HelloFlow(FlowSpec):
    """Greet somebody."""

    who = Parameter("who", default="world", help="Who is greeted.")

    @step
    def start(self) -> None:
        # Whatever a step leaves on `self` is an artifact: stored, and there in the next step.
        self.greeting = f"Hello, {self.who}!"
        self.next(self.count)

    @step
    def count(self) -> None:
        self.letters = sum(character.isalpha() for character in self.greeting)
        self.next(self.end)

    @step
    def end(self) -> None:
        print(f"{self.greeting} ({self.letters} letters)")


if __name__ == "__main__":
    HelloFlow()
