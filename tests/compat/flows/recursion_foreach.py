"""A switch that leads back, inside a foreach: each item takes as many rounds as it needs."""

from metaflow import FlowSpec, step


class RecursionForeach(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.begin, foreach="items")

    @step
    def begin(self):
        self.left = self.input
        self.rounds = 0
        self.next(self.loop)

    @step
    def loop(self):
        self.left -= 1
        self.rounds += 1
        self.state = "more" if self.left else "done"
        self.next({"more": self.loop, "done": self.finish}, condition="state")

    @step
    def finish(self):
        self.result = (self.input, self.index, self.rounds)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.results = [one.result for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RecursionForeach()
