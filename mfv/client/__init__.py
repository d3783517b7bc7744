"""Handles on what was recorded: `Flow('TrainFlow').latest_run['train'].task.data.model`.

The objects, their names and what they mean are Metaflow's. They are read-only but for tags, read
when asked for, and can be polled while a run goes on. Only `DataArtifact.data`, and `task.data`
which goes by it, unpickle; everything else reads records.
"""

from __future__ import annotations

from mfv.client.artifact import DataArtifact
from mfv.client.code import MetaflowCode
from mfv.client.errors import (
    MetaflowInvalidPathspec,
    MetaflowKeyError,
    MetaflowNamespaceMismatch,
    MetaflowNotFound,
    MetaflowTaggingError,
    TaskError,
)
from mfv.client.flow import Flow, Metaflow
from mfv.client.namespaces import default_namespace, get_namespace, namespace
from mfv.client.place import default_metadata, get_metadata, metadata
from mfv.client.reading import ArtifactRead
from mfv.client.run import Run
from mfv.client.step import Step
from mfv.client.task import Metadata, Task
from mfv.client.values import MetaflowData

__all__ = [
    "ArtifactRead",
    "DataArtifact",
    "Flow",
    "Metadata",
    "Metaflow",
    "MetaflowCode",
    "MetaflowData",
    "MetaflowInvalidPathspec",
    "MetaflowKeyError",
    "MetaflowNamespaceMismatch",
    "MetaflowNotFound",
    "MetaflowTaggingError",
    "Run",
    "Step",
    "Task",
    "TaskError",
    "default_metadata",
    "default_namespace",
    "get_metadata",
    "get_namespace",
    "metadata",
    "namespace",
]
