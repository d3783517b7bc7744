"""`@secrets`: secrets in the environment of a step, and nowhere else."""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar, NamedTuple

from mfv.errors import did_you_mean
from mfv.flow.decorators.base import RunningTask, StepDecorator, StepMark
from mfv.flow.decorators.secretsources import ELSEWHERE, SOURCES, SecretError
from mfv.flow.graph import Graph, Node
from mfv.flow.spec import FlowSpec

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = ("METAFLOW_", "MFV_")


class Source(NamedTuple):
    """One entry of `sources`."""

    type: str
    id: str
    options: dict[str, Any]


class SecretsDecorator(StepDecorator):
    """Puts secrets into the environment of a step: `@secrets(sources=["env-file.prod.env"])`.

    A source is `"TYPE.ID"` or `{"type": …, "id": …, "options": {…}}`. `env-file` reads NAME=value
    lines of the file that ID is; `environment` wants the variable ID to be set where the run
    starts; `inline` takes them from `options["env_vars"]`. No value is recorded. A variable that is
    set already is an error unless `allow_override` is True. `role` has no use for these sources.
    """

    name = "secrets"
    secret = True  # an inline source holds values
    defaults: ClassVar = {"sources": [], "role": None, "allow_override": False}

    def check(self, flow: type[FlowSpec], graph: Graph, node: Node) -> None:
        self._sources()

    def before(self, task: RunningTask) -> None:
        found: dict[str, str] = {}
        origin: dict[str, str] = {}
        for source in self._sources():
            for name, value in SOURCES[source.type](source.id, source.options).items():
                shown = f"{source.type}.{source.id}"
                _check_variable(shown, name, value)
                if name in origin:
                    raise SecretError(
                        f"the secrets {origin[name]} and {shown} both set {name}",
                        hint="take one of them out of the sources of @secrets",
                    )
                is_there = name in os.environ and source.type != "environment"
                if is_there and not self.attributes["allow_override"]:
                    raise SecretError(
                        f"the secret {shown} sets {name}, which is set already",
                        hint="unset it, or write @secrets(..., allow_override=True)",
                    )
                found[name], origin[name] = value, shown
        os.environ.update(found)

    def _sources(self) -> list[Source]:
        given = self.attributes["sources"]
        if not isinstance(given, list | tuple):
            raise self.wrong(
                "@secrets has sources that are no list",
                hint='write @secrets(sources=["env-file.secrets.env"])',
            )
        return [self._source(one) for one in given]

    def _source(self, given: object) -> Source:
        if isinstance(given, str):
            kind, dot, name = given.partition(".")
            source = Source(kind, name, {}) if dot else Source("", given, {})
        elif isinstance(given, dict):
            source = Source(given.get("type", ""), given.get("id", ""), given.get("options", {}))
        else:
            source = Source("", "", {})
        if not (source.type and isinstance(source.type, str)):
            raise self.wrong(
                "a source of @secrets does not say of which type it is",
                hint='write "TYPE.ID", such as "env-file.secrets.env", or a dict with type and id',
            )
        if source.type not in SOURCES:
            known = ", ".join(SOURCES)
            if source.type in ELSEWHERE:
                raise self.wrong(
                    f"secrets of type '{source.type}' are not available on this machine",
                    hint=f"for local runs take one of {known}",
                )
            raise self.wrong(
                f"@secrets knows no type '{source.type}'",
                hint=did_you_mean(source.type, SOURCES) or f"it knows {known}",
            )
        if not isinstance(source.id, str) or not source.id:
            raise self.wrong(
                f"a source of @secrets of type '{source.type}' has no id",
                hint=f'write "{source.type}.ID", or a dict with "id"',
            )
        if not isinstance(source.options, dict):
            raise self.wrong(
                f"the options of the secret '{source.id}' are no dict", hint="leave them out"
            )
        return source


def _check_variable(source: str, name: object, value: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise SecretError(
            f"the secret {source} sets {name!r}, which is no name of a variable",
            hint="names have letters, digits and underscores",
        )
    if name.startswith(_OURS):
        raise SecretError(
            f"the secret {source} sets {name}, which is a setting of the run itself",
            hint="give the variable another name",
        )
    if not isinstance(value, str):
        raise SecretError(
            f"the secret {source} sets {name} to a {type(value).__name__}, and not to text",
            hint="write its value in quotes",
        )


secrets = StepMark(SecretsDecorator)
