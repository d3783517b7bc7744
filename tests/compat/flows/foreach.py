"""One foreach: index, input, stack, order of the inputs."""

from metaflow import FlowSpec, step


class Foreach(FlowSpec):
    @step
    def start(self):
        self.items = ["x", "y", "z"]
        self.common = 5
        self.next(self.each, foreach="items")

    @step
    def each(self):
        self.got = (self.input, self.index, self.foreach_stack())
        self.mine = self.input * 2
        print("each", self.input)
        self.next(self.more)

    @step
    def more(self):
        self.still = (self.input, self.index)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.order = [one.mine for one in inputs]
        self.first = inputs[0].still
        self.merge_artifacts(inputs, exclude=["got", "mine", "still"])
        self.outside = (self.input, self.index, self.foreach_stack())
        self.next(self.end)

    @step
    def end(self):
        self.last = self.common


if __name__ == "__main__":
    Foreach()
