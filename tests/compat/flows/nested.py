"""A foreach in a foreach."""

from metaflow import FlowSpec, step


class Nested(FlowSpec):
    @step
    def start(self):
        self.letters = ["x", "y"]
        self.next(self.outer, foreach="letters")

    @step
    def outer(self):
        self.letter = self.input
        self.numbers = list(range(self.index + 1))
        self.next(self.inner, foreach="numbers")

    @step
    def inner(self):
        self.at = (self.letter, self.input, self.index, self.foreach_stack())
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.word = [one.at for one in inputs]
        self.here = (self.input, self.index, self.foreach_stack())
        self.next(self.collect)

    @step
    def collect(self, inputs):
        self.all = [one.word for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Nested()
