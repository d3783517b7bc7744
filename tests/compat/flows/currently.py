"""`current`, and tags from inside a task."""

from metaflow import FlowSpec, Parameter, current, step


class Currently(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @step
    def start(self):
        self.facts = {
            "flow_name": current.flow_name,
            "step_name": current.step_name,
            "retry_count": current.retry_count,
            "origin_run_id": current.origin_run_id,
            "namespace": current.namespace,
            "username": current.username,
            "parameter_names": list(current.parameter_names),
            "is_running_flow": current.is_running_flow,
            "tags": sorted(current.tags),
        }
        self.kinds = [type(current.run_id).__name__, type(current.task_id).__name__]
        self.path_is_right = current.pathspec == "/".join(
            ["Currently", current.run_id, "start", current.task_id]
        )
        self.handles = (
            current.run.pathspec == f"Currently/{current.run_id}",
            current.task.pathspec == current.pathspec,
        )
        self.asked = (current.get("step_name"), current.get("nothing", 3), "flow_name" in current)
        current.run.add_tag("inside")
        current.run.add_tags(["one", "two"])
        current.run.remove_tag("two")
        self.next(self.each, foreach="facts_list")

    facts_list = ("a", "b")

    @step
    def each(self):
        self.where = (current.step_name, self.index)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.places = [one.where for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        self.tags_then = sorted(current.run.user_tags)


if __name__ == "__main__":
    Currently()
