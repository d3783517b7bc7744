"""mfv: git for ML runs. Every execution is versioned, compared, and brought back bit for bit.

The public names below are loaded on first use; `import mfv` imports nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mfv._version import __version__ as __version__
    from mfv.client import DataArtifact as DataArtifact
    from mfv.client import Flow as Flow
    from mfv.client import Metaflow as Metaflow
    from mfv.client import Run as Run
    from mfv.client import Step as Step
    from mfv.client import Task as Task
    from mfv.client import default_metadata as default_metadata
    from mfv.client import default_namespace as default_namespace
    from mfv.client import get_metadata as get_metadata
    from mfv.client import get_namespace as get_namespace
    from mfv.client import metadata as metadata
    from mfv.client import namespace as namespace
    from mfv.flow.config import Config as Config
    from mfv.flow.configvalue import ConfigValue as ConfigValue
    from mfv.flow.current import current as current
    from mfv.flow.decorators.card import card as card
    from mfv.flow.decorators.catch import catch as catch
    from mfv.flow.decorators.environment import environment as environment
    from mfv.flow.decorators.ignored import batch as batch
    from mfv.flow.decorators.ignored import conda as conda
    from mfv.flow.decorators.ignored import conda_base as conda_base
    from mfv.flow.decorators.ignored import exit_hook as exit_hook
    from mfv.flow.decorators.ignored import kubernetes as kubernetes
    from mfv.flow.decorators.ignored import pypi as pypi
    from mfv.flow.decorators.ignored import pypi_base as pypi_base
    from mfv.flow.decorators.ignored import schedule as schedule
    from mfv.flow.decorators.ignored import slurm as slurm
    from mfv.flow.decorators.ignored import titus as titus
    from mfv.flow.decorators.ignored import trigger as trigger
    from mfv.flow.decorators.ignored import trigger_on_finish as trigger_on_finish
    from mfv.flow.decorators.parallel import parallel as parallel
    from mfv.flow.decorators.parallel import pytorch_parallel as pytorch_parallel
    from mfv.flow.decorators.project import project as project
    from mfv.flow.decorators.resources import resources as resources
    from mfv.flow.decorators.retry import retry as retry
    from mfv.flow.decorators.secrets import secrets as secrets
    from mfv.flow.decorators.timeout import timeout as timeout
    from mfv.flow.decorators.user.flow import FlowMutator as FlowMutator
    from mfv.flow.decorators.user.generator import user_step_decorator as user_step_decorator
    from mfv.flow.decorators.user.mutableflow import MutableFlow as MutableFlow
    from mfv.flow.decorators.user.mutablestep import MutableStep as MutableStep
    from mfv.flow.decorators.user.step import USER_SKIP_STEP as USER_SKIP_STEP
    from mfv.flow.decorators.user.step import StepMutator as StepMutator
    from mfv.flow.decorators.user.step import UserStepDecorator as UserStepDecorator
    from mfv.flow.delayed import config_expr as config_expr
    from mfv.flow.includefile import IncludeFile as IncludeFile
    from mfv.flow.parameters import JSONType as JSONType
    from mfv.flow.parameters import Parameter as Parameter
    from mfv.flow.spec import FlowSpec as FlowSpec
    from mfv.flow.spec import step as step
    from mfv.flow.transient import transient as transient
    from mfv.project import get_version as get_version
    from mfv.runner import Deployer as Deployer
    from mfv.runner import ExecutingRun as ExecutingRun
    from mfv.runner import NBRunner as NBRunner
    from mfv.runner import Runner as Runner

_WHERE = {
    "__version__": "mfv._version",
    "DataArtifact": "mfv.client",
    "Flow": "mfv.client",
    "Metaflow": "mfv.client",
    "Run": "mfv.client",
    "Step": "mfv.client",
    "Task": "mfv.client",
    "default_metadata": "mfv.client",
    "default_namespace": "mfv.client",
    "get_metadata": "mfv.client",
    "get_namespace": "mfv.client",
    "metadata": "mfv.client",
    "namespace": "mfv.client",
    "Config": "mfv.flow.config",
    "ConfigValue": "mfv.flow.configvalue",
    "IncludeFile": "mfv.flow.includefile",
    "config_expr": "mfv.flow.delayed",
    "current": "mfv.flow.current",
    "FlowSpec": "mfv.flow.spec",
    "JSONType": "mfv.flow.parameters",
    "Parameter": "mfv.flow.parameters",
    "step": "mfv.flow.spec",
    "transient": "mfv.flow.transient",
    "get_version": "mfv.project",
    "Deployer": "mfv.runner",
    "ExecutingRun": "mfv.runner",
    "NBRunner": "mfv.runner",
    "Runner": "mfv.runner",
    "retry": "mfv.flow.decorators.retry",
    "catch": "mfv.flow.decorators.catch",
    "timeout": "mfv.flow.decorators.timeout",
    "environment": "mfv.flow.decorators.environment",
    "resources": "mfv.flow.decorators.resources",
    "parallel": "mfv.flow.decorators.parallel",
    "pytorch_parallel": "mfv.flow.decorators.parallel",
    "secrets": "mfv.flow.decorators.secrets",
    "card": "mfv.flow.decorators.card",
    "project": "mfv.flow.decorators.project",
    "kubernetes": "mfv.flow.decorators.ignored",
    "batch": "mfv.flow.decorators.ignored",
    "titus": "mfv.flow.decorators.ignored",
    "slurm": "mfv.flow.decorators.ignored",
    "conda": "mfv.flow.decorators.ignored",
    "pypi": "mfv.flow.decorators.ignored",
    "conda_base": "mfv.flow.decorators.ignored",
    "pypi_base": "mfv.flow.decorators.ignored",
    "schedule": "mfv.flow.decorators.ignored",
    "trigger": "mfv.flow.decorators.ignored",
    "trigger_on_finish": "mfv.flow.decorators.ignored",
    "exit_hook": "mfv.flow.decorators.ignored",
    "FlowMutator": "mfv.flow.decorators.user.flow",
    "StepMutator": "mfv.flow.decorators.user.step",
    "UserStepDecorator": "mfv.flow.decorators.user.step",
    "USER_SKIP_STEP": "mfv.flow.decorators.user.step",
    "user_step_decorator": "mfv.flow.decorators.user.generator",
    "MutableFlow": "mfv.flow.decorators.user.mutableflow",
    "MutableStep": "mfv.flow.decorators.user.mutablestep",
}

__all__ = list(_WHERE)


def __getattr__(name: str) -> object:
    module = _WHERE.get(name)
    if module is None:
        raise AttributeError(f"module 'mfv' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(module), name)
    if name == "FlowSpec":
        _introduce()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})


def _introduce() -> None:
    """Flows know of no command line: this is where they are given one, loaded when used."""
    from mfv.cli.main import tell_wrong_declarations
    from mfv.flow.spec import set_command_line

    tell_wrong_declarations()

    def run(flow: type) -> None:
        from mfv.cli.flow import main

        main(flow)

    set_command_line(run)
