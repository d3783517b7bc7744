"""Introduces flows to repositories: the one place that knows both."""

from mfv.launch.prepare import Prepared, default_folder, prepare, read_flow_configs
from mfv.launch.resumed import Resumed, resume
from mfv.launch.running import Result, run
from mfv.launch.spawned import perform_spawned

__all__ = [
    "Prepared",
    "Result",
    "Resumed",
    "default_folder",
    "perform_spawned",
    "prepare",
    "read_flow_configs",
    "resume",
    "run",
]
