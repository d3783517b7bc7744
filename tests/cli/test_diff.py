"""`mfv diff`: the forms that it has beside the comparison of two runs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from pathlib import Path

import numpy
import pytest
from commands import mfv_command, python
from histories import Made, fast_repository, make
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mfv.diff.code import diff_trees, differing
from mfv.ids import BlobId
from mfv.manifest.records import Tree, TreeFile
from mfv.render.patch import patch_bytes


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs; not to be written to."""
    folder = tmp_path_factory.mktemp("diff")
    repository = fast_repository(folder / ".mfv")
    model = {"w": numpy.zeros((20, 30)), "b": numpy.ones(900)}
    make(repository, Made("F", {"lr": 0.1}, {"model": model, "acc": 0.5, "note": "a\nb\n"}))
    changed = {**model, "b": numpy.full(900, 3.0)}
    make(
        repository,
        Made(
            "F", {"lr": 0.2}, {"model": changed, "acc": 0.75, "note": "a\nc\n"}, script=b"x = 2\n"
        ),
    )
    make(repository, Made("F", {"lr": 0.2}, {"model": changed, "acc": 0.8}, user="ben"))
    return folder


def test_what_differs_inside_artifacts_stands_under_them(runs: Path) -> None:
    shown = mfv_command(runs, "diff", "1", "2", env={"COLUMNS": "100"}).out
    assert "1 part differs, 1 the same" in shown
    assert "b  float64[900]  max|d| 2.0, all differ, mean 2.0, cos 1.00000" in shown
    assert "-b\n      +c" in shown
    found = mfv_command(runs, "diff", "1", "2", "--json").json
    (model,) = (one for one in found["artifacts"] if one["name"].endswith("/model"))
    assert model["content"]["parts"] == [
        {
            "path": "b",
            "before": "float64[900]",
            "after": "float64[900]",
            "measure": {
                "changed": 900,
                "total": 900,
                "largest": 2.0,
                "mean": 2.0,
                "cosine": pytest.approx(1.0),
            },
        }
    ]


def test_three_runs_are_a_table_of_only_what_differs(runs: Path) -> None:
    shown = mfv_command(runs, "diff", "1", "2", "3").out.splitlines()
    assert shown[0].split() == ["F/1", "F/2", "F/3"]
    assert [line.split() for line in shown[1:4]] == [
        ["params.lr", "0.1", "0.2", "0.2"],
        ["metrics.acc", "0.5", "0.75", "0.8"],
        ["code.snapshot", *shown[3].split()[1:]],
    ]
    found = mfv_command(runs, "diff", "1", "2", "3", "--json", "--exit-code")
    assert found.status == 1
    assert found.json["different"][0] == {
        "section": "params",
        "name": "lr",
        "values": ["0.1", "0.2", "0.2"],
    }


def test_a_step_a_task_and_an_artifact_are_compared_with_another(runs: Path) -> None:
    for one, other in (("1/end", "2/end"), ("1/end/1", "2/end/1")):
        found = mfv_command(runs, "diff", one, other, "--json").json
        assert [change["name"] for change in found["artifacts"]] == ["acc", "model", "note"]
    only = mfv_command(runs, "diff", "1/end/model", "2/end/model")
    assert "model" in only.out and "note" not in only.out
    same = mfv_command(runs, "diff", "2/end/model", "3/end/model", "--exit-code")
    assert (same.status, same.out) == (0, "2/end/model and 3/end/model are the same\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["1/end"], "name two"),
        (["1/end", "2/end/model"], "not of one kind"),
        (["1", "2", "3", "--patch"], "as a table"),
        (["1", "2", "--stat", "--patch"], "three forms"),
        (["--work", "1", "2"], "one run"),
    ],
)
def test_what_makes_no_sense_is_refused(runs: Path, words: list[str], says: str) -> None:
    ended = mfv_command(runs, "diff", *words)
    assert (ended.status, ended.out) == (2, "")
    assert says in ended.err


def test_names_and_paths(runs: Path) -> None:
    assert mfv_command(runs, "diff", "1", "2", "--name-only").out == "flow.py\n"
    assert mfv_command(runs, "diff", "1", "2", "--name-only", "--", "flow.py").out == "flow.py\n"
    other = mfv_command(runs, "diff", "1", "2", "--name-only", "--exit-code", "--", "lib")
    assert (other.status, other.out) == (0, "")
    assert "+x = 2" in mfv_command(runs, "diff", "1", "2", "--path", ".").out


FLOW = """from mfv import FlowSpec, step
class F(FlowSpec):
    @step
    def start(self):
        self.next(self.end)
    @step
    def end(self):
        pass
F()
"""


