"""A switch: one of several ways is taken; and one that is asked for a way it has not."""

from metaflow import FlowSpec, Parameter, step


class Switch(FlowSpec):
    way = Parameter("way", default="short")

    @step
    def start(self):
        self.path = ["start"]
        self.choice = self.way
        self.next({"short": self.short, "long": self.long}, condition="choice")

    @step
    def short(self):
        self.path.append("short")
        self.next(self.meet)

    @step
    def long(self):
        self.path.append("long")
        self.next(self.more)

    @step
    def more(self):
        self.path.append("more")
        self.next(self.meet)

    @step
    def meet(self):
        self.path.append("meet")
        self.next(self.end)

    @step
    def end(self):
        self.last = self.path


if __name__ == "__main__":
    Switch()
