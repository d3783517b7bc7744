"""A switch that leads back: a step runs until it has enough."""

from metaflow import FlowSpec, Parameter, step


class Recursion(FlowSpec):
    rounds = Parameter("rounds", default=3)

    @step
    def start(self):
        self.count = 0
        self.trail = []
        self.next(self.loop)

    @step
    def loop(self):
        self.count += 1
        self.trail = [*self.trail, self.count]
        self.again = "yes" if self.count < self.rounds else "no"
        self.next({"yes": self.loop, "no": self.end}, condition="again")

    @step
    def end(self):
        self.last = self.trail


if __name__ == "__main__":
    Recursion()
