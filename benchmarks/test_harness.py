"""The measuring itself, with real processes whose cost is known beforehand."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # as Python does for a script of this folder

from harness import BenchmarkError, Comparison, Contender, compare, measure
from peers import installed_version, peer_environment
from report import as_json, as_markdown, format_value

BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
HOLD = "held = b'x' * {size}\n"
ENVIRONMENT = dict(os.environ)


def python(program: str) -> Sequence[str]:
    return [sys.executable, "-c", program]


def test_cpu_time_counts_children_of_the_command(tmp_path: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
    cost = measure(
        python(child.replace("{seconds}", "0.4")), folder=tmp_path, environment=ENVIRONMENT
    )
    assert cost.cpu >= 0.4


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans to a grandparent")
def test_cpu_time_counts_processes_that_the_command_left_behind(tmp_path: Path) -> None:
    burn = BURN.format(seconds=0.4)
    orphan = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}])"
    cost = measure(python(orphan), folder=tmp_path, environment=ENVIRONMENT)
    assert cost.cpu >= 0.4


def test_peak_memory_is_that_of_the_command_and_not_of_the_harness(tmp_path: Path) -> None:
    held_here = b"x" * 200_000_000
    small = measure(python("pass"), folder=tmp_path, environment=ENVIRONMENT)
    large = measure(python(HOLD.format(size=90_000_000)), folder=tmp_path, environment=ENVIRONMENT)
    assert small.peak < 60_000_000 < 90_000_000 < large.peak < len(held_here)


def test_a_command_that_fails_is_told_with_its_status_and_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"failed with status 3:\n  \| no such thing"):
        measure(
            python("print('no such thing'); raise SystemExit(3)"),
            folder=tmp_path,
            environment=ENVIRONMENT,
        )


def test_a_command_that_does_not_exist_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="could not be started"):
        measure(["no-such-command"], folder=tmp_path, environment=ENVIRONMENT)


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(BenchmarkError, match="took more than 2 s"):
        measure(python(program), folder=tmp_path, environment=ENVIRONMENT, timeout=2)
    if Path("/proc/self").exists():
        # Killed, which takes a moment: then a zombie, which has no command line, and then nothing.
        command_line = Path("/proc", (tmp_path / "pid").read_text(), "cmdline")
        until = time.monotonic() + 30
        with contextlib.suppress(OSError):
            while command_line.read_bytes() != b"":
                assert time.monotonic() < until
                time.sleep(0.01)


def test_contenders_run_in_turn_and_the_warm_up_is_not_counted(tmp_path: Path) -> None:
    order = tmp_path / "order"

    def contender(name: str) -> Contender:
        return Contender(
            name, python(f"open({str(order)!r}, 'a').write({name!r})"), ENVIRONMENT, folder=tmp_path
        )

    comparison = compare("turns", [contender("a"), contender("b")], rounds=2)
    assert order.read_text() == "ababab"
    assert [len(samples) for samples in comparison.samples.values()] == [2, 2]


def test_a_contender_that_fails_is_told_and_left_out_but_for_the_baseline(tmp_path: Path) -> None:
    told: list[str] = []

    def failed(name: str, error: BenchmarkError) -> None:
        told.append(f"{name}: {error}")

    good = Contender("good", python("pass"), ENVIRONMENT)
    once = Contender("once", python("import os; os.rmdir('left')"), ENVIRONMENT, folder=tmp_path)
    bad = Contender("bad", python("raise SystemExit(3)"), ENVIRONMENT)
    (tmp_path / "left").mkdir()
    found = compare("some", [good, once, bad], rounds=3, warm_up=False, failed=failed)
    assert {name: len(some) for name, some in found.samples.items()} == {"good": 3, "once": 1}
    assert [line.split(":")[0] for line in told] == ["bad", "once"]
    with pytest.raises(BenchmarkError, match="failed with status 3"):
        compare("some", [bad, good], rounds=1, failed=failed)


def test_every_run_has_an_empty_folder_its_variables_and_its_probe(tmp_path: Path) -> None:
    def prepare(folder: Path) -> Mapping[str, str]:
        assert list(folder.iterdir()) == []
        return {"LEAVE": "three"}

    def probe(folder: Path) -> Mapping[str, float]:
        return {"files": len(list(folder.iterdir()))}

    program = "import os; open(os.environ['LEAVE'], 'w').close()"
    contender = Contender("one", python(program), ENVIRONMENT, prepare, probe)
    samples = compare("folders", [contender], rounds=2, warm_up=False).samples["one"]
    assert [sample["files"] for sample in samples] == [1, 1]


def test_ratios_are_taken_within_each_round() -> None:
    # The machine was four times slower in the second round; the ratio does not care.
    comparison = Comparison(
        "drift", {"base": [{"wall": 1.0}, {"wall": 4.0}], "own": [{"wall": 0.5}, {"wall": 2.0}]}
    )
    assert comparison.ratios("own", "wall") == [0.5, 0.5]
    assert "| own | 1.25 s · 0.5× |" in as_markdown([comparison], {"own": "1.0"})
    assert '"ratios": {\n            "wall": [\n              0.5' in as_json([comparison], {})


def test_values_are_written_with_a_unit_that_fits() -> None:
    assert [format_value(0.0871, "s"), format_value(1.239, "s")] == ["87.1 ms", "1.24 s"]
    assert [format_value(812, "bytes"), format_value(3.1e6, "bytes")] == ["812 B", "3.1 MB"]
    assert format_value(999_700, "bytes") == "1000 kB"
    assert format_value(38, "") == "38"


def test_a_peer_environment_is_made_once(tmp_path: Path) -> None:
    made = peer_environment("empty", ["pip"], cache=tmp_path)  # pip itself: nothing to download
    before = made.parent.parent.joinpath("ready").stat().st_mtime_ns
    assert peer_environment("empty", ["pip"], cache=tmp_path) == made
    assert made.parent.parent.joinpath("ready").stat().st_mtime_ns == before
    assert installed_version(made, "pip")


def test_a_package_that_is_missing_from_an_environment_is_named() -> None:
    with pytest.raises(BenchmarkError, match="no-such-package is not installed"):
        installed_version(sys.executable, "no-such-package")
