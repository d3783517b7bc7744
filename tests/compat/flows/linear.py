"""Parameters of every kind, constants, private names, properties, what is handed on."""

from metaflow import FlowSpec, JSONType, Parameter, step


def by_default(context):
    return f"{context.flow_name}-{context.parameter_name}"


class Linear(FlowSpec):
    SIZE = 4
    NAMES = ("a", "b")
    _HIDDEN = "kept out"

    count = Parameter("count", default=1)
    rate = Parameter("rate", default=0.5)
    flag = Parameter("flag", default=False)
    word = Parameter("word", default="plain")
    whole = Parameter("whole", type=int, default=7)
    names = Parameter("names", default="x,y", separator=",")
    table = Parameter("table", type=JSONType, default='{"k": [1, 2]}')
    called = Parameter("called", default=by_default)
    absent = Parameter("absent")
    from_variable = Parameter("from_variable", default=1)
    dashed = Parameter("with-dash", default=3)

    @property
    def doubled(self):
        return self.count * 2

    @step
    def start(self):
        self.numbers = [1, 2]
        self.untouched = {"a": (1, 2)}
        self._private = "handed on"
        self.kind_of = {
            name: type(getattr(self, name)).__name__
            for name in ("count", "rate", "flag", "word", "whole", "names", "table", "absent")
        }
        print("start prints", self.count)
        print("and again")
        self.next(self.middle)

    @step
    def middle(self):
        self.numbers.append(self.doubled)
        self.seen = (self.SIZE, self.NAMES, self._HIDDEN, self._private)
        self.refused = []
        for name in ("count", "SIZE"):
            try:
                setattr(self, name, 9)
            except AttributeError:
                self.refused.append(name)
        self.gone = 1
        del self.gone
        self.next(self.end)

    @step
    def end(self):
        self.last = (self.numbers, self.untouched, self.from_variable, self.dashed)
        self.has_gone = hasattr(self, "gone")
        self.of_nothing = (self.index, self.input)


if __name__ == "__main__":
    Linear()
