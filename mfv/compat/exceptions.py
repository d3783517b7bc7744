"""What `metaflow.exception` has: mfv's own errors under Metaflow's names.

`MetaflowException` is the root of all that mfv raises, so that `except MetaflowException` catches
as much as with Metaflow, and a flow may raise it and derive from it.
"""

from __future__ import annotations

from mfv.client.errors import (
    MetaflowInvalidPathspec,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
    MetaflowTaggingError,
)
from mfv.client.errors import TaskError as MetaflowExceptionWrapper
from mfv.errors import FlowError as InvalidDecoratorAttribute
from mfv.errors import MfvError as MetaflowException
from mfv.errors import NotFoundError as MetaflowDataMissing
from mfv.errors import ParameterError as ParameterFieldFailed
from mfv.errors import ParameterError as ParameterFieldTypeMismatch
from mfv.errors import UsageError as CommandException
from mfv.flow.spec import FlowStateError as InvalidNextException
from mfv.flow.spec import MergeConflictError as UnhandledInMergeArtifactsException
from mfv.flow.spec import MergeMissingError as MissingInMergeArtifactsException

METAFLOW_EXIT_DISALLOW_RETRY = 202
METAFLOW_EXIT_ALLOW_RETRY = 203


class ExternalCommandFailed(MetaflowException):
    """For a flow to raise where a program that it runs fails; mfv itself raises none."""


class MetaflowInternalError(MetaflowException):
    """For flows that raise or catch it; mfv itself raises none."""


class MetaflowUnknownUser(MetaflowException):
    """For flows that catch it; mfv always finds a name."""


__all__ = [
    "METAFLOW_EXIT_ALLOW_RETRY",
    "METAFLOW_EXIT_DISALLOW_RETRY",
    "CommandException",
    "ExternalCommandFailed",
    "InvalidDecoratorAttribute",
    "InvalidNextException",
    "MetaflowDataMissing",
    "MetaflowException",
    "MetaflowExceptionWrapper",
    "MetaflowInternalError",
    "MetaflowInvalidPathspec",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MetaflowTaggingError",
    "MetaflowUnknownUser",
    "MissingInMergeArtifactsException",
    "ParameterFieldFailed",
    "ParameterFieldTypeMismatch",
    "UnhandledInMergeArtifactsException",
]
