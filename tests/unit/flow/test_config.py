"""Configs: where they come from, what is made of them, and how they stand in a class body."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mfv.errors import FlowError, ParameterError
from mfv.flow.config import (
    Config,
    ConfigOption,
    ConfigValue,
    collect_configs,
    config_expr,
    is_delayed,
    know,
    read_configs,
    resolve_delayed,
    restore_config,
    settle,
    values_of,
)
from mfv.flow.parameters import JSONType, Parameter, ParameterContext, collect
from mfv.flow.spec import FlowSpec, constants_of

WORD = "shout"


def context(name: str) -> ParameterContext:
    return ParameterContext("F", "ana", name, print, "local")


def read(*configs: Config, given: Any = (), environ: Mapping[str, str] | None = None) -> Any:
    """The value of the only config, or those of all by name."""
    flow = type("F", (), {f"c{place}": one for place, one in enumerate(configs)})
    found = values_of(read_configs(collect_configs(flow), given, environ or {}, context))
    return found if len(found) > 1 else next(iter(found.values()))


def path(name: str, text: str, origin: str = "--config") -> ConfigOption:
    return ConfigOption(name, text, True, origin)


def text(name: str, value: str) -> ConfigOption:
    return ConfigOption(name, value, False, "--config-value")


def refused(*configs: Config, **more: Any) -> ParameterError:
    with pytest.raises(ParameterError) as caught:
        read(*configs, **more)
    return caught.value


# Where a value comes from


def test_a_value_on_the_command_line_is_json() -> None:
    assert read(Config("c"), given=[text("c", '{"a": {"b": 1}}')]).a.b == 1


def test_a_file_is_read_from_the_working_folder_or_from_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.json").write_text('{"a": "ä"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("c.json", "~/c.json", str(tmp_path / "c.json")):
        assert read(Config("c"), given=[path("c", name)]) == {"a": "ä"}
    assert read(Config("c", default="c.json")) == {"a": "ä"}
    assert read(Config("c", default=tmp_path / "c.json")) == {"a": "ä"}


@pytest.mark.parametrize(
    "default",
    [{"a": 1}, '{"a": 1}', ConfigValue({"a": 1}), lambda context: {"a": 1}, lambda _: '{"a": 1}'],
)
def test_a_default_value_is_a_mapping_or_a_text_or_a_function_that_gives_one(default: Any) -> None:
    assert read(Config("c", default_value=default)) == {"a": 1}


def test_a_default_function_is_told_of_the_run_and_not_called_in_vain() -> None:
    told: list[ParameterContext] = []

    def default(context: ParameterContext) -> dict[str, int]:
        told.append(context)
        return {"a": 1}

    read(Config("c", default_value=default), given=[text("c", "{}")])
    assert told == []
    read(Config("c", default_value=default))
    assert [(one.flow_name, one.parameter_name, one.configs) for one in told] == [("F", "c", None)]


def test_without_any_value_it_is_none() -> None:
    assert read(Config("c")) is None


def test_the_environment_gives_what_the_command_line_does_not_and_mfv_wins() -> None:
    environ = {
        "MFV_FLOW_CONFIG_VALUE": '{"a": {"from": "mfv"}}',
        "METAFLOW_FLOW_CONFIG_VALUE": '{"a": {"from": "metaflow"}, "b": {"from": "metaflow"}}',
        "METAFLOW_FLOW_CONFIG": '{"c": "no/such/file"}',
    }
    given = [text("c", '{"from": "option"}')]
    found = read(Config("a"), Config("b"), Config("c"), given=given, environ=environ)
    assert [found[name]["from"] for name in "abc"] == ["mfv", "metaflow", "option"]


def test_variables_of_a_flow_with_configs_do_not_disturb_one_without() -> None:
    assert read_configs({}, (), {"MFV_FLOW_CONFIG": "{"}, context) == {}


# What is made of it


@pytest.mark.parametrize("parser", [lambda text: {"n": int(text)}, "json.loads"])
def test_a_parser_makes_a_mapping_of_the_text(parser: Any) -> None:
    written = "7" if callable(parser) else '{"n": 7}'
    assert read(Config("c", parser=parser), given=[text("c", written)]).n == 7


def test_a_parser_is_given_a_default_mapping_as_json() -> None:
    assert read(Config("c", parser=json.loads, default_value={"n": 7})).n == 7


def test_a_plain_config_is_its_text_or_what_the_parser_returned() -> None:
    assert read(Config("c", plain=True), given=[text("c", "{1")]) == "{1"
    found = read(Config("c", plain=True, parser=json.loads), given=[text("c", '[{"a": 1}]')])
    assert found == [{"a": 1}]
    assert type(found[0]) is dict


def test_what_is_recorded_is_plain_and_gives_the_same_value_again() -> None:
    flow = type("F", (), {"c": Config("c", default_value={"a": {"b": 1}})})
    (config,) = read_configs(collect_configs(flow), (), {}, context).values()
    recorded: Any = config.recorded
    assert type(recorded) is type(recorded["a"]) is dict
    again = restore_config(config.spec, recorded)
    assert again == config.value
    assert isinstance(again, ConfigValue)


# What is refused


def test_a_config_that_the_flow_does_not_have_is_refused_with_the_near_name() -> None:
    error = refused(Config("model"), given=[text("modle", "{}")])
    assert error.message == "the flow has no config 'modle' (from --config-value)"
    assert error.hint == "did you mean 'model'?"
    error = refused(Config("model"), environ={"MFV_FLOW_CONFIG": '{"zzz": "x"}'})
    assert error.message == "the flow has no config 'zzz' (from MFV_FLOW_CONFIG)"
    assert error.hint == "it has model"


def test_a_file_and_a_value_for_one_config_are_refused() -> None:
    error = refused(Config("c"), given=[text("c", "{}"), path("c", "x")])
    assert "both as a file and as a value" in error.message


def test_all_missing_required_configs_are_named_at_once() -> None:
    configs = [Config("a", required=True), Config("b", required=True)]
    error = refused(*configs, Config("c", required=True, default_value={}))
    assert error.message == "no value for the required configs 'a', 'b'"
    assert "--config a PATH --config b PATH" in (error.hint or "")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'{"a": "\xe4"}')
    missing, folder, latin = str(tmp_path / "none"), str(tmp_path), str(tmp_path / "latin")
    assert f"there is no file {missing}" in refused(Config("c", default=missing)).message
    assert f"{folder} is a folder" in refused(Config("c"), given=[path("c", folder)]).message
    assert f"{latin} is no text in UTF-8" in refused(Config("c"), given=[path("c", latin)]).message
    assert "cannot be read" in refused(Config("c"), given=[path("c", "a\0b")]).message


def test_json_that_is_none_is_told_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text('{"a": 1,\n "b" 2}')
    error = refused(Config("c"), given=[path("c", str(file))])
    assert f"Expecting ':' delimiter at line 2, column 6 of {file}" in error.message
    assert "column 1 of --config-value" in refused(Config("c"), given=[text("c", "x")]).message
    assert "the default" in refused(Config("c", default_value="x")).message
    assert "nested" in refused(Config("c"), given=[text("c", "[" * 100_000)]).message


@pytest.mark.parametrize("written", ["[1]", "3", "null"])
def test_a_value_without_names_is_refused_unless_plain(written: str) -> None:
    assert "no object with names" in refused(Config("c"), given=[text("c", written)]).message
    assert read(Config("c", plain=True), given=[text("c", written)]) == written


def fail(text: str) -> Any:
    raise ValueError(f"cannot make sense of {text}")


@pytest.mark.parametrize(
    ("parser", "said"),
    [
        (fail, "ValueError: cannot make sense of x"),
        (lambda text: [text], "but of type list (from its parser)"),
        (
            "no_such_module.parse",
            "cannot be imported: ModuleNotFoundError: No module named 'no_such_m",
        ),
        ("json.no_such_function", "is no function of json"),
        (".no_such_module.parse", "No module named 'mfv.no_such_module'"),
    ],
)
def test_a_parser_that_fails_or_is_not_there_is_told(parser: Any, said: str) -> None:
    assert said in refused(Config("c", parser=parser), given=[text("c", "x")]).message


@pytest.mark.parametrize("written", ["{", "[]", "3"])
def test_a_variable_that_is_no_json_object_is_named(written: str) -> None:
    error = refused(Config("c"), environ={"MFV_FLOW_CONFIG": written})
    assert error.message.startswith("MFV_FLOW_CONFIG is not valid JSON")


def test_a_default_that_cannot_be_had_is_told() -> None:
    assert "computed: ValueError" in refused(Config("c", default_value=fail)).message
    assert "is of type int, and no path" in refused(Config("c", default=lambda _: 3)).message
    assert "written as JSON" in refused(Config("c", default_value={1: object()})).message


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Config("max-workers"), "a run has an option of that name"),
        (lambda: Config("a b"), "cannot be named 'a b'"),
        (lambda: Config("c", default="x", default_value={}), "both default and default_value"),
        (lambda: Config("c", default={"a": 1}), "the default of config 'c' is of type dict"),
        (lambda: Config("c", parser=3), "the parser of config 'c' is 3"),  # type: ignore[arg-type]
        (lambda: Config("c", parser="loads"), "the parser of config 'c' is 'loads'"),
        (lambda: Config("c", default_value=Config("d").a), "is declared with another config"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(make: Any, said: str) -> None:
    with pytest.raises(FlowError) as caught:
        make()
    assert said in caught.value.message


def test_two_configs_of_one_name_are_refused() -> None:
    flow = type("F", (), {"a": Config("my-c"), "b": Config("MY_C")})
    with pytest.raises(FlowError, match=r"configs 'my-c' .* and 'MY_C' .* have one name"):
        collect_configs(flow)


def test_a_parameter_may_be_called_config_only_where_there_is_none() -> None:
    assert collect_configs(type("F", (), {"a": Parameter("config")})) == {}
    with pytest.raises(FlowError, match="an option that every flow with a Config has"):
        collect_configs(type("F", (), {"a": Parameter("config"), "c": Config("c")}))


# In a class body


class Tuned(FlowSpec):
    cfg = Config("cfg")
    depth = cfg.model.depth
    twice = config_expr("cfg.model.depth * 2")
    pair = (cfg.alpha, {"key": cfg.key})
    alpha = Parameter("alpha", default=cfg.alpha)
    spread = Parameter("spread", **cfg.spread)
    mixed = Parameter("mixed", type=int, **cfg.spread)
    sizes = Parameter("sizes", default=cfg.model)


VALUE = {
    "model": {"depth": 3, "names": ["a", {"b": 5}]},
    "alpha": 0.5,
    "key": "left",
    "items": "entry",
    "my-key": 1,
    "spread": {"default": "4", "help": "spread out"},
}
cfg = Config("cfg")


@pytest.fixture(autouse=True)
def known() -> None:
    know({"cfg": ConfigValue(VALUE), "empty": None, "plain": {"a": 1}})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (cfg.model.depth, 3),
        (cfg["model"]["depth"], 3),
        (cfg["my-key"], 1),
        (cfg.items, "entry"),
        (cfg.model.names[1].b, 5),
        (cfg.model[config_expr("'de' + 'pth'")], 3),
        (config_expr("cfg").model.depth, 3),
        (config_expr(" cfg.key.upper() + WORD "), "LEFTshout"),
        (config_expr("[depth * 2 for depth in [cfg.model.depth]]"), [6]),
        (Config("plain")["a"], 1),
        (Config("empty"), None),
        ({"a": [cfg.alpha], cfg.key: (cfg.alpha, 1)}, {"a": [0.5], "left": (0.5, 1)}),
        ({"b": 1, **cfg.model}, {"b": 1, "depth": 3, "names": ["a", {"b": 5}]}),
        ({**Config("plain")}, {"a": 1}),
        ("untouched", "untouched"),
        ([1, {2}], [1, {2}]),
    ],
)
def test_what_stands_for_a_value_is_replaced_by_it(written: Any, meant: object) -> None:
    assert resolve_delayed(written) == meant


def test_a_value_is_handed_out_as_plain_dicts() -> None:
    assert type(resolve_delayed(cfg)) is type(resolve_delayed(cfg.model)) is dict


def test_whether_there_is_anything_to_replace_can_be_asked() -> None:
    assert all(map(is_delayed, [cfg, cfg.a, [cfg.a], {"a": (cfg.a,)}, {cfg.a: 1}, {**cfg}]))
    assert not any(map(is_delayed, [1, "a", [{}], {"a": (1,)}, None, Parameter("p")]))


@pytest.mark.parametrize(
    ("written", "said", "hint"),
    [
        (cfg.modle, "cfg has no 'modle'", "did you mean 'model'?"),
        (cfg.model.zzz, "cfg.model has no 'zzz'", "it has depth, names"),
        (cfg.model.names[7], "cfg.model.names is of type list: ", "correct the config"),
        (Config("empty").a, "config 'empty' has no value", "correct the config"),
        (Config("zzz").a, "config 'zzz' belongs to another flow", "of the flow itself"),
        (config_expr("nope.a"), "NameError: name 'nope' is not defined", "cfg, empty, plain"),
        ({**cfg.alpha}, "**cfg.alpha is of type float, which has no names", "behind **"),
    ],
)
def test_what_a_config_does_not_have_is_told_with_the_line(
    written: Any, said: str, hint: str
) -> None:
    with pytest.raises(FlowError) as caught:
        resolve_delayed(written)
    assert said in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.file == __file__
    assert caught.value.line


def test_an_expression_that_is_none_is_refused_at_once() -> None:
    with pytest.raises(FlowError, match=r"test_config.py:\d+: config_expr\('cfg.'\) is no expr"):
        config_expr("cfg.")


@pytest.mark.parametrize(
    "use",
    [
        *(bool, len, list, str, int, float, "{}".format, lambda one: one()),
        *(lambda one: one + 1, lambda one: 1 + one, lambda one: one > 1, lambda one: "a" in one),
    ],
)
@pytest.mark.parametrize("early", [cfg.alpha, config_expr("cfg.alpha")], ids=["entry", "expr"])
def test_what_is_not_known_yet_cannot_be_computed_with(use: Any, early: Any) -> None:
    with pytest.raises(FlowError, match="is not known yet") as caught:
        use(early)
    assert 'config_expr("cfg.alpha")' in (caught.value.hint or "")


def test_a_config_itself_is_no_truth_value_and_cannot_be_changed() -> None:
    with pytest.raises(FlowError, match="cfg is not known yet"):
        bool(cfg)
    with pytest.raises(FlowError, match="read-only"):
        cfg.a = 1


def test_a_config_and_its_values_can_be_copied() -> None:
    assert resolve_delayed(copy.deepcopy(cfg).alpha) == 0.5
    assert resolve_delayed(copy.deepcopy(cfg.alpha)) == 0.5


def test_parameters_are_completed_from_configs() -> None:
    found = collect(Tuned)
    assert (found["alpha"].default, found["alpha"].type) == (0.5, float)
    assert (found["spread"].default, found["spread"].help) == ("4", "spread out")
    assert (found["mixed"].default, found["mixed"].type) == ("4", int)
    assert (found["sizes"].default, found["sizes"].type) == (VALUE["model"], JSONType)


def test_parameters_follow_the_configs_of_each_run() -> None:
    collect(Tuned)
    know({"cfg": ConfigValue({**VALUE, "alpha": 7})})
    assert (collect(Tuned)["alpha"].default, collect(Tuned)["alpha"].type) == (7, int)


def test_constants_are_taken_from_configs_and_configs_are_no_constants() -> None:
    assert constants_of(Tuned) == {
        "depth": 3,
        "twice": 6,
        "pair": (0.5, {"key": "left"}),
    }


def test_a_config_is_not_taken_for_a_step() -> None:
    assert list(Tuned(use_cli=False)) == []


# The cases of a switch


def test_a_case_of_a_switch_is_settled_by_the_config() -> None:
    assert settle(Tuned, "self.cfg.key") == "left"
    assert settle(Tuned(use_cli=False), "me.cfg.key") == "left"


def test_a_case_that_no_config_has_is_told() -> None:
    with pytest.raises(FlowError, match="Tuned has no config 'cgf'") as caught:
        settle(Tuned, "self.cgf.key")
    assert caught.value.hint == "did you mean 'cfg'?"
    with pytest.raises(FlowError, match="cfg has no 'kye'") as caught:
        settle(Tuned, "self.cfg.kye")
    assert caught.value.hint == "did you mean 'key'?"
