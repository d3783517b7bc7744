"""`--config` and `--config-value` are taken off a command line, wherever they stand."""

from __future__ import annotations

import pytest

from mfv.cli.configs import config_params, take_configs
from mfv.errors import UsageError
from mfv.flow.config import Config, ConfigOption
from mfv.flow.spec import FlowSpec

A = ConfigOption("a", "x.json", True, "--config")
B = ConfigOption("b", "{}", False, "--config-value")


@pytest.mark.parametrize(
    "words",
    [
        ["--config", "a", "x.json", "--config-value", "b", "{}", "run", "--n", "1"],
        ["run", "--config=a", "x.json", "--n", "1", "--config-value=b", "{}"],
    ],
)
def test_they_stand_before_or_behind_the_command(words: list[str]) -> None:
    assert take_configs(words) == ([A, B], ["run", "--n", "1"])


def test_a_text_that_looks_like_an_option_is_a_value() -> None:
    assert take_configs(["--config-value", "b", "-1"])[0][0].text == "-1"


def test_words_behind_two_dashes_are_nobodys_options() -> None:
    assert take_configs(["run", "--", "--config"]) == ([], ["run", "--", "--config"])


@pytest.mark.parametrize(
    "words", [["--config"], ["--config", "a"], ["--config="], ["--config", "--config", "a"]]
)
def test_one_word_too_few_is_told(words: list[str]) -> None:
    with pytest.raises(UsageError, match="--config takes two words"):
        take_configs(words)


def test_the_help_tells_of_each_config() -> None:
    class F(FlowSpec):
        one = Config("one", help="The first.", required=True)
        two = Config("two", default="two.json")

    class G(FlowSpec):
        pass

    (path, _) = config_params(F)
    assert "one: The first. [required]; two [default: two.json]" in path.marker.help
    assert config_params(G) == []
