"""The reference of the command line says what the commands are."""

from __future__ import annotations

import re

import pytest
from reference import load_generator

from mfv.cli.command import Option, params_of
from mfv.cli.main import COMMANDS, load


def test_the_page_is_what_the_script_writes_today() -> None:
    generator = load_generator()
    written = generator.PAGE.read_text(encoding="utf-8")
    assert written == generator.page(), "run: python docs/reference/generate.py"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_every_option_and_example(name: str) -> None:
    page = load_generator().page()
    section = page.partition(f"\n## mfv {name}\n")[2].partition("\n## ")[0]
    for param in params_of(load(name)):
        if isinstance(param.marker, Option):
            assert all(flag in section for flag in param.marker.flags)
        assert param.marker.help.replace("|", "\\|") in section
    assert re.search(rf"Examples:\n\n    mfv {name}", section)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_keys_of_json_are_documented_where_there_is_json(name: str) -> None:
    has_json = any(param.name == "json" for param in params_of(load(name)))
    assert has_json == (name in load_generator().KEYS)
