"""What a shell offers while somebody types, asked of the real shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import environment, mfv_command, python
from histories import Made, fast_repository, make
from hypothesis import given
from hypothesis import strategies as st

from mfv.cli.completing import complete


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of two flows, and `mfv` on the path; not to be written to."""
    folder = tmp_path_factory.mktemp("completion")
    repository = fast_repository(folder / ".mfv")
    make(
        repository, Made("TrainFlow", {"lr": 0.1}, {"accuracy": 0.5, "model": [1]}, tags=("prod",))
    )
    make(repository, Made("TrainFlow", {"lr": 0.2}, {"accuracy": 0.6}, tags=("team:best",)))
    make(repository, Made("EvalFlow", {}, {"score": 1}))
    (folder / "model.bin").write_bytes(b"x")
    programs = folder / "bin"
    programs.mkdir()
    script = programs / "mfv"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mfv "$@"\n')
    script.chmod(0o755)
    return folder


def offered(folder: Path, line: str) -> list[str]:
    ended = mfv_command(folder, "--complete", line)
    assert (ended.status, ended.err) == (0, "")
    return [one.split("\t")[0] for one in ended.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("mfv lo", ["log", "logs"]),
        ("mfv --v", ["--version"]),
        ("mfv show TrainFlow/", ["TrainFlow/2", "TrainFlow/1"]),
        ("mfv show TrainFlow/1/", ["TrainFlow/1/end"]),
        (
            "mfv show TrainFlow/1/end/",
            [f"TrainFlow/1/end/{name}" for name in ("1", "lr", "accuracy", "model")],
        ),
        ("mfv show TrainFlow/1/end/1/mo", ["TrainFlow/1/end/1/model"]),
        ("mfv diff pr", ["prod"]),
        ("mfv diff prod te", ["team:best"]),
        ("mfv log Ev", ["EvalFlow"]),
        ("mfv log --tag p", ["prod"]),
        ("mfv log --tag=p", ["--tag=prod"]),
        ("mfv log --status i", ["interrupted"]),
        ("mfv log --sort -acc", ["-accuracy"]),
        ("mfv log --columns name,metrics.acc", ["name,metrics.accuracy"]),
        ("mfv log --colu", ["--columns"]),
        ("mfv tag new Eval", ["EvalFlow@latest", "EvalFlow/1"]),
        ("mfv whence ", ["@files"]),
        ("mfv blame TrainFlow par", ["param"]),
        ("mfv completion f", ["fish"]),
        ("mfv nix ", []),
        ("mfv show Nix/1/", []),
        ("mfv show 'Train", ["TrainFlow@latest", "TrainFlow/2", "TrainFlow/1"]),
    ],
)
def test_what_is_offered_for_a_line(runs: Path, line: str, names: list[str]) -> None:
    assert offered(runs, line) == names


def test_another_folder_is_looked_into(runs: Path, tmp_path: Path) -> None:
    assert offered(tmp_path, f"mfv -C '{runs}' diff pr") == ["prod"]
    assert offered(tmp_path, "mfv -C /nowhere/at/all diff pr") == []


def test_where_there_is_no_repository_nothing_is_said(tmp_path: Path) -> None:
    assert offered(tmp_path, "mfv show ") == []


def test_names_that_would_steer_a_terminal_are_not_offered(tmp_path: Path) -> None:
    make(fast_repository(tmp_path / ".mfv"), Made("F", {}, {"a\x1b[31m": 1, "b c": 2}))
    assert offered(tmp_path, "mfv show F/1/end/1/") == ["F/1/end/1/b c"]


@given(st.text(max_size=30))
def test_no_line_is_an_error(line: str) -> None:
    complete(f"mfv {line}")


def test_it_imports_nothing_heavy(runs: Path) -> None:
    probe = (
        "import sys; from mfv.cli.main import main; main(['--complete', 'mfv show Tr']); "
        "assert not {'typer', 'rich', 'numpy', 'sqlite3', 'pickle'} & set(sys.modules)"
    )
    ended = python(runs, "-c", probe)
    assert (ended.status, ended.err) == (0, "")


def shell(runs: Path, program: str, script: str, *words: str) -> list[str]:
    """What the script prints, run by a real shell with our completion and our `mfv`."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not here")
    path = os.pathsep.join((str(runs / "bin"), os.environ["PATH"]))
    done = subprocess.run(
        [found, *words, "-c", script],
        cwd=runs,
        env=environment(PATH=path, HOME=str(runs), TERM="dumb"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def bash(runs: Path, line: str) -> list[str]:
    words = line.split(" ")
    listed = " ".join(f"'{word}'" for word in words)
    return shell(
        runs,
        "bash",
        f"source <(mfv completion bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; "
        f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _mfv 2>/dev/null; "
        'printf "%s\\n" "${COMPREPLY[@]}"',
        "--norc",
    )


def test_bash_completes_commands_runs_steps_and_names_with_colons(runs: Path) -> None:
    assert bash(runs, "mfv lo") == ["log", "logs"]
    assert bash(runs, "mfv show TrainFlow/1/") == ["TrainFlow/1/end"]
    assert bash(runs, "mfv diff team:b") == ["best"]  # behind the colon a new word begins


def test_fish_completes_with_a_few_words_behind(runs: Path) -> None:
    def fish(line: str) -> list[str]:
        script = f"mfv completion fish | source; complete -C '{line}'"
        return shell(runs, "fish", script, "--no-config")

    assert fish("mfv show TrainFlow/1/") == ["TrainFlow/1/end\tstep"]
    assert fish("mfv diff te") == ["team:best\ttag"]
    assert "model.bin" in fish("mfv whence mod")


def test_zsh_reads_the_script_and_offers_the_names(runs: Path) -> None:
    script = (
        "autoload -Uz compinit; compinit -u -D; source <(mfv completion zsh); "
        "compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- $@ }; "
        "LBUFFER='mfv show TrainFlow/1/e'; _mfv"
    )
    assert shell(runs, "zsh", script, "-f") == ["TrainFlow/1/end"]
