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
    from mfv.flow.current import current as current
    from mfv.flow.parameters import JSONType as JSONType
    from mfv.flow.parameters import Parameter as Parameter
    from mfv.flow.spec import FlowSpec as FlowSpec
    from mfv.flow.spec import step as step
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
    "current": "mfv.flow.current",
    "FlowSpec": "mfv.flow.spec",
    "JSONType": "mfv.flow.parameters",
    "Parameter": "mfv.flow.parameters",
    "step": "mfv.flow.spec",
    "Deployer": "mfv.runner",
    "ExecutingRun": "mfv.runner",
    "NBRunner": "mfv.runner",
    "Runner": "mfv.runner",
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
