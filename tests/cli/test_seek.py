"""`mfv rev-parse`, `ls`, `grep`, `du`, `whence`: questions over many runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy
import pytest
from commands import mfv_command
from histories import Made, fast_repository, make

ARRAY = numpy.arange(6000.0).reshape(60, 100)
BYTES = bytes(range(256)) * 20


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs of two flows; not to be written to."""
    folder = tmp_path_factory.mktemp("seek")
    repository = fast_repository(folder / ".mfv")
    text = "first line\nneedle here\n" * 300
    make(repository, Made("TrainFlow", {"lr": 0.1, "note": "plain"}, {"x": ARRAY, "raw": BYTES}))
    make(repository, Made("TrainFlow", {"lr": 0.2, "note": "a needle"}, {"x": ARRAY, "n": 3}))
    make(
        repository,
        Made("EvalFlow", {}, {"report": text, "raw": BYTES}, tags=("odd:tag",), script=b"needle\n"),
    )
    make(repository, Made("TrainFlow", {"lr": 0.3}, {"report": text}, status="failed"))
    return folder


def out(folder: Path, *words: str, status: int = 0) -> list[str]:
    ended = mfv_command(folder, *words)
    assert (ended.status, ended.err) == (status, ""), ended
    return ended.out.splitlines()


def test_a_revision_becomes_the_full_name(runs: Path) -> None:
    assert out(runs, "rev-parse", "TrainFlow@latest", "odd:tag", "TrainFlow/3~1/end/1") == [
        "TrainFlow/3",
        "EvalFlow/1",
        "TrainFlow/2/end/1",
    ]
    (true_name,) = out(runs, "rev-parse", "--id", "TrainFlow/1")
    assert len(true_name) == 64
    assert out(runs, "rev-parse", true_name[:8]) == ["TrainFlow/1"]
    assert mfv_command(runs, "rev-parse", "--json", "@").lines[0]["run"] == "TrainFlow/3"
    assert mfv_command(runs, "rev-parse", "nix").status == 3
    assert mfv_command(runs, "rev-parse", "1").status == 4


def test_names_are_listed_level_by_level(runs: Path) -> None:
    assert out(runs, "ls") == ["EvalFlow", "TrainFlow"]
    assert out(runs, "ls", "TrainFlow") == ["TrainFlow/3", "TrainFlow/2", "TrainFlow/1"]
    assert out(runs, "ls", "TrainFlow/1") == ["end"]
    assert out(runs, "ls", "TrainFlow/1/end") == ["1"]
    assert out(runs, "ls", "TrainFlow/1/end/1") == ["lr", "note", "raw", "x"]
    assert out(runs, "ls", "TrainFlow/1:") == ["flow.py"]
    assert out(runs, "ls", "odd:tag:flow.py") == ["flow.py"]
    long = [line.split() for line in out(runs, "ls", "-l", "TrainFlow/1/end/1")]
    assert ["bytes", "5.12", "kB", "raw"] in long
    assert mfv_command(runs, "ls", "TrainFlow/1:", "--json").lines == [
        {"name": "flow.py", "kind": "file", "type": None, "size": 15}
    ]
    for words in (["TrainFlow/9"], ["TrainFlow/1:nix"], ["TrainFlow/1/nix"], ["Nix"]):
        assert mfv_command(runs, "ls", *words).status == 3


def test_a_pattern_is_found_everywhere_and_told_once(runs: Path) -> None:
    found = {
        (one["section"], one["run"], one["place"]): one
        for one in mfv_command(runs, "grep", "needle", "--json").lines
    }
    assert set(found) == {
        ("code", "EvalFlow/1", "flow.py"),
        ("params", "TrainFlow/2", "note"),
        ("artifacts", "TrainFlow/3", "start/1/report"),
        ("artifacts", "EvalFlow/1", "end/1/report"),
    }
    report = found["artifacts", "EvalFlow/1", "end/1/report"]
    assert len(report["lines"]) == 300
    assert report["lines"][0] == {"line": 2, "text": "needle here"}
    hello = mfv_command(runs, "grep", "hello", "--code", "--json").lines
    assert [(one["run"], one["runs"]) for one in hello] == [("TrainFlow/3", 3)]


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["needle", "--params"], ["TrainFlow/2:params.note:1: note=a needle"]),
        (["NEEDLE", "-i", "--params", "-l"], ["TrainFlow/2"]),
        (["needle", "--artifacts", "-c", "EvalFlow/1"], ["EvalFlow/1:end/1/report:300"]),
        (["needle", "-l", "--flow", "EvalFlow"], ["EvalFlow/1"]),
        (["needle", "-l", "--where", "lr = 0.2"], ["TrainFlow/2"]),
        (["lr=0.3", "-F", "-l"], ["TrainFlow/3"]),
        (["^lr=", "--params", "-l", "-n", "1"], ["TrainFlow/3"]),
    ],
)
def test_what_grep_prints(runs: Path, words: list[str], lines: list[str]) -> None:
    assert out(runs, "grep", *words) == lines


def test_nothing_found_is_status_1_and_a_wrong_pattern_2(runs: Path) -> None:
    assert out(runs, "grep", "nowhere to be found", status=1) == []
    wrong = mfv_command(runs, "grep", "(")
    assert wrong.status == 2 and "no pattern" in wrong.err
    assert out(runs, "grep", "-F", "(", "-l", "--code") == ["TrainFlow/3"]


