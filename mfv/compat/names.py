"""Which names stand in which of Metaflow's modules, and where mfv keeps what it calls otherwise.

A name that is public in mfv is taken from there. One that is neither there nor in `WHERE` can be
imported, so that a flow which never comes to it runs, and refuses when it is used.
"""

from __future__ import annotations

_CLIENT = (
    "DataArtifact Flow Metaflow Run Step Task default_metadata default_namespace get_metadata "
    "get_namespace inspect_spin metadata namespace"
)
_CARDS = (
    "Artifact BlankCard DefaultCard Error ErrorCard EventsTimeline Image JSONViewer Markdown "
    "MetaflowCard MetaflowCardComponent PageComponent ProgressBar PythonCode Table ValueBox "
    "VegaChart YAMLViewer get_cards"
)
_CARD_COMPONENTS = (
    "Artifact Error EventsTimeline Image JSONViewer Markdown MetaflowCardComponent ProgressBar "
    "PythonCode Table UserComponent ValueBox VegaChart YAMLViewer with_default_component_id"
)
_STEP_DECORATORS = (
    "batch card catch conda environment kubernetes parallel pypi pytorch_parallel resources retry "
    "secrets timeout"
)
_FLOW_DECORATORS = (
    "airflow_external_task_sensor airflow_s3_key_sensor conda_base exit_hook project pypi_base "
    "schedule trigger trigger_on_finish"
)
_CONFIGS = "Config ConfigValue config_expr"
_PARSERS = (
    "conda_environment_yml_parser pyproject_toml_parser requirements_txt_parser yaml_parser "
    "namespaced_event_name package_sources"
)
_USER_STEPS = "StepMutator USER_SKIP_STEP UserStepDecorator user_step_decorator"
_MULTICORE = "parallel_imap_unordered parallel_map"
_DATATOOLS = "S3 S3GetObject S3PutObject"

# Every module of Metaflow's that flows import from, with its names.
MODULES: dict[str, frozenset[str]] = {
    name: frozenset(text.split())
    for name, text in {
        "metaflow": f"{_CLIENT} {_STEP_DECORATORS} {_FLOW_DECORATORS} {_CONFIGS} {_PARSERS} "
        f"{_USER_STEPS} {_MULTICORE} FlowMutator FlowSpec IncludeFile JSONType JSONTypeClass "
        "Parameter current profile step S3 R Runner NBRunner Deployer DeployedFlow NBDeployer "
        "__version__",
        "metaflow.cards": _CARDS,
        "metaflow.client": _CLIENT,
        "metaflow.client.core": f"{_CLIENT} MetaflowCode MetaflowData",
        "metaflow.datatools": _DATATOOLS,
        "metaflow.decorators": f"step {_STEP_DECORATORS} {_FLOW_DECORATORS} StepDecorator "
        "FlowDecorator Decorator",
        "metaflow.exception": "CommandException ExternalCommandFailed InvalidDecoratorAttribute "
        "METAFLOW_EXIT_ALLOW_RETRY METAFLOW_EXIT_DISALLOW_RETRY MetaflowDataMissing "
        "MetaflowException MetaflowExceptionWrapper MetaflowInternalError "
        "MetaflowInvalidPathspec MetaflowNamespaceMismatch MetaflowNotFound "
        "MetaflowTaggingError MetaflowUnknownUser MissingInMergeArtifactsException "
        "ParameterFieldFailed ParameterFieldTypeMismatch UnhandledInMergeArtifactsException",
        "metaflow.flowspec": "FlowSpec InvalidNextException",
        "metaflow.metaflow_version": "get_version",
        "metaflow.includefile": "IncludeFile IncludedFile FilePathClass",
        "metaflow.metaflow_current": "Current current",
        "metaflow.metaflow_profile": "profile",
        "metaflow.multicore_utils": _MULTICORE,
        "metaflow.parameters": "JSONType JSONTypeClass Parameter ParameterContext",
        "metaflow.plugins": "",
        "metaflow.plugins.cards": "",
        "metaflow.plugins.cards.card_client": "Card get_cards",
        "metaflow.plugins.cards.card_modules": "MetaflowCard MetaflowCardComponent",
        "metaflow.plugins.cards.card_modules.card": "MetaflowCard MetaflowCardComponent",
        "metaflow.plugins.cards.card_modules.components": _CARD_COMPONENTS,
        "metaflow.plugins.catch_decorator": "FailureHandledByCatch",
        "metaflow.plugins.datatools": _DATATOOLS,
        "metaflow.plugins.datatools.s3": _DATATOOLS,
        "metaflow.plugins.parallel_decorator": "ParallelDecorator",
        "metaflow.plugins.timeout_decorator": "TimeoutException",
        "metaflow.runner": "",
        "metaflow.runner.deployer": "Deployer DeployedFlow",
        "metaflow.runner.metaflow_runner": "Runner ExecutingRun",
        "metaflow.runner.nbdeploy": "NBDeployer",
        "metaflow.runner.nbrun": "NBRunner",
        "metaflow.user_configs": "",
        "metaflow.user_configs.config_parameters": _CONFIGS,
        "metaflow.user_decorators": "",
        "metaflow.user_decorators.mutable_flow": "MutableFlow",
        "metaflow.user_decorators.mutable_step": "MutableStep",
        "metaflow.user_decorators.user_flow_decorator": "FlowMutator",
        "metaflow.user_decorators.user_step_decorator": _USER_STEPS,
        "metaflow.util": "get_username",
    }.items()
}

_EXCEPTIONS, _NOOP_CARDS = "mfv.compat.exceptions", "mfv.compat.cards"

# Names that are not public in mfv, and the module that has them.
WHERE: dict[str, str] = {
    **dict.fromkeys(MODULES["metaflow.exception"], _EXCEPTIONS),
    "InvalidNextException": _EXCEPTIONS,
    **dict.fromkeys(MODULES["metaflow.cards"], _NOOP_CARDS),
    "UserComponent": _NOOP_CARDS,
    "with_default_component_id": _NOOP_CARDS,
    **dict.fromkeys(MODULES["metaflow.multicore_utils"], "mfv.compat.multicore"),
    "FailureHandledByCatch": "mfv.flow.exceptions",
    "TimeoutException": "mfv.flow.exceptions",
    "ParallelDecorator": "mfv.flow.decorators.parallel",
    **dict.fromkeys(("Decorator", "StepDecorator", "FlowDecorator"), "mfv.flow.decorators.base"),
    "profile": "mfv.compat.small",
    "get_username": "mfv.compat.small",
    "JSONTypeClass": "mfv.compat.small",
    "Current": "mfv.flow.current",
    "MetaflowCode": "mfv.client",
    "MetaflowData": "mfv.client",
    "ParameterContext": "mfv.flow.parameters",
}

# What to do instead, where there is more to say than to go back to Metaflow.
HINTS = {
    "S3": "read and write the bucket with its own library (boto3, s3fs); artifacts need none",
    "R": "mfv runs flows written in Python",
    "Deployer": "run the flow with `mfv run`, from cron or any scheduler",
    "DeployedFlow": "run the flow with `mfv run`, from cron or any scheduler",
    "NBDeployer": "run the flow with `mfv run`, from cron or any scheduler",
    "NBRunner": "put the flow into a file, and run that with Runner or `mfv run`",
}
