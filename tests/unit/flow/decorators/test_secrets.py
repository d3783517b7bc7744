"""`@secrets`: where secrets come from, and where they must not go."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attempting import attempt, begin, refusal

from mfv.flow.decorators.base import decorators_of
from mfv.flow.decorators.secrets import secrets
from mfv.flow.decorators.secretsources import SecretError, env_file
from mfv.flow.spec import FlowSpec, step


def flow(sources: Any, **attributes: Any) -> type[FlowSpec]:
    class F(FlowSpec):
        @secrets(sources=sources, **attributes)
        @step
        def start(self) -> None:
            self.seen = {k: v for k, v in os.environ.items() if k.startswith("KEY")}

    return F


def inline(name: str = "a", **variables: Any) -> dict[str, Any]:
    return {"type": "inline", "id": name, "options": {"env_vars": variables}}


def test_inline_secrets_are_in_the_environment_of_the_step() -> None:
    asked = flow([inline(KEY_A="1"), inline("b", KEY_B="2")])
    begin(asked)
    assert attempt(asked).values == {"seen": {"KEY_A": "1", "KEY_B": "2"}}


def test_a_file_of_variables_is_read_when_the_step_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = flow(["env-file.prod.env"])
    begin(asked)
    Path("prod.env").write_text("KEY_A=1\n")
    assert attempt(asked).values == {"seen": {"KEY_A": "1"}}


def test_the_lines_of_such_a_file_may_be_quoted_exported_and_commented(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    file.write_text("# all\n\nexport A='x # y'\nB=\"2\"\nC = z=1 # why\nD=\n", "utf-8")
    assert env_file(str(file), {}) == {"A": "x # y", "B": "2", "C": "z=1", "D": ""}


def test_a_file_that_is_not_there_or_not_readable_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"x\.env cannot be read: No such file"):
        env_file(str(tmp_path / "x.env"), {})
    (tmp_path / "y.env").write_bytes(b"A=\xff")
    with pytest.raises(SecretError, match="it is not UTF-8 text"):
        env_file(str(tmp_path / "y.env"), {})
    (tmp_path / "z.env").write_text("A=1\nhidden\n")
    with pytest.raises(SecretError, match=r"z\.env:2: no NAME=value") as caught:
        env_file(str(tmp_path / "z.env"), {})
    assert "hidden" not in str(caught.value)


def test_a_variable_of_whoever_starts_the_run_has_to_be_set() -> None:
    asked = flow(["environment.KEY_HERE"])
    assert "no such variable is set" in attempt(asked).message
    os.environ["KEY_HERE"] = "1"
    assert attempt(asked).values == {"seen": {"KEY_HERE": "1"}}


def test_what_is_set_already_is_not_replaced_unless_that_is_allowed() -> None:
    os.environ["KEY_A"] = "old"
    assert "sets KEY_A, which is set already" in attempt(flow([inline(KEY_A="new")])).message
    allowed = flow([inline(KEY_A="new")], allow_override=True)
    assert attempt(allowed).values == {"seen": {"KEY_A": "new"}}


def test_two_sources_must_not_set_one_variable_and_then_none_is_set() -> None:
    tried = attempt(flow([inline("a", KEY_A="secret one"), inline("b", KEY_A="secret two")]))
    assert tried.message == "the secrets inline.a and inline.b both set KEY_A"
    assert tried.report.failure is not None
    assert "secret one" not in tried.report.failure.traceback
    assert "KEY_A" not in os.environ


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"KEY A": "x"}, "no name of a variable"),
        ({"METAFLOW_X": "x"}, "a setting of the run itself"),
        ({"MFV_X": "x"}, "a setting of the run itself"),
        ({"KEY": 1}, "to a int, and not to text"),
    ],
)
def test_what_is_no_secret_variable_is_told(variables: dict[str, Any], message: str) -> None:
    assert message in attempt(flow([inline(**variables)])).message


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ("env-file.x", "sources that are no list"),
        (["vault"], "does not say of which type"),
        ([3], "does not say of which type"),
        ([{"id": "x"}], "does not say of which type"),
        ([{"type": "inline"}], "has no id"),
        (["aws-secrets-manager.prod"], "are not available on this machine"),
        (["env-fil.x"], "knows no type 'env-fil'"),
        ([{"type": "inline", "id": "x", "options": 1}], "are no dict"),
    ],
)
def test_wrong_sources_are_refused_before_the_run(sources: Any, message: str) -> None:
    error = refusal(flow(sources))
    assert message in error.message
    assert error.file == __file__ and error.hint


def test_no_value_is_shown_where_the_decorator_is() -> None:
    asked = flow([inline(KEY_A="hush")])
    assert "hush" not in repr(decorators_of(asked, "start")[0])
