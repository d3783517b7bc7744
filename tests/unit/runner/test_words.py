"""Keyword arguments become words that the flow's command line reads back as they were."""

from __future__ import annotations

from typing import Any

import pytest

from mfv.runner.words import words_after, words_before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 5}, ["--alpha=5"]),
        ({"alpha": -0.5}, ["--alpha=-0.5"]),
        ({"text": "--odd"}, ["--text=--odd"]),
        ({"flag": True, "other": False}, ["--flag=true", "--other=false"]),
        ({"table": {"a": [1]}}, ['--table={"a": [1]}']),
        ({"items": [1, 2]}, ["--items=[1, 2]"]),
        ({"learning_rate": 1}, ["--learning-rate=1"]),
        ({"left_out": None}, []),
        ({"tags": ["a", "b"], "max_workers": 3}, ["--tag=a", "--tag=b", "--max-workers=3"]),
        ({"tags": "one"}, ["--tag=one"]),
        ({"decospecs": ["retry:times=2"]}, ["--with=retry:times=2"]),
        ({"step_to_rerun": "train", "origin_run_id": "4"}, ["--origin-run-id=4", "train"]),
    ],
)
def test_options_after_the_command(options: dict[str, Any], words: list[str]) -> None:
    assert words_after(options) == words


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quiet": True}, ["--quiet"]),
        ({"pylint": False}, ["--no-pylint"]),
        ({"datastore_root": "/x"}, ["--datastore-root=/x"]),
        ({"decospecs": ["retry"]}, ["--with=retry"]),
        ({"config": [("main", "a.json")]}, ["--config", "main", "a.json"]),
        ({"config_value": {"main": {"a": 1}}}, ["--config-value", "main", '{"a": 1}']),
    ],
)
def test_options_before_the_command(options: dict[str, Any], words: list[str]) -> None:
    assert words_before(options) == words
