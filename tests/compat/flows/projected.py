"""A project and its branch, in tags and in `current`."""

from metaflow import FlowSpec, current, project, step


@project(name="planets")
class Projected(FlowSpec):
    @step
    def start(self):
        self.at = (
            current.project_name,
            current.branch_name,
            current.project_flow_name,
            current.is_production,
            current.is_user_branch,
        )
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Projected()
