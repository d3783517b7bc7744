"""The values of a run that a query can name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mfv.manifest.artifact import Artifact
from mfv.query.expression import Plain
from mfv.query.fields import plain

Values = Mapping[str, Mapping[str, Plain]]


def values_of(
    parameters: Iterable[Artifact], constants: Iterable[Artifact], results: Iterable[Artifact]
) -> Values:
    """The values of a run by section, as a query compares them; None for what is no scalar."""
    found = {"params": _plain(parameters), "constants": _plain(constants)}
    metrics = {n: v for n, v in _plain(results).items() if n not in found["params"]}
    return {**found, "metrics": metrics}


def _plain(artifacts: Iterable[Artifact]) -> dict[str, Plain]:
    return {one.name: None if one.frames else plain(one.value) for one in artifacts}
