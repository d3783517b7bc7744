"""Values of many kinds, handed on, changed and deleted."""

from collections import OrderedDict, namedtuple
from datetime import datetime

from metaflow import FlowSpec, step

Point = namedtuple("Point", "x y")


class Own:
    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f"Own({self.value})"


class Kinds(FlowSpec):
    @step
    def start(self):
        self.nothing = None
        self.truth = True
        self.number = 3
        self.real = 0.1
        self.text = "größer"
        self.data = b"\x00\xff"
        self.many = {1, 2, 3}
        self.frozen = frozenset("ab")
        self.ordered = OrderedDict(b=1, a=2)
        self.when = datetime(2024, 2, 29)
        self.point = Point(1, 2)
        self.own = Own(5)
        self.big = 10**40
        self.next(self.middle)

    @step
    def middle(self):
        self.many.add(4)
        self.own.value += 1
        self.aliased = self.ordered
        self.next(self.end)

    @step
    def end(self):
        self.last = (sorted(self.many), self.own.value, self.point.x)


if __name__ == "__main__":
    Kinds()
