"""Fails at its first attempt; says of no retry itself."""

from metaflow import FlowSpec, current, step


class Flaky(FlowSpec):
    @step
    def start(self):
        self.tries = current.retry_count
        if not current.retry_count:
            raise ValueError("at first")
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Flaky()
