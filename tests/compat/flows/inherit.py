"""A flow that takes over steps, parameters and constants from others."""

from metaflow import FlowSpec, Parameter, step


class Base(FlowSpec):
    LEVEL = 1
    SHARED = "base"
    alpha = Parameter("alpha", default=1)

    def helper(self):
        return self.LEVEL * 10

    @step
    def start(self):
        self.at_start = self.helper()
        self.next(self.middle)

    @step
    def middle(self):
        self.who = "base"
        self.next(self.end)


class Inherit(Base):
    LEVEL = 2
    beta = Parameter("beta", default=2)

    @step
    def middle(self):
        self.who = "derived"
        self.sum = self.alpha + self.beta
        self.next(self.end)

    @step
    def end(self):
        self.all = (self.LEVEL, self.SHARED, self.who)


if __name__ == "__main__":
    Inherit()
