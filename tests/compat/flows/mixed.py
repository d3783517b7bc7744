"""A foreach in a branch, and branches in that foreach, joined at every level."""

from metaflow import FlowSpec, step


class Mixed(FlowSpec):
    @step
    def start(self):
        self.base = 100
        self.next(self.fan, self.plain)

    @step
    def plain(self):
        self.value = self.base
        self.next(self.join)

    @step
    def fan(self):
        self.items = ["p", "q"]
        self.next(self.split, foreach="items")

    @step
    def split(self):
        self.word = self.input
        self.next(self.up, self.down)

    @step
    def up(self):
        self.value = self.word.upper()
        self.inside = (self.input, self.index)
        self.next(self.meet)

    @step
    def down(self):
        self.value = self.word * 2
        self.next(self.meet)

    @step
    def meet(self, inputs):
        self.pair = (inputs.up.value, inputs.down.value, self.input, self.index)
        self.next(self.gather)

    @step
    def gather(self, inputs):
        self.pairs = [one.pair for one in inputs]
        self.next(self.join)

    @step
    def join(self, inputs):
        self.result = (inputs.gather.pairs, inputs.plain.value)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Mixed()
