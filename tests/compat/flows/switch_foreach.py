"""A switch inside a foreach."""

from metaflow import FlowSpec, step


class SwitchForeach(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.each, foreach="items")

    @step
    def each(self):
        self.kind = "odd" if self.input % 2 else "even"
        self.next({"odd": self.odd, "even": self.even}, condition="kind")

    @step
    def odd(self):
        self.value = ("odd", self.input, self.index)
        self.next(self.meet)

    @step
    def even(self):
        self.value = ("even", self.input, self.index)
        self.next(self.meet)

    @step
    def meet(self):
        self.met = self.value
        self.next(self.join)

    @step
    def join(self, inputs):
        self.values = [one.met for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    SwitchForeach()
