from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mfv.capture import hardware, system
from mfv.capture.environment import read_environment
from mfv.capture.hardware import Gpu

ROOT = Path(__file__).parents[3]


def test_the_distribution_is_called_by_its_full_name(tmp_path: Path) -> None:
    file, mac = tmp_path / "os-release", tmp_path / "version.plist"
    mac.write_text("<key>ProductVersion</key>\n\t<string>15.1</string>")
    assert system.distribution((str(file),), str(mac)) == "macOS 15.1"
    file.write_text('NAME=X\nPRETTY_NAME="Some Linux 12 (name)"\n')
    assert system.distribution((str(file),), str(mac)) == "Some Linux 12 (name)"
    file.write_text("PRETTY_NAME=Plain\n")
    assert system.distribution((str(file),)) == "Plain"
    assert system.distribution((), str(tmp_path / "missing")) == ""


def test_the_time_zone_is_a_name_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TZ", raising=False)
    link, file = tmp_path / "localtime", tmp_path / "timezone"
    assert system.timezone(str(link), str(file)) == " ".join(dict.fromkeys(time.tzname))
    file.write_text("Asia/Tokyo\n")
    assert system.timezone(str(link), str(file)) == "Asia/Tokyo"
    link.symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert system.timezone(str(link), str(file)).endswith(("Europe/Berlin", "Tokyo"))
    monkeypatch.setenv("TZ", ":America/Lima")
    assert system.timezone(str(link), str(file)) == "America/Lima"


def test_the_locale_is_that_of_the_variable_that_counts_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert system.locale_name() == "C"
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert system.locale_name() == "de_DE.UTF-8"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert system.locale_name() == "C.UTF-8"


def test_cuda_is_that_of_the_packages_before_that_of_the_system(tmp_path: Path) -> None:
    file = tmp_path / "version.json"
    assert system.cuda({}, str(file)) == ""
    file.write_text('{"cuda" : {"name" : "CUDA SDK", "version" : "12.1.0"}, "nvcc": {}}')
    assert system.cuda({"numpy": "2.0"}, str(file)) == "12.1.0"
    assert system.cuda({"nvidia-cuda-runtime-cu12": "12.4.127"}, str(file)) == "12.4.127"


def test_the_features_of_the_processor_are_those_that_arithmetic_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor : 0\nflags\t\t: fpu sse2 avx2 avx512f fma sse4_2\n\nflags : amx_bf16\n"
    )
    assert hardware.cpu_features(str(file)) == ("avx2", "avx512f", "fma", "sse4_2")
    file.write_text("processor : 0\nFeatures\t: fp asimd sve2 crc32\n")
    assert hardware.cpu_features(str(file)) == ("asimd", "sve2")
    assert hardware.cpu_features(str(tmp_path / "missing")) == ()


CARDS = """#!/bin/sh
echo asked >> "$(dirname "$0")/asked"
echo 'NVIDIA T4, 15360, 7.5, 535.104.05'
echo 'NVIDIA H100, 81559, [N/A], 535.104.05'
"""


def test_cards_are_asked_once_per_start_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text(CARDS)
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(hardware, "_BOOT_FILE", str(tmp_path / "boot"))
    (tmp_path / "boot").write_text("first\n")
    models, cache = ("NVIDIA H100", "NVIDIA T4", "Other"), str(tmp_path / "cache")
    expected = (
        "535.104.05",
        (Gpu("NVIDIA H100", 81559 << 20), Gpu("NVIDIA T4", 15360 << 20, "7.5"), Gpu("Other")),
    )
    missing = str(tmp_path / "missing")
    assert hardware.cards(models, cache, missing) == expected
    assert hardware.cards(models, cache, missing) == expected
    assert (tmp_path / "asked").read_text() == "asked\n"
    # Where no folder of the driver lists the cards, the note tells their models too.
    assert hardware.gpus(missing, cache) == models
    assert (tmp_path / "asked").read_text() == "asked\n"
    (tmp_path / "boot").write_text("second\n")
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu\nGCC\n")
    assert hardware.cards(models, cache, str(driver))[0] == "550.54.14"
    assert hardware.cards((), cache) == ("", ())


def test_equal_machines_have_equal_environments_from_one_moment_to_the_next(tmp_path: Path) -> None:
    first = read_environment()
    assert read_environment(str(tmp_path)) == read_environment(str(tmp_path)) == first
    assert first.cpu_usable == len(os.sched_getaffinity(0))
    assert first.python_kind in ("venv", "conda", "system", "other")
    assert first.python_build in sys.version.replace("\n", " ")
    assert [source.name for source in first.sources] == [one.name for one in first.packages]


@pytest.mark.parametrize(
    ("seed", "options", "told"),
    [
        ("42", (), "42"),
        ("0", (), "0"),
        ("random", (), "random"),
        (None, (), "random"),
        ("42", ("-I",), "random"),
        ("42", ("-E",), "random"),
    ],
)
def test_the_seed_of_hashes_is_the_one_in_force(
    seed: str | None, options: tuple[str, ...], told: str
) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    code = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}];"
        "from mfv.capture.process import hash_seed; print(hash_seed())"
    )
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        env=kept if seed is None else {**kept, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{told}\n"
