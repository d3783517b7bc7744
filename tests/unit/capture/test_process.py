from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mfv.capture.process import REDACTED, read_process, redact

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        (["--password", "hunter2", "x"], ["--password", REDACTED, "x"]),
        (["--api-token=abc", "--lr=0.1"], [f"--api-token={REDACTED}", "--lr=0.1"]),
        (["--password", "-dash"], ["--password", REDACTED]),
        (["--use-secret", "--lr", "1"], ["--use-secret", "--lr", "1"]),
        (["--param=api_key=abc"], [f"--param=api_key={REDACTED}"]),
        (["API_KEY=abc"], [f"API_KEY={REDACTED}"]),
        (['{"n": 1, "api_key": "abc"}'], ['{"n": 1, "api_key": ' + REDACTED]),
        (["-c", "password = 'abc'; run()"], ["-c", f"password = {REDACTED}"]),
        (["--repo=https://ana:pw@h.org/a"], ["--repo=https://h.org/a"]),
        (["git+https://tok@h.org/a x"], ["git+https://h.org/a x"]),
        (["hf_" + "a" * 30], [REDACTED]),
        (["x", "--password"], ["x", "--password"]),
    ],
)
def test_secrets_in_arguments_are_redacted(given: list[str], recorded: list[str]) -> None:
    assert redact(given) == tuple(recorded)


@pytest.mark.parametrize(
    "argument",
    [
        "--max-tokens=512",
        "tokenizer=bpe",
        "--key",
        "C:x",
        "https://h.org:80/secret",
        "",
        "--eos-token",
    ],
)
def test_ordinary_arguments_stay_as_they_are(argument: str) -> None:
    assert redact([argument, "next"]) == (argument, "next")


def test_a_real_process_tells_its_own_command_without_secrets(tmp_path: Path) -> None:
    code = "from mfv.capture.process import read_process as r; p = r(); print(p.argv); print(p.cwd)"
    command = [sys.executable, "-X", "utf8", "-c", code, "--password", "hunter2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    argv, cwd = done.stdout.splitlines()
    assert argv == repr((*command[:-1], REDACTED))
    assert Path(cwd).samefile(tmp_path)


def test_a_working_folder_that_is_gone_is_empty(tmp_path: Path) -> None:
    code = (
        "import os; os.rmdir(os.getcwd());"
        "from mfv.capture.process import read_process; print(read_process().cwd)"
    )
    gone = tmp_path / "gone"
    gone.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=gone,
        env=environment,
    )
    assert done.stdout == "\n"


def test_the_user_is_the_first_that_a_variable_names(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("MFV_USER", "METAFLOW_USER", "SUDO_USER", "USERNAME", "USER")
    for name in names:
        monkeypatch.setenv(name, f"by {name}")
    for name in names:
        assert read_process().user == f"by {name}"
        monkeypatch.setenv(name, "")
    assert read_process().user == "unknown"


def test_the_host_is_this_machine() -> None:
    assert read_process().host == os.uname().nodename


def test_only_variables_on_the_list_are_recorded_and_sorted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    monkeypatch.setenv("SOMETHING_ELSE", "hunter2")
    variables = read_process().variables
    assert {("TZ", "UTC"), ("OMP_NUM_THREADS", "2"), ("CUDA_VISIBLE_DEVICES", "")} <= set(variables)
    assert list(variables) == sorted(variables)
    assert "hunter2" not in str(variables)


def test_credentials_in_a_recorded_variable_are_stripped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "https://ana:pw@h.org/a")
    assert ("PYTHONPATH", "https://h.org/a") in read_process().variables


def test_bytes_that_are_no_text_can_be_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MFV_USER", "ana\udcff")
    assert read_process().user == "ana\\udcff"
