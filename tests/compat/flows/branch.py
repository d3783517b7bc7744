"""A static split: inputs by name, by place, in order; merge_artifacts in all its forms."""

from metaflow import FlowSpec, step
from metaflow.exception import (
    MetaflowException,
    MissingInMergeArtifactsException,
    UnhandledInMergeArtifactsException,
)


class Branch(FlowSpec):
    @step
    def start(self):
        self.common = "same"
        self.clash = "before"
        self.other = 0
        self.next(self.b, self.a)

    @step
    def a(self):
        self.from_a = 1
        self.clash = "a"
        self.other = 1
        print("in a")
        self.next(self.join)

    @step
    def b(self):
        self.from_b = 2
        self.clash = "b"
        self.other = 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.named = (inputs.a.clash, inputs.b.clash)
        self.ordered = [one.clash for one in inputs]
        self.placed = (inputs[0].clash, inputs[1].clash, len(list(inputs)))
        self.sees_nothing = hasattr(self, "common")
        self.told = []
        try:
            self.merge_artifacts(inputs)
        except UnhandledInMergeArtifactsException as error:
            self.told.append(sorted(error.artifact_names))
        self.nothing_was_set = (hasattr(self, "common"), hasattr(self, "from_a"))
        try:
            self.merge_artifacts(inputs, include=["common", "nowhere"])
        except MissingInMergeArtifactsException as error:
            self.told.append(sorted(error.artifact_names))
        try:
            self.merge_artifacts(inputs, include=["common"], exclude=["clash"])
        except MetaflowException:
            self.told.append("both")
        self.merge_artifacts(inputs, include=["from_a"])
        self.after_include = (hasattr(self, "common"), self.from_a)
        self.clash = "settled"
        self.merge_artifacts(inputs, exclude=["other", "from_b"])
        self.next(self.end)

    @step
    def end(self):
        self.last = (self.common, self.from_a, self.clash)
        self.left_out = (hasattr(self, "other"), hasattr(self, "from_b"))


if __name__ == "__main__":
    Branch()
