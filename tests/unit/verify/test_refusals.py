"""What is not run again, and why: each gets one clear error before anything is written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from making import FLOW, opening_of

from mfv.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from mfv.manifest.records import Opening
from mfv.odb.writer import Writer
from mfv.repo.recorder import RunRecorder
from mfv.repo.repository import Repository
from mfv.repo.trust import is_trusted
from mfv.repo.view import RunView
from mfv.verify.again import give_secret, secrets_missing, variables_of
from mfv.verify.verifying import Wish, check, verify


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / ".mfv", writer="ana@host")


def run_of(repository: Repository, *, sealed: bool = True, **facts: object) -> RunView:
    def make(writer: Writer) -> Opening:
        return msgspec.structs.replace(opening_of()(writer), **facts)

    recorder = RunRecorder(repository, make)
    if sealed:
        recorder.seal("ok", ended=1)
    state = repository.state.find(FLOW, recorder.number)
    assert state is not None
    view = RunView(repository, state)
    view.__dict__["recorder"] = recorder  # whose lease is held as long as it lives
    return view


def test_a_run_that_is_open(repository: Repository) -> None:
    with pytest.raises(ConflictError, match="still running"):
        verify(run_of(repository, sealed=False), Wish(), {})


def test_a_flow_whose_file_is_not_in_its_snapshot(repository: Repository) -> None:
    with pytest.raises(NotFoundError, match=r"'moved\.py' is not in the snapshot"):
        verify(run_of(repository, script="moved.py"), Wish(), {})


def test_a_run_of_another_repository_unless_it_is_trusted(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = run_of(repository)
    assert is_trusted(view)
    assert view.manifest is not None
    forged = msgspec.structs.replace(view.manifest, origin=bytes(16))
    monkeypatch.setattr(RunView, "manifest", property(lambda _: forged))
    assert not is_trusted(view)
    with pytest.raises(UntrustedError, match="another repository"):
        verify(view, Wish(), {})
    check(view, Wish(trust=True), {})


def test_secrets_that_are_not_given_anew(repository: Repository) -> None:
    view = run_of(repository, secret=("api-token", "config db"))
    with pytest.raises(UsageError, match="api-token, config db") as raised:
        verify(view, Wish(), {})
    assert raised.value.hint is not None
    assert "MFV_RUN_API_TOKEN" in raised.value.hint
    assert "MFV_FLOW_CONFIG" in raised.value.hint


@pytest.mark.parametrize(
    "variable",
    [
        *("MFV_FLOW_CONFIG", "MFV_FLOW_CONFIG_VALUE"),
        *("METAFLOW_FLOW_CONFIG", "METAFLOW_FLOW_CONFIG_VALUE"),
    ],
)
def test_a_secret_config_is_given_by_any_of_its_variables(
    repository: Repository, variable: str
) -> None:
    opening = run_of(repository, secret=("config db",)).opening
    assert secrets_missing(opening, {variable: '{"other": "x"}'}) == ("config db",)
    assert secrets_missing(opening, {variable: "no json"}) == ("config db",)
    assert secrets_missing(opening, {variable: '{"db": "x"}'}) == ()
    assert variables_of("config db", {variable: '{"db": "x"}'}) == (variable,)


def test_nothing_is_left_of_what_was_refused(repository: Repository) -> None:
    with pytest.raises(NotFoundError):
        verify(run_of(repository, script="moved.py"), Wish(), {})
    assert repository.folder is not None
    tmp = Path(repository.folder, "tmp")
    assert [path.name for path in tmp.iterdir() if path.is_dir()] == []


def test_a_secret_that_is_given_is_there(repository: Repository) -> None:
    opening = run_of(repository, secret=("api-token", "config db", "config other")).opening
    environ = {"MFV_FLOW_CONFIG": '{"db": "/db.json"}'}
    assert secrets_missing(opening, environ) == ("api-token", "config other")
    environ = give_secret("api-token", "x", environ)
    assert secrets_missing(opening, environ) == ("config other",)
    environ = give_secret("config other", "/other.json", environ)
    assert secrets_missing(opening, environ) == ()
    assert environ["MFV_RUN_API_TOKEN"] == "x"
    assert environ["MFV_FLOW_CONFIG"] == '{"db":"/db.json","other":"/other.json"}'
