"""Included files: what is read of them, what is refused, and what steps see."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mfv.errors import FlowError, ParameterError
from mfv.flow.config import ConfigValue, config_expr, know
from mfv.flow.includefile import Included, IncludeFile, include, restore
from mfv.flow.parameters import Parameter, ParameterContext, collect
from mfv.flow.parametervalues import resolve


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, and home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def context(parameter: Parameter) -> ParameterContext:
    return ParameterContext("F", "ana", parameter.name, print, "local")


def chosen(parameter: IncludeFile, *given: str, **environ: str) -> object:
    """The path that a run takes."""
    words = {parameter.name: given[0]} if given else {}
    return resolve({parameter.name: parameter}, words, environ, context)[parameter.name]


# Which file


def test_the_option_then_the_variable_then_the_default_names_the_file() -> None:
    parameter = IncludeFile("table", default="a.csv")
    assert chosen(parameter) == "a.csv"
    assert chosen(parameter, METAFLOW_RUN_TABLE="b.csv") == "b.csv"
    assert chosen(parameter, "c.csv", METAFLOW_RUN_TABLE="b.csv") == "c.csv"
    assert chosen(IncludeFile("table", default=Path("d.csv"))) == "d.csv"
    assert chosen(IncludeFile("table", default=lambda context: f"{context.flow_name}.csv")) == (
        "F.csv"
    )
    assert chosen(IncludeFile("table")) is None


def test_without_a_required_file_there_is_no_run() -> None:
    with pytest.raises(ParameterError, match="required parameter 'table'") as caught:
        chosen(IncludeFile("table", required=True))
    assert "--table FILE" in (caught.value.hint or "")


def test_its_arguments_stand_in_the_order_of_metaflows() -> None:
    parameter = IncludeFile("table", False, False, "latin-1", "Help.", json.loads)
    assert (parameter.is_text, parameter.encoding, parameter.help) == (False, "latin-1", "Help.")
    assert parameter.parser is json.loads


# What is read


def test_text_is_read_with_its_encoding_and_plain_line_ends(folder: Path) -> None:
    (folder / "a").write_bytes("ä\r\nb\rc\n".encode("latin-1"))
    assert include(IncludeFile("a", encoding="latin-1"), "a").content == "ä\nb\nc\n"


def test_bytes_are_read_as_they_are(folder: Path) -> None:
    (folder / "a").write_bytes(b"\xff\r\n\0")
    assert include(IncludeFile("a", is_text=False), "a") == Included(
        "a", b"\xff\r\n\0", b"\xff\r\n\0"
    )


@pytest.mark.parametrize("content", ["", "x"])
def test_an_empty_file_is_an_empty_value(folder: Path, content: str) -> None:
    (folder / "a").write_text(content)
    assert include(IncludeFile("a"), "a").value == content
    assert include(IncludeFile("a", is_text=False), "a").value == content.encode()


def test_home_and_absolute_paths_are_followed(folder: Path) -> None:
    (folder / "a").write_text("here")
    assert include(IncludeFile("a"), "~/a").value == "here"
    assert include(IncludeFile("a"), str(folder / "a")).value == "here"


def test_a_pipe_is_read_once_to_its_end(folder: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"piped")
    os.close(writing)
    try:
        assert include(IncludeFile("a"), f"/dev/fd/{reading}").value == "piped"
    finally:
        os.close(reading)


@pytest.mark.parametrize("parser", [json.loads, "json.loads"])
def test_steps_see_what_the_parser_makes_and_the_content_is_kept(folder: Path, parser: Any) -> None:
    (folder / "a").write_text("[1, 2]")
    parameter = IncludeFile("a", parser=parser)
    found = include(parameter, "a")
    assert found == Included("a", "[1, 2]", [1, 2])
    assert restore(parameter, found.content) == [1, 2]
    assert restore(IncludeFile("a"), found.content) == "[1, 2]"
    assert restore(parameter, None) is None


# What is refused


@pytest.mark.parametrize(
    ("path", "said", "hint"),
    [
        ("none", "IncludeFile 'a': there is no file none", "it is looked for in {folder}"),
        ("{folder}/none", "there is no file {folder}/none", "--a the path of a file"),
        ("s3://bucket/key", "there is no file s3://bucket/key", "on this machine"),
        ("", "there is no file ", "--a the path of a file"),
        (".", ". is a folder", "--a the path of a file"),
        ("latin", "latin is no text in utf-8: ", "is_text=False"),
        ("a\0b", "cannot be read: embedded null", "--a the path of a file"),
    ],
)
def test_what_cannot_be_read_is_one_error_with_the_path(
    folder: Path, path: str, said: str, hint: str
) -> None:
    (folder / "latin").write_bytes(b"\xe4")
    with pytest.raises(ParameterError) as caught:
        include(IncludeFile("a"), path.format(folder=folder))
    assert said.format(folder=folder) in caught.value.message
    assert hint.format(folder=folder) in (caught.value.hint or "")


def test_a_parser_that_fails_is_told_with_the_file(folder: Path) -> None:
    (folder / "a").write_text("x")
    with pytest.raises(ParameterError, match=r"IncludeFile 'a' \(a\) failed: JSONDecodeError"):
        include(IncludeFile("a", parser=json.loads), "a")


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"default": 3}, "the default of IncludeFile 'a' is of type int"),
        ({"type": int}, "IncludeFile 'a' has a type"),
        ({"separator": ","}, "IncludeFile 'a' has a separator"),
        ({"encoding": "utf-9"}, "IncludeFile 'a': unknown encoding: utf-9"),
        ({"encoding": "base64"}, "IncludeFile 'a': 'base64' is not a text encoding"),
        ({"parser": 3}, "the parser of IncludeFile 'a' is 3"),
        ({"required": lambda: True}, "required of parameter 'a' is a function"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declared: Any, said: str) -> None:
    with pytest.raises(FlowError) as caught:
        IncludeFile("a", **declared)
    assert said in caught.value.message


def test_the_declaration_may_come_from_a_config() -> None:
    cfg = config_expr("cfg")
    declared = {"a": IncludeFile("a", default=cfg.path, encoding=cfg.encoding, **cfg.more)}
    know({"cfg": ConfigValue({"path": "x", "encoding": "latin-1", "more": {"is_text": False}})})
    (parameter,) = collect(type("F", (), declared)).values()
    assert isinstance(parameter, IncludeFile)
    assert (parameter.default, parameter.encoding, parameter.is_text) == ("x", "latin-1", False)