def test_a_run_is_compared_with_the_files_as_they_are_now(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    (tmp_path / "gone.py").write_text("a = 1\n")
    assert python(tmp_path, "flow.py", "run").status == 0
    clean = mfv_command(tmp_path, "diff", "--work", "--exit-code")
    assert (clean.status, clean.out) == (0, "the code of F/1 and files is the same\n")
    (tmp_path / "flow.py").write_text(FLOW.replace("pass", "self.x = 1"))
    (tmp_path / "gone.py").unlink()
    (tmp_path / "new.py").write_text("b = 2\n")
    changed = mfv_command(tmp_path, "diff", "--work", "--exit-code", "--name-only")
    assert (changed.status, changed.out) == (1, "flow.py\ngone.py\nnew.py\n")
    assert "+        self.x = 1" in mfv_command(tmp_path, "diff", "--work").out
    inner = tmp_path / "deep"
    inner.mkdir()
    assert mfv_command(inner, "diff", "--work", "--name-only").out.startswith("flow.py\n")
    (tmp_path / "flow.py").unlink()
    missing = mfv_command(tmp_path, "diff", "--work")
    assert missing.status == 3 and "there is no flow.py" in missing.err


NAMES = st.sampled_from(
    [
        "a.py",
        "dir/b.txt",
        "with space.py",
        'quo"te',
        "back\\slash",
        "tab\tname",
        "ünï/ö.py",
        "x/y/z",
    ]
)
CONTENT = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from([b"one\n", b"two\n", b"three\n", b"\xff\xfe\n", b"no end", b"\r\n"]),
        max_size=12,
    ).map(b"".join),
    st.integers(1, 3).map(lambda times: bytes(range(256)) * times),
)
FILES = st.dictionaries(
    NAMES, st.tuples(CONTENT, st.sampled_from([0o100644, 0o100755, 0o120000])), max_size=5
)


def fitting(files: dict[str, tuple[bytes, int]]) -> dict[str, tuple[bytes, int]]:
    """A link has a target that can be one."""
    return {
        name: (b"target-" + data.hex().encode()[:20], mode) if mode == 0o120000 else (data, mode)
        for name, (data, mode) in files.items()
    }


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(before=FILES, after=FILES)
def test_git_applies_a_patch_and_has_the_files_of_the_other_run(
    tmp_path: Path, before: dict[str, tuple[bytes, int]], after: dict[str, tuple[bytes, int]]
) -> None:
    old, new = fitting(before), fitting(after)
    contents = {bytes(BlobId.of(data)): data for data, _ in [*old.values(), *new.values()]}
    patch = patch_bytes(diff_trees(tree(old), tree(new), contents), contents)
    folder = tmp_path / "work"
    shutil.rmtree(folder, ignore_errors=True)
    write(folder, old)
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)}
    if patch:
        done = subprocess.run(
            ["git", "apply", "--whitespace=nowarn", "-"],
            cwd=folder,
            input=patch,
            capture_output=True,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, (done.stderr, patch)
    assert written(folder) == new
    assert bool(patch) == bool(differing(tree(old), tree(new)))


def tree(files: dict[str, tuple[bytes, int]]) -> Tree:
    return Tree(
        tuple(
            TreeFile(name.encode(), mode, bytes(BlobId.of(data)), len(data))
            for name, (data, mode) in sorted(files.items(), key=lambda one: one[0].encode())
        )
    )


def write(folder: Path, files: dict[str, tuple[bytes, int]]) -> None:
    folder.mkdir()
    for name, (data, mode) in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if mode == 0o120000:
            path.symlink_to(data.decode())
        else:
            path.write_bytes(data)
            path.chmod(mode & 0o777)


def written(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = (os.readlink(path).encode(), 0o120000)
        elif path.is_file():
            found[name] = (path.read_bytes(), 0o100755 if path.stat().st_mode & 0o100 else 0o100644)
    return found


def test_a_patch_of_two_runs_is_taken_by_git(tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    assert python(tmp_path, "flow.py", "run").status == 0
    (tmp_path / "flow.py").write_text(FLOW.replace("pass", "self.x = 1"))
    (tmp_path / "lib.py").write_text("y = 3\n")
    assert python(tmp_path, "flow.py", "run").status == 0
    patch = mfv_command(tmp_path, "diff", "1", "2", "--patch").out
    back = subprocess.run(
        ["git", "apply", "-R", "-"],
        cwd=tmp_path,
        input=patch.encode(),
        capture_output=True,
        check=True,
    )
    assert back.returncode == 0
    assert (tmp_path / "flow.py").read_text() == FLOW
    assert not (tmp_path / "lib.py").exists()


def test_pictures_that_changed_are_written_side_by_side(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")

    def picture(colour: str, size: tuple[int, int]) -> bytes:
        out = io.BytesIO()
        pillow.new("RGB", size, colour).save(out, "PNG")
        return out.getvalue() + bytes(5000)  # long enough to stand in a frame

    repository = fast_repository(tmp_path / ".mfv")
    for colour, size in (("red", (30, 20)), ("blue", (40, 25))):
        metrics = {"figure": picture(colour, size), "broken": b"\x89PNG\r\n\x1a\n" + bytes(300)}
        make(repository, Made("F", {"colour": colour}, metrics))
    ended = mfv_command(tmp_path, "diff", "1", "2", "--images", "shown")
    assert "30 x 20 -> 40 x 25" in ended.out
    (path,) = (tmp_path / "shown").iterdir()
    assert str(path.relative_to(tmp_path)) in ended.err
    with pillow.open(path) as both:
        assert both.size == (78, 25)
        assert both.getpixel((5, 5)) == (255, 0, 0)
        assert both.getpixel((50, 5)) == (0, 0, 255)
