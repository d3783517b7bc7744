"""Prints, as one JSON value, all that the client tells of a flow's runs.

    python observe.py FLOW [RUN …]      the runs from the oldest to the newest

It imports metaflow alone, so it is the same observer whether that is Metaflow or mfv. Numbers that
no two runs share are replaced: tasks by their step and their place in the foreaches, runs by their
place in the list.
"""

from __future__ import annotations

import json
import pickle
import re
import sys

from metaflow import Flow, Metaflow, Run, Step, Task, get_namespace, namespace
from metaflow.exception import MetaflowException

# What Metaflow keeps among the artifacts for itself.
INTERNAL = (
    *("_configs_processed", "_current_step", "_exception", "_foreach_num_splits", "_foreach_var"),
    *("_foreach_stack", "_foreach_values", "_graph_info", "_iteration_stack", "_success"),
    *("_task_ok", "_transition", "_control_mapper_tasks", "_control_task_is_mapper_zero"),
    *("_switch_condition", "_parallel_ubf_iter", "_unbounded_foreach", "_flow_state"),
)
NEAREST = ("python_version", "metaflow_version", "mfv_version", "date")  # tags of the machine


def canonical(value):
    """A value's text, the same in every process."""
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}({sorted(map(canonical, value))})"
    if isinstance(value, dict):
        inside = ", ".join(f"{k!r}: {canonical(v)}" for k, v in value.items())
        return f"{type(value).__name__}({inside})"
    if hasattr(value, "stacktrace"):  # what @catch keeps, whose lines are those of the runtime
        said = value.exception.partition("\n")[0]
        return f"caught {value.type.rpartition('.')[2]}: {said}"
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)})"


def values_of(things):
    """The values of artifacts by name, without what is Metaflow's own."""
    return {
        name: canonical(value)
        for name, value in things
        if name not in INTERNAL and (name, value) != ("name", FLOW)
    }


def artifacts_of(task):
    return values_of((one.id, one.data) for one in task)


def outcome(act):
    """What `act` returns, or the name of the class of what it raises."""
    try:
        return act()
    except (MetaflowException, KeyError) as error:
        return f"raises {known_class(error)}"


def known_class(error):
    """The name that a user catches: a subclass of KeyError is told as one."""
    for kind in (KeyError,):
        if isinstance(error, kind):
            return kind.__name__
    return type(error).__name__


def natural(name):
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(name))]


def lines_of(task):
    """What a task printed, without what the runtime says of a timeout or an end by force."""
    said = (" timed out after ", "[KILLED BY ORCHESTRATOR]")
    return [line for line in task.stdout.splitlines() if not any(one in line for one in said)]


def execution_path(task):
    """The indices of the foreaches that a task is in, each behind the step split into."""
    return task.metadata_dict.get("foreach-execution-path")


class Labels:
    """A name for each task of a run that does not depend on its id."""

    def __init__(self, run):
        self.of = {}
        groups = {}
        for step in run:
            for task in sorted(step, key=lambda task: natural(task.id)):
                path = ",".join(re.findall(r":(\d+)", execution_path(task) or ""))
                groups.setdefault(f"{step.id}[{path}]" if path else step.id, []).append(task)
        for label, tasks in groups.items():
            for place, task in enumerate(tasks):
                self.of[task.pathspec] = label if len(tasks) == 1 else f"{label}#{place}"

    def sorted(self, tasks):
        return sorted(self.of.get(task.pathspec, task.pathspec) for task in tasks)


def of_task(task, labels):
    error = task.exception
    names = {one.id for one in task}
    return {
        "index": task.index,
        "execution_path": execution_path(task),
        "successful": task.successful,
        "finished": task.finished,
        "artifacts": artifacts_of(task),
        "the_same_by": [
            {one.id for one in task.artifacts} == names,
            {name for name in labels.names if name in task.data} == names,
        ],
        "parents": outcome(lambda: labels.sorted(task.parent_tasks)),
        "children": outcome(lambda: labels.sorted(task.child_tasks)),
        "exception": error and [error.type, error.exception],
        "stdout": lines_of(task),
        "attempt": task.current_attempt,
        "attempts_before": [
            outcome(lambda attempt=attempt: of_attempt(task, attempt))
            for attempt in range(task.current_attempt)
        ],
        "origin": origin_of(task),
        "code_is_none": task.code is None,
    }


def of_attempt(task, attempt):
    found = Task(task.pathspec, attempt=attempt)
    return {
        "successful": found.successful,
        "artifacts": artifacts_of(found),
        "stdout": lines_of(found),
    }


