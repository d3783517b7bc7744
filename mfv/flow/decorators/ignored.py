"""Decorators for other machines and schedulers: taken as they are, and of no effect here."""

from __future__ import annotations

from mfv.flow.decorators.base import FlowDecorator, FlowMark, StepDecorator, StepMark

_MACHINE = "steps run on this machine"
_PYTHON = "steps run in this Python, with the packages that it has"
_SCHEDULE = "a flow runs when somebody runs it"


class IgnoredStepDecorator(StepDecorator):
    """A decorator without effect here, whatever its attributes."""

    open_ended = True


class IgnoredFlowDecorator(FlowDecorator):
    """A decorator without effect here, whatever its attributes."""

    open_ended = True
    many = True


def _step(name: str, why: str, *, many: bool = False) -> StepMark:
    doc = f"@{name} has no effect here: {why}."
    facts = {"name": name, "instead": why, "many": many, "__doc__": doc, "__module__": __name__}
    return StepMark(type(f"Ignored_{name}", (IgnoredStepDecorator,), facts))


def _flow(name: str, why: str) -> FlowMark:
    doc = f"@{name} has no effect here: {why}."
    facts = {"name": name, "instead": why, "__doc__": doc, "__module__": __name__}
    return FlowMark(type(f"Ignored_{name}", (IgnoredFlowDecorator,), facts))


kubernetes = _step("kubernetes", _MACHINE)
batch = _step("batch", _MACHINE)
titus = _step("titus", _MACHINE)
slurm = _step("slurm", _MACHINE)
conda = _step("conda", _PYTHON)
pypi = _step("pypi", _PYTHON)
airflow_external_task_sensor = _flow("airflow_external_task_sensor", _SCHEDULE)
airflow_s3_key_sensor = _flow("airflow_s3_key_sensor", _SCHEDULE)
conda_base = _flow("conda_base", _PYTHON)
pypi_base = _flow("pypi_base", _PYTHON)
schedule = _flow("schedule", _SCHEDULE)
trigger = _flow("trigger", _SCHEDULE)
trigger_on_finish = _flow("trigger_on_finish", _SCHEDULE)
exit_hook = _flow("exit_hook", "hooks run where a scheduler runs flows")
