"""Failures that are caught: alone, after retries, in a foreach; and a timeout."""

import time

from metaflow import FlowSpec, catch, retry, step, timeout


class Catches(FlowSpec):
    @step
    def start(self):
        self.items = [0, 1, 2]
        self.next(self.each, foreach="items")

    @catch(var="problem", print_exception=False)
    @retry(times=1, minutes_between_retries=0)
    @step
    def each(self):
        self.value = 1
        if self.input == 1:
            self.value = 1 / 0
        self.next(self.join)

    @step
    def join(self, inputs):
        self.problems = [bool(one.problem) for one in inputs]
        self.said = [one.problem.exception for one in inputs if one.problem]
        self.kinds = [one.problem.type for one in inputs if one.problem]
        self.values = [getattr(one, "value", None) for one in inputs]
        self.next(self.slow)

    @catch(var="late", print_exception=False)
    @timeout(seconds=1)
    @step
    def slow(self):
        self.begun = True
        time.sleep(30)
        self.next(self.end)

    @step
    def end(self):
        self.was_late = self.late is not None
        self.begun_is_there = hasattr(self, "begun")


if __name__ == "__main__":
    Catches()
