"""Decorators of the user's own: around steps, over steps, over the flow."""

from metaflow import (
    FlowMutator,
    FlowSpec,
    Parameter,
    StepMutator,
    UserStepDecorator,
    environment,
    step,
    user_step_decorator,
)


@user_step_decorator
def around(step_name, flow, inputs=None, attr=None):
    flow.before = f"before {step_name}"
    yield
    flow.after = f"after {step_name}"


class Marks(UserStepDecorator):
    def init(self, *args, **kwargs):
        self.word = kwargs.get("word", "none")

    def pre_step(self, step_name, flow, inputs=None):
        flow.marked = [self.word]

    def post_step(self, step_name, flow, exception=None):
        flow.marked = [*flow.marked, step_name]


class WithVariable(StepMutator):
    def mutate(self, mutable_step):
        mutable_step.add_decorator(environment, deco_kwargs={"vars": {"COMPAT_MUTATED": "yes"}})


class AddsParameter(FlowMutator):
    def pre_mutate(self, mutable_flow):
        mutable_flow.add_parameter("added", Parameter("added", default="by a mutator"))


@AddsParameter
class Mutated(FlowSpec):
    @around
    @step
    def start(self):
        self.in_step = self.before
        self.next(self.middle)

    @Marks(word="loud")
    @step
    def middle(self):
        self.was = self.marked
        self.next(self.end)

    @WithVariable
    @step
    def end(self):
        import os

        self.variable = os.environ.get("COMPAT_MUTATED")
        self.parameter = self.added


if __name__ == "__main__":
    Mutated()
