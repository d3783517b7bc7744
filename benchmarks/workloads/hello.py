"""Three steps in a line that do next to nothing: what is left is what the system itself costs."""

from mfv import FlowSpec, step


class HelloFlow(FlowSpec):
    @step
    def start(self) -> None:
        self.greeting = "hello"
        self.next(self.middle)

    @step
    def middle(self) -> None:
        self.length = len(self.greeting)
        self.next(self.end)

    @step
    def end(self) -> None:
        print(self.greeting, self.length)


if __name__ == "__main__":
    HelloFlow()
