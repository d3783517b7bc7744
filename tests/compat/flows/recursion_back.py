"""A switch that leads back over two steps."""

from metaflow import FlowSpec, step


class RecursionBack(FlowSpec):
    @step
    def start(self):
        self.count = 0
        self.next(self.work)

    @step
    def work(self):
        self.count += 1
        self.next(self.judge)

    @step
    def judge(self):
        self.done = self.count >= 2
        self.verdict = "done" if self.done else "again"
        self.next({"again": self.work, "done": self.end}, condition="verdict")

    @step
    def end(self):
        pass


if __name__ == "__main__":
    RecursionBack()