def origin_of(thing):
    """The step or run behind `origin_pathspec`, its numbers left out."""
    origin = thing.origin_pathspec
    if origin is None or origin.split("/")[1] == "None":  # Metaflow says Flow/None
        return None
    parts = origin.split("/")
    return "/".join([parts[0], f"run {RUNS.index(parts[1])}", *parts[2:3]])


def of_step(step):
    ids = [natural(task.id) for task in step]
    return {
        "parents": outcome(lambda: sorted(one.id for one in step.parent_steps)),
        "children": outcome(lambda: sorted(one.id for one in step.child_steps)),
        "tasks": len(ids),
        "finished_at": step.finished_at is not None,
        "newest_first": ids == sorted(ids, reverse=True),
    }


def of_run(run):
    labels = Labels(run)
    labels.names = sorted({one.id for step in run for task in step for one in task})
    system = sorted(tag for tag in run.system_tags if tag.split(":")[0] not in NEAREST)
    end = run.end_task
    return {
        "successful": run.successful,
        "finished": run.finished,
        "finished_at": run.finished_at is not None,
        "user_tags": sorted(run.user_tags),
        "system_tags": system,
        "tags_are_both": set(run.tags) == set(run.user_tags) | set(run.system_tags),
        "tags_of_a_task": [
            sorted(task.user_tags) == sorted(run.user_tags) for step in run for task in step
        ][:1],
        "origin": origin_of(run),
        "end_task": end and labels.of[end.pathspec],
        "data": run.data
        and values_of((n, getattr(run.data, n)) for n in labels.names if n in run.data),
        "steps": sorted(step.id for step in run),
        "first_and_last": [step.id for step in run][:: max(1, len(list(run)) - 1)],
        "steps_in": {step.id: of_step(step) for step in run},
        "parameters": artifacts_of(run["_parameters"].task),
        "tasks": {labels.of[task.pathspec]: of_task(task, labels) for step in run for task in step},
        "no_such": outcome(lambda: run["no_such_step"]),
        "contains": ["start" in run, "no_such_step" in run],
        "is_in_namespace": run.is_in_namespace(),
        "depths": [
            run.path_components == run.pathspec.split("/"),
            run.parent.id == run.pathspec.split("/")[0],
        ],
    }


def place_of(run):
    """A run's place among those that were started in earnest."""
    return RUNS.index(run) if run in RUNS else run and "another"


def of_flow(name):
    flow = Flow(name)
    newest = flow.latest_run
    ok = flow.latest_successful_run
    seen = {
        "listed": [one.id for one in flow],
        "latest": newest.id,
        "latest_successful": ok and ok.id,
        "runs_of_a_tag": [one.id for one in flow.runs("trial")],
    }
    seen = {
        key: [place_of(one) for one in value] if isinstance(value, list) else place_of(value)
        for key, value in seen.items()
    }
    pathspec = newest.pathspec
    seen["namespace"] = get_namespace()
    seen["no_such_run"] = outcome(lambda: flow["12345678901"])
    seen["no_such_run_by_name"] = outcome(lambda: Run(f"{name}/12345678901"))
    seen["no_such_flow"] = outcome(lambda: Flow("NoSuchFlow"))
    seen["bad_pathspec"] = [outcome(lambda: Step(pathspec)), outcome(lambda: Run(name))]
    namespace("user:nobody")
    seen["elsewhere"] = [
        outcome(lambda: Flow(name)),
        outcome(lambda: Run(pathspec)),
        outcome(lambda: Step(f"{pathspec}/start")),
        [one.id for one in Metaflow()],
    ]
    namespace(None)
    seen["everywhere"] = [Run(pathspec).id == newest.id, get_namespace()]
    return seen


def of_dumps(files):
    """What `dump --file` wrote, each task's values under its label."""
    found = {}
    for file in files:
        with open(file, "rb") as stream:
            for pathspec, values in pickle.load(stream).items():
                run, step, task = pathspec.split("/")
                labels = Labels(Run(f"{FLOW}/{run}"))
                label = labels.of[f"{FLOW}/{run}/{step}/{task}"]
                found[label] = values_of(values.items())
    return found


if __name__ == "__main__":
    FLOW, *words = sys.argv[1:]
    RUNS = [word for word in words if not word.endswith(".pkl")]
    # What a flow's own module defined is looked for in __main__ when it is unpickled.
    import importlib.util

    spec = importlib.util.spec_from_file_location("flow_under_test", "flow.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in vars(module).items():
        if isinstance(value, type) and value.__module__ == "flow_under_test":
            globals().setdefault(name, value)
    seen = {
        "runs": [of_run(Run(f"{FLOW}/{number}")) for number in RUNS],
        "dumped": of_dumps([word for word in words if word.endswith(".pkl")]),
        "flow": of_flow(FLOW) if RUNS else {},
    }
    json.dump(seen, sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
