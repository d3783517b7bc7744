"""Decorators as plain data, as `current.graph` has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mfv.flow.decorators.base import Decorator, decoration_of, flow_decorators_of
from mfv.flow.spec import FlowSpec


def with_decorators(flow: type[FlowSpec], info: dict[str, Any]) -> dict[str, Any]:
    """The data of a flow's graph with the decorators of the flow and of its steps added."""
    steps: dict[str, dict[str, Any]] = info["steps"]
    told = {name: {**step, "decorators": _step(flow, name)} for name, step in steps.items()}
    return {**info, "steps": told, "decorators": _told(flow_decorators_of(flow))}


def _step(flow: type[FlowSpec], name: str) -> list[dict[str, Any]]:
    worn = decoration_of(flow, name)
    own = [
        {
            "name": wrapper.shown,
            "attributes": wrapper.get_args_kwargs()[1],
            "statically_defined": wrapper.statically_defined,
        }
        for wrapper in worn.wrappers
    ]
    return [*_told(worn.decorators), *own]


def _told(decorators: Sequence[Decorator]) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "attributes": {} if one.secret else dict(one.attributes),
            "statically_defined": one.statically_defined,
        }
        for one in decorators
    ]
