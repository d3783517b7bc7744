"""A step that succeeds at its third attempt; attempts are kept apart."""

from metaflow import FlowSpec, current, retry, step


class Retries(FlowSpec):
    @retry(times=2, minutes_between_retries=0)
    @step
    def start(self):
        self.attempt = current.retry_count
        print("attempt", self.attempt)
        if current.retry_count < 2:
            raise ValueError("again")
        self.next(self.end)

    @step
    def end(self):
        self.last = self.attempt


if __name__ == "__main__":
    Retries()