def test_sizes_tell_what_is_shared_and_what_would_be_freed(runs: Path) -> None:
    found = mfv_command(runs, "du", "--json").json
    by_name = {one["name"]: one for one in found["sizes"]}
    assert set(by_name) == {"TrainFlow/1", "TrainFlow/2", "TrainFlow/3", "EvalFlow/1"}
    first = by_name["TrainFlow/1"]
    assert first["logical"] > 50_000
    assert first["unique"] < first["stored"] < first["logical"]
    packs = sum(path.stat().st_size for path in (runs / ".mfv/packs").rglob("*") if path.is_file())
    assert found["disk"]["packs"] == packs
    assert max(one["stored"] for one in found["sizes"]) <= packs
    flows = {one["name"]: one for one in mfv_command(runs, "du", "--flows", "--json").json["sizes"]}
    assert flows["TrainFlow"]["count"] == 3
    artifacts = mfv_command(runs, "du", "--artifacts", "--json").json["sizes"]
    x = next(one for one in artifacts if one["name"] == "TrainFlow/end/x")
    assert x["count"] == 2 and x["logical"] >= 2 * ARRAY.nbytes
    assert x["unique"] == x["stored"]
    shown = out(runs, "du", "-n", "1")
    assert shown[0].split() == ["logical", "stored", "unique"]
    assert shown[2] == "and 3 smaller (`-n 0` lists all)"
    assert mfv_command(runs, "du", "--flows", "--artifacts").status == 2


def test_a_run_tells_what_it_takes_and_shares(runs: Path) -> None:
    (line,) = out(runs, "show", "TrainFlow/1", "--storage")
    assert line.startswith("TrainFlow/1 saved ") and "shared with other runs" in line
    (one,) = mfv_command(runs, "show", "TrainFlow/1", "--storage", "--json").json["sizes"]
    assert one["name"] == "TrainFlow/1" and one["unique"] < one["stored"]


def test_a_copy_of_a_file_leads_to_the_run_that_made_it(runs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "some copy.bin"
    copy.write_bytes(BYTES)
    shown = out(runs, "whence", str(copy))
    assert shown[1] == "made by  TrainFlow/1/end/1/raw  5.12 kB"
    assert "TrainFlow/1" in shown[2]
    assert shown[-1] == "  EvalFlow/1/end/1/raw  5.12 kB"
    found = mfv_command(runs, "whence", str(copy), "--json").json
    assert [(one["run"], one["kind"], one["part"]) for one in found["places"]] == [
        ("TrainFlow/1", "artifact", None),
        ("EvalFlow/1", "artifact", None),
    ]


def test_the_array_in_a_npy_leads_to_the_artifact(runs: Path, tmp_path: Path) -> None:
    numpy.save(tmp_path / "features.npy", ARRAY)
    found = mfv_command(runs, "whence", str(tmp_path / "features.npy"), "--json").json
    assert [(one["run"], one["part"]) for one in found["places"]] == [
        ("TrainFlow/1", "array"),
        ("TrainFlow/2", "array"),
    ]


def test_an_artifact_an_id_and_a_file_of_code_are_traced(runs: Path, tmp_path: Path) -> None:
    found = mfv_command(runs, "whence", "TrainFlow/2/end/x", "--json").json
    assert [one["run"] for one in found["places"]] == ["TrainFlow/1", "TrainFlow/2"]
    blob = mfv_command(runs, "show", "TrainFlow/1/end/raw", "--json").json["frames"][0]["blob"]
    by_id = mfv_command(runs, "whence", blob, "--json").json
    assert by_id["places"][0]["name"] == "raw"
    (tmp_path / "copy.py").write_bytes(b"needle\n")
    (place,) = mfv_command(runs, "whence", str(tmp_path / "copy.py"), "--json").json["places"]
    assert (place["run"], place["kind"], place["name"]) == ("EvalFlow/1", "code", "flow.py")


def test_what_clone_data_wrote_leads_back_as_long_as_it_is_unchanged(
    runs: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(runs, tmp_path / "runs")
    assert mfv_command(folder, "clone", "TrainFlow/2", "back", "--data").status == 0
    (number,) = (folder / "back").rglob("n.json")
    found = mfv_command(folder, "whence", str(number), "--json").json
    assert [(one["run"], one["name"]) for one in found["places"]] == [("TrainFlow/2", "n")]
    number.write_text("4\n")
    assert mfv_command(folder, "whence", str(number)).status == 3


def test_what_no_run_has_is_not_found_and_says_what_was_looked_for(
    runs: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").write_bytes(b"something else")
    ended = mfv_command(runs, "whence", str(tmp_path / "other"))
    assert (ended.status, ended.out) == (3, "")
    assert "no run here has" in ended.err and "looked for: its 14 bytes" in ended.err
    missing = mfv_command(runs, "whence", "./nix")
    assert missing.status == 3 and "No such file" in missing.err
    assert mfv_command(runs, "whence", "0" * 64).status == 3


def test_new_runs_are_looked_at_when_it_is_asked_again(tmp_path: Path) -> None:
    repository = fast_repository(tmp_path / ".mfv")
    make(repository, Made("F", {}, {"raw": BYTES}))
    (tmp_path / "a").write_bytes(BYTES)
    (tmp_path / "b").write_bytes(BYTES[::-1])
    assert mfv_command(tmp_path, "whence", "a").status == 0
    assert mfv_command(tmp_path, "whence", "b").status == 3
    make(repository, Made("F", {}, {"raw": BYTES[::-1]}))
    assert "F/2/end/1/raw" in mfv_command(tmp_path, "whence", "b").out
    shutil.rmtree(tmp_path / ".mfv/cache")
    assert "F/2/end/1/raw" in mfv_command(tmp_path, "whence", "b").out
    mfv_command(tmp_path, "rm", "F/2")
    assert mfv_command(tmp_path, "whence", "b").status == 3
