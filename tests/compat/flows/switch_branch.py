"""A switch inside a branch."""

from metaflow import FlowSpec, step


class SwitchBranch(FlowSpec):
    @step
    def start(self):
        self.next(self.a, self.b)

    @step
    def a(self):
        self.choice = "two"
        self.next({"one": self.one, "two": self.two}, condition="choice")

    @step
    def one(self):
        self.value = 1
        self.next(self.meet)

    @step
    def two(self):
        self.value = 2
        self.next(self.meet)

    @step
    def meet(self):
        self.next(self.join)

    @step
    def b(self):
        self.value = 3
        self.next(self.join)

    @step
    def join(self, inputs):
        # Metaflow gives the inputs in an order that changes from run to run.
        self.values = sorted(one.value for one in inputs)
        self.named = (inputs.meet.value, inputs.b.value)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SwitchBranch()
