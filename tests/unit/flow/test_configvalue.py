"""What a step sees of a config: a dict to be read by `[]` and by dots, and not to be changed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from mfv.flow.configvalue import ConfigValue

DATA = {"model": {"depth": 3, "layers": [{"width": 8}, 2]}, "my-key": 1, "items": "own"}


def value() -> ConfigValue:
    return ConfigValue(DATA)


def test_an_entry_is_reached_by_brackets_and_by_dots_to_any_depth() -> None:
    assert value().model.depth == value()["model"]["depth"] == value().model["depth"] == 3
    assert value().model.layers[0].width == 8
    assert value()["my-key"] == 1


def test_a_method_of_dict_hides_an_entry_of_its_name_from_the_dot_alone() -> None:
    assert value()["items"] == "own"
    assert ("my-key", 1) in value().items()


def test_what_is_not_there_is_said_with_the_near_name() -> None:
    with pytest.raises(AttributeError, match="no 'dept' here; did you mean 'depth'"):
        _ = value().model.dept
    with pytest.raises(KeyError):
        _ = value()["zzz"]
    assert value().get("zzz", 5) == 5
    assert not hasattr(value(), "zzz")


def set_entry(one: ConfigValue) -> None:
    one["a"] = 1


def delete_entry(one: ConfigValue) -> None:
    del one["my-key"]


def set_attribute(one: ConfigValue) -> None:
    one.a = 1  # type: ignore[attr-defined]


def delete_attribute(one: ConfigValue) -> None:
    del one.model


def join(one: ConfigValue) -> None:
    one |= {"a": 1}


@pytest.mark.parametrize(
    "change",
    [
        *(set_entry, delete_entry, set_attribute, delete_attribute, join),
        lambda one: one.clear(),
        lambda one: one.update(a=1),
        lambda one: one.setdefault("a", 1),
        lambda one: one.pop("my-key"),
        lambda one: one.popitem(),
        lambda one: set_entry(one.model),
    ],
)
def test_nothing_in_it_can_be_changed(change: Callable[[ConfigValue], object]) -> None:
    one = value()
    with pytest.raises(TypeError, match=r"read-only; to_dict\(\)"):
        change(one)
    assert one == DATA


def test_to_dict_gives_plain_dicts_that_can_be_changed() -> None:
    plain = value().to_dict()
    assert plain == DATA
    assert {type(plain), type(plain["model"]), type(plain["model"]["layers"][0])} == {dict}
    plain["model"]["depth"] = 4
    assert DATA["model"]["depth"] == 3  # type: ignore[index]


def test_it_is_a_dict_to_json_and_to_a_comparison() -> None:
    assert isinstance(value(), dict)
    assert json.loads(json.dumps(value())) == DATA == value()
    assert {**value().model} == DATA["model"]


@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), ConfigValue.copy],
)
def test_a_copy_of_it_is_another_one(again: Callable[[Any], Any]) -> None:
    found = again(value())
    assert type(found) is type(found.model) is ConfigValue
    assert found == DATA


def test_its_entries_are_listed_for_completion() -> None:
    assert {"model", "to_dict"} <= set(dir(value()))
    assert "my-key" not in dir(value())


def test_fromkeys_makes_one() -> None:
    assert ConfigValue.fromkeys(["a", "b"], {"c": 1}).a.c == 1
